"""Both worlds for the parity tests: a recorded model run, and the platform's own test world to replay it in."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from o2o_cli.jobs.platform import settings_for
from o2o_platform.kit.clock import ManualClock
from o2o_scenarios.schema import Scenario

HERE = Path(__file__).parent


def _load(path: Path) -> ModuleType:
    # Tests are no package (import mode importlib), so shared modules are loaded by their path.
    name = f"parity_{path.parent.name}_{path.stem}"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


recorded = _load(HERE / "recorded.py")
twin = _load(HERE / "twin.py")
platform_tests = _load(HERE.parent / "platform" / "conftest.py")
sim_tests = _load(HERE.parent / "sim" / "conftest.py")
printer_tests = _load(HERE.parent / "platform" / "printing" / "conftest.py")

# Their fixtures, under their own names.
anyio_backend, settings, world = platform_tests.anyio_backend, platform_tests.settings, platform_tests.world
deployment, new_file = platform_tests.deployment, platform_tests.new_file
peer, eventually = printer_tests.peer, platform_tests._eventually
town, intents = sim_tests.town, sim_tests.intents

LUNCH: dict[str, Any] = {
    "name": "parity",
    "seed": 3,
    "clock": {"start_min": 660, "duration_s": 3600, "drain_s": 5400},
    "city": {
        "nodes": 100,
        "extent_km": 2.5,
        "rivers": 0,
        "zones": 4,
        "merchants": {"count": 8, "dishes": 4, "stock_per_dish": 7},
        "users": {"count": 60},
        "riders": {"count": 12, "shift_h": 1.2},
    },
    "demand": {"orders_per_hour": 160, "deals_per_hour": 25, "coupon_share": 0.7, "review_share": 0.5},
    "dispatch": {"patience_s": 600},
    "platform": {
        "payment": {
            "confirm_mean_s": 12,
            "callback_mean_s": 8,
            "deadline_s": 45,
            "refuse_share": 0.05,
            "balance_share": 0.2,
            "wallet_fen": 9000,
        },
    },
    "printing": {
        "max_attempts": 3,
        "faults": {"paper_end": 0.05, "offline": 0.05, "lost_ack": 0.05, "repair_mean_s": 60},
    },
    "coupons": [
        {"code": "SMALL", "threshold_fen": 1500, "off_fen": 400, "budget_fen": 5000, "per_user": 1},
        {"code": "FAMILY", "threshold_fen": 2500, "off_fen": 900, "budget_fen": 100000, "segments": ["family"]},
    ],
    "crm": {"leads": 40, "bds": 4, "sign_chance": 0.3, "visit_min": 8, "pool": {"quota": 3, "visit_days": 2}},
}


@pytest.fixture(scope="session", params=["nearest", "least_loaded"])
def lunch(request: pytest.FixtureRequest) -> Any:
    """A recorded run in which nearly everything happens that can happen to an order, a coupon or a lead."""
    scenario = Scenario.model_validate({**LUNCH, "dispatch": {**LUNCH["dispatch"], "rule": request.param}})
    # Users try no coupon that is not for their segment, so the trace is made while the coupons are for everybody.
    demand = scenario.model_copy(
        update={"coupons": tuple(coupon.model_copy(update={"segments": ()}) for coupon in scenario.coupons)}
    )
    return recorded.record(scenario, demand)


@pytest.fixture
def platform_for(settings: Any) -> Callable[[Scenario], Any]:
    """A function: the settings of a live run of a scenario, with nothing that happens by itself."""

    def make(scenario: Scenario, **changes: Any) -> Any:
        return replace(settings_for(scenario), **twin.quiet(settings, **changes))

    return make


@pytest.fixture
def platform_world(settings: Any) -> Callable[..., Any]:
    """A function, to be used in `async with`: a platform with these settings, in which nothing happens by itself."""

    def make(**changes: Any) -> Any:
        return platform_tests.open_world(replace(settings, **twin.quiet(settings, **changes)), ManualClock())

    return make


@pytest.fixture
def replay(platform_for: Callable[..., Any]) -> Callable[[Any], Any]:
    """A function, to be used in `async with`: the platform after a whole recorded run, and its answer to each act.

    `step(twin, until)` is awaited before each act, for a platform on which things happen by themselves meanwhile.
    """

    @asynccontextmanager
    async def played(run: Any, step: Any = None, **changes: Any) -> AsyncIterator[tuple[Any, list[tuple[int, Any]]]]:
        async with platform_tests.open_world(platform_for(run.scenario, **changes), ManualClock()) as opened:
            other = await twin.Twin.of(opened, run)
            answers = []
            for act in run.acts:
                if step is not None:
                    await step(other, other.epoch + act.at)
                answers.append(await other.play(act))
            yield other, answers

    return played


@pytest.fixture
async def replayed(lunch: Any, replay: Any, anyio_backend: str) -> AsyncIterator[Any]:
    """The platform after the recorded lunch, and what it answered to each act."""
    async with replay(lunch) as both:
        yield both


@pytest.fixture(scope="session")
def record_script() -> Callable[..., Any]:
    """The function of `recorded`."""
    function: Callable[..., Any] = recorded.record_script
    return function
