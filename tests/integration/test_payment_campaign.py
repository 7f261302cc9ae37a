"""Payments that go wrong, over real processes: the campaign at a small size, and a live run whose scenario says so.

`o2o chaos payments --orders 20000 --seed 7` is the same at full size (G11).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from o2o_cli.chaos.payments_command import run_payments
from o2o_cli.jobs import world
from o2o_cli.jobs.live import compressed, run_load
from o2o_domain.payments import TAKEN
from o2o_scenarios.schema import Scenario

ORDERS = 300
SHARES = {"lost": 0.06, "doubled": 0.06, "late": 0.06, "amount_wrong": 0.04, "out_of_order": 0.04, "refused": 0.03}


@pytest.fixture(params=["embedded", "scaled"])
def place(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the platform of the campaign has its database."""
    if request.param == "embedded":
        return {}
    redis_url, _ = request.getfixturevalue("redis_place")
    return {"database": request.getfixturevalue("postgres_url"), "redis": redis_url}


def test_everything_that_was_injected_is_repaired(place: dict[str, str], tmp_path: Path, capsys: Any) -> None:
    """G11: 0 paid-but-unordered, 0 double charge, and the time to repair."""
    code = run_payments(ORDERS, 7, SHARES, **place, json=tmp_path / "told.json", quiet=True)
    said = capsys.readouterr().out
    told = json.loads((tmp_path / "told.json").read_text())["figures"]
    assert (code, told["problems"]) == (0, []), said
    assert (told["paid_but_unordered"], told["double_charges"], told["disputes"]) == (0, 0, 0)
    injected, repaired = told["injected"], told["repaired_by_fate"]
    assert injected["charges"] == told["placed"] == ORDERS
    assert all(injected[fate] > 0 for fate in SHARES)
    assert repaired["lost"] == injected["lost"]
    assert repaired["amount_wrong"] == injected["amount_wrong"]
    assert repaired.get("late", 0) <= injected["late"] + injected.get("as_asked", 0)
    assert told["time_to_repair_s"]["p50"] >= 3.0  # the grace
    paid = sum(count for state, count in told["payments"].items() if state in TAKEN)
    assert paid == ORDERS - injected["refused"]
    for line in ("callback lost", "paid but unordered", "time to repair p99", "PASS"):
        assert line in said


def test_a_live_run_repairs_what_its_scenario_breaks(small: Any, tmp_path: Path) -> None:
    """G4, G11: the faults are the model's, payment by payment."""
    payment = small.platform.payment.model_dump() | {
        "faults": {"lost": 0.15, "doubled": 0.15, "late": 0.1, "late_mean_s": 2.0, "amount_wrong": 0.1},
        "reconcile_interval_s": 1.0,
        "reconcile_grace_s": 1.0,
    }
    plan = small.model_dump() | {"platform": small.platform.model_dump() | {"payment": payment}}
    scenario = compressed(Scenario.model_validate(plan), speed=None, duration_s=None, drain_s=None)
    run = run_load(scenario, built=world.build(scenario, quiet=True), out=tmp_path / "run", quiet=True)
    assert [verdict for verdict in run.manifest.verdicts if not verdict.ok] == []
    repairs = {row["verdict"] for row in run.table("reconciliations").to_pylist()}
    assert {"take_payment", "refund_difference"} <= repairs
    payments = run.table("payments").to_pylist()
    wrong = [row for row in payments if row["disputed"] is not None]
    assert wrong
    assert all(row["provider_refunded_fen"] == row["provider_fen"] != row["amount_fen"] for row in wrong)
