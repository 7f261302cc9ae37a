"""The third age live: merchants' apps hear of tickets by their feeds, staff tap, attached printers print (A14)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from o2o_cli.errors import UsageError
from o2o_cli.jobs import world
from o2o_cli.jobs.live import compressed, run_load
from o2o_results.run import RunReader
from o2o_results.summary import summary_of
from o2o_scenarios.schema import Scenario
from o2o_sim.world import simulate


@pytest.fixture(scope="module")
def plan(small: Scenario) -> Scenario:
    """The small scenario in the age of apps with printers."""
    scenario = small.model_copy(update={"printing": small.printing.model_copy(update={"age": "app_printer"})})
    return compressed(scenario, speed=None, duration_s=None, drain_s=None)


@pytest.fixture(scope="module")
def built(plan: Scenario) -> Any:
    return world.build(plan, quiet=True)


@pytest.fixture(scope="module")
def run(plan: Scenario, built: Any, tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    """Played live."""
    return run_load(plan, built=built, out=tmp_path_factory.mktemp("ages") / "run", quiet=True)


def test_it_keeps_every_promise_though_printers_fail(run: RunReader) -> None:
    assert (run.manifest.world, run.manifest.status) == ("live", "finished")
    assert [verdict for verdict in run.manifest.verdicts if not verdict.ok] == []
    states = Counter(row["state"] for row in run.table("tickets").to_pylist())
    assert set(states) <= {"printed", "unconfirmed", "failed"}
    assert states["printed"] > 40
    assert states["unconfirmed"] > 0  # lost answers
    assert any(row["kind"] == "lost_ack" for row in run.table("printer_faults").to_pylist())


def test_somebody_tapped_for_every_ticket(run: RunReader) -> None:
    notes = {row["order_id"]: row for row in run.table("notifications").to_pylist()}
    tickets = run.table("tickets").to_pylist()
    assert set(notes) == {row["order_id"] for row in tickets}
    for ticket in tickets:
        note = notes[ticket["order_id"]]
        assert (note["age"], note["slip"], note["caller_s"]) == ("app_printer", None, 0.0)
        if ticket["state"] == "printed":
            assert note["attempts"] == 1
            assert note["staff_s"] > 3.0
            assert note["told"] <= note["noticed"] <= note["known"]
    assert {row["name"] for row in run.table("requests").to_pylist()} >= {
        "GET /merchants/{id}/tickets/next",
        "POST /merchants/{id}/tickets/{token}/fetch",
        "POST /merchants/{id}/tickets/{token}/result",
    }


def test_paper_is_right_and_comes_once(run: RunReader) -> None:
    found = summary_of(run).notification
    assert found.papers > 40
    assert found.wrong == 0
    whole = Counter(row["order_no"] for row in run.table("receipts").to_pylist() if row["complete"])
    assert set(whole.values()) == {1}


def test_the_model_tells_the_same_of_the_same_people(run: RunReader, plan: Scenario, built: Any) -> None:
    """Same luck, same orders: what staff did for an order that met no fault is the same work in both worlds."""
    live = {row["order_id"]: row for row in run.table("notifications").to_pylist()}
    model = {row["order_id"]: row for row in simulate(plan, *built).tables["notifications"].to_pylist()}
    both = sorted(set(live) & set(model))
    assert len(both) > 0.9 * len(model)
    alone = {3.0, 0.0}
    same = 0
    for order_id in both:
        a, b = live[order_id]["staff_s"], model[order_id]["staff_s"]
        same += any(abs(abs(a - b) - opened) < 1e-6 for opened in alone)  # who looks first opens the app for the next
    assert same > 0.6 * len(both)


@pytest.mark.parametrize("age", ["phone", "app"])
def test_people_who_write_are_in_the_model_only(small: Scenario, age: str, tmp_path: Any) -> None:
    scenario = small.model_copy(update={"printing": small.printing.model_copy(update={"age": age})})
    with pytest.raises(UsageError, match=f"printing.age {age}: .* printing.age=cloud"):
        run_load(scenario, built=world.build(scenario, quiet=True), out=tmp_path / "run", quiet=True)
    assert not (tmp_path / "run").exists()
