"""Whole runs: determinism, conservation, compression, horizon, interruption, and the audit as a judge."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import pytest

from o2o_domain.decisions import Decision, to_json
from o2o_domain.rules import replay
from o2o_results.audit import audit
from o2o_results.hashes import tables_hash
from o2o_results.tables import TABLES
from o2o_scenarios.schema import DispatchSpec
from o2o_sim.demand.build import build_trace
from o2o_sim.world import simulate

BUSY = {
    "demand": {"orders_per_hour": 1500, "deals_per_hour": 100},
    "clock": {"duration_s": 900, "drain_s": 7200},
    "platform": {"payment": {"refuse_share": 0.05}},
    "printing": {"faults": {"paper_end": 0.05, "offline": 0.05, "lost_ack": 0.05}},
    "coupons": [{"code": "C1", "threshold_fen": 1000, "off_fen": 300, "budget_fen": 9000, "per_user": 2}],
    "crm": {"leads": 30, "bds": 2},
}


@pytest.fixture(scope="module")
def busy(town):
    scenario, city = town(BUSY)
    trace = build_trace(scenario, city)
    return scenario, city, trace, simulate(scenario, city, trace)


def test_every_table_is_there_and_valid(busy):
    run = busy[3]
    assert set(run.tables) == set(TABLES)
    for name, table in run.tables.items():
        assert table.schema.equals(TABLES[name]), name
        table.validate(full=True)
        nulls = [field.name for field in table.schema if not field.nullable and table[field.name].null_count]
        assert not nulls, name


def test_the_audit_finds_nothing(busy):
    scenario, _, trace, run = busy
    assert len(trace) > 300
    broken = [verdict for verdict in audit(run.tables, scenario, horizon_s=run.horizon_s) if not verdict.ok]
    assert not broken
    states = set(run.tables["tickets"]["state"].to_pylist())
    assert {"printed", "unconfirmed"} <= states


def test_same_seed_same_tables_another_seed_others(busy, town):
    scenario, city, trace, run = busy
    again = simulate(scenario, city, trace)
    assert tables_hash(again.tables) == tables_hash(run.tables)
    assert again.events == run.events
    other_scenario, other_city = town({**BUSY, "seed": 12})
    other = simulate(other_scenario, other_city, build_trace(other_scenario, other_city))
    assert tables_hash(other.tables) != tables_hash(run.tables)


def test_another_process_with_another_hash_salt_gets_the_same_tables(busy, tmp_path):
    scenario, city, trace, run = busy
    (tmp_path / "run.pickle").write_bytes(pickle.dumps((scenario, city, trace)))
    code = (
        "import pickle, sys\n"
        "from o2o_results.hashes import tables_hash\n"
        "from o2o_sim.world import simulate\n"
        "print(tables_hash(simulate(*pickle.load(open(sys.argv[1], 'rb'))).tables))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "run.pickle")],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == tables_hash(run.tables)


def test_no_intents_no_orders(town, intents):
    scenario, city = town()
    run = simulate(scenario, city, intents(city))
    assert run.tables["orders"].num_rows == 0
    assert run.tables["riders"].num_rows == len(city.riders)
    assert not [verdict for verdict in audit(run.tables, scenario, horizon_s=run.horizon_s) if not verdict.ok]


def test_conservation(busy):
    _, city, trace, run = busy
    orders = run.tables["orders"]
    assert orders["order_id"].to_pylist() == list(range(len(trace)))
    assert sum(run.tables["ledger"]["amount_fen"].to_pylist()) == 0
    delivered = sum(state == "delivered" for state in orders["state"].to_pylist())
    assert delivered == sum(run.tables["riders"]["orders"].to_pylist()) > 0
    accepted = sum(mark is not None for mark in orders["cooking"].to_pylist())
    assert accepted == sum(run.tables["merchants"]["orders"].to_pylist())
    leads = run.tables["leads"].to_pylist()
    assert sum(lead["visits"] for lead in leads) == run.tables["visits"].num_rows > 0
    assert sum(lead["stage"] == "signed" for lead in leads) == sum(run.tables["visits"]["signed"].to_pylist())
    samples = run.tables["samples"].to_pylist()
    arrivals = sum(sample["value"] for sample in samples if sample["metric"] == "arrivals")
    assert arrivals == len(trace)
    last = {sample["metric"]: sample["value"] for sample in samples}
    ended = orders["terminal"].to_pylist()
    assert last["in_flight"] == ended.count(False)
    assert last["riders_online"] == len(city.riders)


def test_speed_compresses_the_city_and_not_the_platform(play, row):
    slow, fast = play({"intended_s": 100.0}), play({"intended_s": 100.0}, clock={"speed": 10})
    assert fast.horizon_s == slow.horizon_s / 10
    one, ten = row(slow, "orders"), row(fast, "orders")
    assert ten["intended"] == one["intended"] / 10
    assert ten["printed"] - ten["intended"] == pytest.approx(one["printed"] - one["intended"], abs=1e-9)
    assert ten["ready"] - ten["cooking"] == pytest.approx((one["ready"] - one["cooking"]) / 10, abs=0.05)
    assert ten["delivered"] - ten["picked_up"] == pytest.approx((one["delivered"] - one["picked_up"]) / 10, abs=0.05)


def test_what_is_open_at_the_horizon_stays_open(play, row):
    run = play({}, {"intended_s": 100.0}, clock={"drain_s": 0, "duration_s": 200})
    order = row(run, "orders")
    assert (order["state"], order["terminal"], order["closed"]) == ("cooking", False, None)
    assert row(run, "merchants")["busy_s"] == pytest.approx(
        200 - order["cooking"] + 200 - row(run, "orders", 1)["cooking"]
    )


def test_an_interrupted_run_says_what_was_not_sent(town, intents):
    scenario, city = town()
    asked = []

    def stop() -> bool:
        asked.append(True)
        return len(asked) > 5

    run = simulate(scenario, city, intents(city, {}, {"intended_s": 599.0}), stop=stop)
    assert run.interrupted
    assert run.horizon_s < 599
    assert [order["state"] for order in run.tables["orders"].to_pylist()][1] == "not_sent"
    assert not [verdict for verdict in audit(run.tables, scenario, horizon_s=run.horizon_s) if not verdict.ok]


def test_progress_rises_to_one(town, intents):
    scenario, city = town()
    told: list[float] = []
    simulate(scenario, city, intents(city, {}), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0


def test_the_decision_log_changes_nothing_and_replays_to_the_same_decisions(busy):
    scenario, city, trace, run = busy
    logged = simulate(scenario, city, trace, decisions=True)
    decisions = logged.tables["decisions"].to_pylist()
    rules = {decision["rule"] for decision in decisions}
    assert {
        *("pricing.price", "coupons.eligible", "orders.step", "dispatch.choose_rider"),
        *("tickets.after_failure", "payments.on_callback", "pools.claim", "stock.reserve"),
    } <= rules
    assert [decision["seq"] for decision in decisions] == list(range(len(decisions)))
    steps = [decision for decision in decisions if decision["rule"] == "orders.step"]
    assert steps[0]["output"] == to_json("paid")
    changed = [
        decision
        for decision in decisions
        if replay(Decision(decision["rule"], decision["input"], decision["output"])).output != decision["output"]
    ]
    assert not changed
    without = {name: table for name, table in logged.tables.items() if name != "decisions"}
    assert tables_hash(without) == tables_hash({name: run.tables[name] for name in without})


def test_policies_meet_the_same_demand_and_payments(town):
    calm = {"demand": {"orders_per_hour": 200}, "clock": {"duration_s": 5400}, "city": {"riders": {"count": 60}}}
    scenario, city = town(calm)
    trace = build_trace(scenario, city)
    run = simulate(scenario, city, trace)
    variant = scenario.model_copy(update={"dispatch": DispatchSpec(rule="least_loaded")})
    other = simulate(variant, city, trace)
    for mark in ("sent", "accepted", "paid", "committed", "published"):
        # Riders' requests queue for the same workers, so marks may differ by a few service times, but no more.
        pairs = zip(run.tables["orders"][mark].to_pylist(), other.tables["orders"][mark].to_pylist(), strict=True)
        assert all((a is None) == (b is None) and (a is None or abs(a - b) < 0.2) for a, b in pairs), mark
    assert run.tables["orders"]["rider_id"].to_pylist() != other.tables["orders"]["rider_id"].to_pylist()
