"""A live run: starts the processes, sets the platform up, watches the replay, and gathers the run tables.

Decides the order of things and when the run is over: after the last journey, when every order is settled, or when the
drain time of the scenario has passed. Leaves HTTP setup to `setup`, arrivals to the Locust process, printers and actors
to the city process, and what the tables hold to `collect`.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from o2o_loadtest.collect import collect
from o2o_loadtest.config import ENVIRONMENT_VARIABLE, LiveConfig, write_epoch
from o2o_loadtest.errors import ProcessError, TargetError
from o2o_loadtest.helpers import HelperProcesses, HelperProgram
from o2o_loadtest.processes import STOP_S, Child
from o2o_loadtest.setup import AdminClient, set_up
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.city.model import City
from o2o_sim.platform_model.payment_faults import payment_faults

START_S = 60.0
"""A process that has not said that it is ready by then has failed."""
POLL_S = 0.2
HEARSAY_S = 1.0
"""What the city says so long after the last journey includes the orders of that journey."""
WARM_UP_S = 300.0
"""Riders who are on shift at the epoch have logged in by then."""
LEAD_S = 0.5
"""From the word to run second 0: everybody must have heard it by then."""
CONFIG_FILE = "live-config.json"

Progress = Callable[[str, float], None]
"""Called with what is under way and the share done, 0..1."""


@dataclass(frozen=True)
class Target:
    """The platform to load: `argv` starts one that announces its address, or `url` is one that runs already."""

    admin_password: str
    argv: Sequence[str] = ()
    url: str | None = None
    helpers: Sequence[HelperProgram] = ()
    """Helper processes that the platform to be started asks."""
    start_s: float = START_S
    stop_s: float = STOP_S
    """The platform to be started may take so long to be ready, and to end."""


@dataclass(frozen=True)
class LiveRun:
    """What a live run leaves behind; `tables` conform to o2o_results.tables.TABLES, all present."""

    tables: dict[str, pa.Table]
    horizon_s: float
    interrupted: bool
    notes: dict[str, Any] = field(default_factory=dict)


class _Said:
    """The latest of each thing that a child said, from its reader thread."""

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}
        self._changed = threading.Event()

    def __call__(self, line: dict[str, Any]) -> None:
        self.facts.update(line)
        self._changed.set()

    def wait_for(self, key: str, child: Child, timeout_s: float) -> Any:
        """The value of `key` once the child said it. Raises ProcessError when it ends or stays silent."""
        deadline = time.monotonic() + timeout_s
        while key not in self.facts:
            child.check(may_have_ended=key in self.facts)
            if time.monotonic() > deadline:
                raise ProcessError(f"{child.name}: not ready after {timeout_s:g} s")
            self._changed.wait(POLL_S)
            self._changed.clear()
        return self.facts[key]


def run_live(
    scenario: Scenario,
    city: City,
    trace: Trace,
    target: Target,
    folder: Path,
    *,
    progress: Progress = lambda what, share: None,
    stop: Callable[[], bool] = lambda: False,
    web_ui: bool = False,
) -> LiveRun:
    """Replay the trace against a platform; `folder` must hold trace.parquet and takes logs and working files.

    `scenario.clock.speed` is how many city seconds pass in a wall second. Raises TargetError and ProcessError. When
    `stop()` turns true the run ends early, with what it has so far.
    """
    logs = folder / "logs"
    logs.mkdir(exist_ok=True)
    (folder / "live-scenario.json").write_text(scenario.model_dump_json(), encoding="utf-8")
    config_path = folder / CONFIG_FILE
    with ExitStack() as stack:
        stack.callback(config_path.unlink, missing_ok=True)
        city_said, locust_said, platform_said = _Said(), _Said(), _Said()
        progress("starting", 0.0)
        city_child = stack.enter_context(Child("city", _city_argv(folder), logs / "city.log", on_line=city_said))
        faults = scenario.platform.helper_faults
        helpers = stack.enter_context(HelperProcesses(target.helpers, faults, scenario.clock.speed, logs))
        base_url = target.url
        if base_url is None:
            platform_child = stack.enter_context(
                Child("platform", target.argv, logs / "platform.log", on_line=platform_said, stop_s=target.stop_s)
            )
            base_url = str(platform_said.wait_for("base_url", platform_child, target.start_s))
        printers = {int(number): str(url) for number, url in _printers(city_said, city_child).items()}
        admin = AdminClient(base_url, target.admin_password)
        stack.callback(admin.close)
        prefix = "" if target.url is None else f"{int(time.time())}-"
        ids = set_up(admin, scenario, city, trace, printers, prefix=prefix, progress=progress)
        config = LiveConfig(
            base_url=base_url,
            speed=scenario.clock.speed,
            folder=str(folder),
            ids=ids,
            prefix=prefix,
            payment_faults={
                number: (fault.kind, fault.late_s, fault.beside_fen)
                for number, fault in payment_faults(scenario, len(trace)).items()
            },
            pages=bool(scenario.platform.helpers),
        )
        config.write(config_path)
        city_child.say({"go": str(config_path)})
        locust_child = stack.enter_context(
            Child(
                "locust",
                _locust_argv(web_ui),
                logs / "locust.log",
                on_line=locust_said,
                env={ENVIRONMENT_VARIABLE: str(config_path)},
            )
        )
        progress("riders come on shift", 0.0)
        locust_said.wait_for("ready", locust_child, START_S)
        city_said.wait_for("warm", city_child, WARM_UP_S)
        epoch = config.epoch = time.time() + LEAD_S
        city_child.say({"epoch": epoch})
        write_epoch(folder, epoch)
        children = [city_child] if target.url else [city_child, platform_child]
        interrupted = _watch(
            scenario, len(trace), epoch, children, locust_child, city_said, locust_said, progress, stop, helpers.attend
        )
        if interrupted and not locust_child.ended:
            locust_child.stop()
        progress("gathering", 0.0)
        city_child.say({"stop": True})
        city_said.wait_for("done", city_child, START_S)
        city_child.wait(START_S)
        horizon_s = time.time() - epoch
        tables, notes = collect(admin, config, trace, city, folder, horizon_s=horizon_s)
        notes["generator"] = {
            "started": locust_said.facts.get("started", 0),
            "worst_actor_lag_s": city_said.facts["worst_lag_s"],
        }
        if target.helpers:
            notes["helper_faults"] = helpers.done
        notes["epoch_unix"] = epoch
        notes["target"] = "own platform" if target.url is None else target.url
    _clean(folder)
    return LiveRun(tables, horizon_s, interrupted, notes)


def _watch(
    scenario: Scenario,
    intents: int,
    epoch: float,
    children: Sequence[Child],
    locust: Child,
    city_said: _Said,
    locust_said: _Said,
    progress: Progress,
    stop: Callable[[], bool],
    attend: Callable[[float], None] = lambda at_s: None,
) -> bool:
    """Wait until the run is over; True when it was stopped early. `attend` is called with the run second meanwhile."""
    speed = scenario.clock.speed
    arrivals_end = epoch + scenario.clock.duration_s / speed
    horizon = arrivals_end + scenario.clock.drain_s / speed
    journeys_end: float | None = None
    while True:
        if stop():
            return True
        for child in children:
            child.check()
        locust.check(may_have_ended=True)
        now = time.time()
        attend(now - epoch)
        known, settled_ = city_said.facts.get("known", 0), city_said.facts.get("settled", 0)
        if locust.ended:
            journeys_end = now if journeys_end is None else journeys_end
            up_to_date = city_said.facts.get("at", 0.0) >= journeys_end + HEARSAY_S
            if (up_to_date and settled_ >= known) or now >= horizon:
                return False
            progress(f"draining: {settled_:,} of {known:,} orders settled", settled_ / max(known, 1))
        else:
            started = locust_said.facts.get("started", 0)
            progress(f"replaying: {started:,} of {intents:,} intents", started / max(intents, 1))
            if now > horizon + START_S:
                raise ProcessError(f"locust: still running {START_S:g} s after the horizon")
        time.sleep(POLL_S)


def _printers(said: _Said, child: Child) -> dict[str, Any]:
    printers = said.wait_for("printers", child, START_S)
    if not isinstance(printers, dict) or not printers:
        raise TargetError("the city has no printers")
    return printers


def _city_argv(folder: Path) -> list[str]:
    return [sys.executable, "-m", "o2o_loadtest.city_process", str(folder)]


def _locust_argv(web_ui: bool) -> list[str]:
    locustfile = Path(__file__).with_name("locustfile.py")
    options = "--users 1 --spawn-rate 1 --exit-code-on-error 0 "
    options += "--autostart --autoquit 1 --web-host 127.0.0.1" if web_ui else "--headless --only-summary"
    return [sys.executable, "-m", "locust", "-f", str(locustfile), *options.split()]


def _clean(folder: Path) -> None:
    """Remove working files; the tables and logs stay."""
    for path in folder.glob("live-*"):
        path.unlink()
