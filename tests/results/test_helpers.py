"""S11: outages of helpers, counted from the tables, promised by the audit and shown in the report."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from o2o_results.audit import ALL, audit
from o2o_results.outages import Outage, Spell, planned, spells, tally
from o2o_results.report.page import report_html
from o2o_results.run import as_table

Tables = dict[str, pa.Table]
Rows = list[dict[str, Any]]

PLATFORM = {
    "helpers": ["risk", "recommendation"],
    "helper_faults": [
        {"helper": "recommendation", "kill_s": 1000, "back_s": 3000},
        {"helper": "risk", "kill_s": 3000, "back_s": 5000},
    ],
}


def change(helper: str, at: float, before: str, after: str, reason: str = "because") -> dict[str, Any]:
    return {"process": "p", "helper": helper, "at": at, "from_state": before, "to_state": after, "reason": reason}


def outage_rows(helper: str, begin: float, end: float) -> Rows:
    """Opened soon, tried in vain, tried again after the return, closed."""
    return [
        change(helper, begin + 3.0, "closed", "open"),
        change(helper, begin + 8.0, "open", "half_open"),
        change(helper, begin + 8.0, "half_open", "open"),
        change(helper, end + 2.0, "open", "half_open"),
        change(helper, end + 3.0, "half_open", "closed"),
    ]


ROWS = [*outage_rows("recommendation", 1000.0, 3000.0), *outage_rows("risk", 3000.0, 5000.0)]


@pytest.fixture
def tables(lunch: Tables) -> Tables:
    return lunch | {"breakers": as_table("breakers", ROWS)}


def verdicts(tables: Tables, fake: Any) -> dict[str, Any]:
    promises = [promise for promise in ALL if promise.name.startswith("helpers.")]
    plan = fake.scenario(platform=PLATFORM)
    return {v.name: v for v in audit(tables, plan, horizon_s=14_400.0, promises=promises)}


def in_outage(tables: Tables, begin: float, end: float) -> list[int]:
    rows = tables["orders"].to_pylist()
    return [row["order_id"] for row in rows if row["kind"] == "order" and begin <= row["intended"] < end]


def with_orders(tables: Tables, edit: Callable[[dict[str, Any]], None]) -> Tables:
    rows = tables["orders"].to_pylist()
    for row in rows:
        edit(row)
    return tables | {"orders": as_table("orders", rows)}


def test_outages_are_the_scenarios_in_run_seconds(fake: Any) -> None:
    plan = fake.scenario(platform=PLATFORM, clock={"speed": 10.0})
    assert planned(plan) == [Outage("recommendation", 100.0, 300.0), Outage("risk", 300.0, 500.0)]


def test_a_spell_lasts_until_the_breaker_is_closed_again() -> None:
    rows = [*ROWS, change("risk", 6000.0, "closed", "open")]
    assert spells(as_table("breakers", rows)) == [
        Spell("p", "recommendation", 1003.0, 3003.0, 2),
        Spell("p", "risk", 3003.0, 5003.0, 2),
        Spell("p", "risk", 6000.0, math.inf, 0),
    ]


def test_a_clean_run_keeps_the_promises_and_says_how_many_orders_it_looked_at(tables: Tables, fake: Any) -> None:
    found = verdicts(tables, fake)
    assert all(verdict.ok for verdict in found.values())
    assert all(verdict.checked for verdict in found.values())
    number = len(in_outage(tables, 1000.0, 3000.0))
    assert number > 40
    assert f"recommendation: 100.00% of {number} orders in its outage" in found["helpers.orders_go_on"].detail


def test_orders_that_nobody_answered_break_the_promise(tables: Tables, fake: Any) -> None:
    victim = in_outage(tables, 1000.0, 3000.0)[7]

    def lose(row: dict[str, Any]) -> None:
        if row["order_id"] == victim:
            row.update(state="lost", accepted=None)

    bad = with_orders(tables, lose)
    verdict = verdicts(bad, fake)["helpers.orders_go_on"]
    assert (verdict.ok, verdict.violations) == (False, 1)
    assert verdict.examples == (f"order {victim}: no answer while recommendation was dead",)
    found = tally(bad["orders"], Outage("recommendation", 1000.0, 3000.0))
    assert found.success == 1 - 1 / found.orders
    assert found.unanswered == (victim,)


def test_an_order_denied_by_a_dead_helper_breaks_it_and_other_refusals_do_not(tables: Tables, fake: Any) -> None:
    victims = in_outage(tables, 3001.0, 5000.0)
    reasons = {victims[3]: "sold_out", victims[9]: "risk_denied", in_outage(tables, 1000.0, 3000.0)[3]: "risk_denied"}

    def refuse(row: dict[str, Any]) -> None:
        if row["order_id"] in reasons:
            row.update(state="refused", reason=reasons[row["order_id"]])

    verdict = verdicts(with_orders(tables, refuse), fake)["helpers.orders_go_on"]
    assert verdict.examples == (f"order {victims[9]}: denied by risk, which was dead",)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([change("risk", 1.0, "open", "half_open")], "leaves open, but was closed"),
        ([change("risk", 1.0, "closed", "half_open")], "from closed to half_open"),
        ([change("risk", 1.0, "closed", "open"), change("risk", 9.0, "open", "closed")], "from open to closed"),
        ([change("risk", 1.0, "closed", "open"), change("risk", 3.0, "open", "half_open")], "2.000 s after it opened"),
    ],
)
def test_a_breaker_that_does_not_follow_its_table_is_caught(lunch: Tables, fake: Any, rows: Rows, told: str) -> None:
    verdict = verdicts(lunch | {"breakers": as_table("breakers", rows)}, fake)["helpers.changes_legal"]
    assert (verdict.ok, verdict.violations) == (False, 1)
    assert told in verdict.examples[0]


def test_an_outage_without_a_sign_of_it_is_caught(tables: Tables, fake: Any) -> None:
    only = [row for row in ROWS if row["helper"] == "recommendation"]
    verdict = verdicts(tables | {"breakers": as_table("breakers", only)}, fake)["helpers.outages_seen"]
    assert verdict.examples == ("risk died at 3000.0 s and its breaker did not open",)
    never = [row for row in ROWS if row["to_state"] != "closed" or row["helper"] == "recommendation"]
    verdict = verdicts(tables | {"breakers": as_table("breakers", never)}, fake)["helpers.outages_seen"]
    assert verdict.examples == ("risk was back at 5000.0 s and its breaker did not close",)


def test_a_run_without_helpers_has_nothing_to_check(lunch: Tables, fake: Any) -> None:
    found = audit(lunch, fake.scenario(), horizon_s=14_400.0)
    assert [v.checked for v in found if v.name.startswith("helpers.")] == [0, 0, 0]


def test_the_report_shows_states_over_time_and_what_became_of_orders(fake: Any, tables: Tables, tmp_path: Path) -> None:
    html = report_html([fake.write_run(tmp_path, tables, platform=PLATFORM)])
    assert "<h2>Helpers</h2>" in html
    assert 'data-chart="helpers"' in html
    assert "recommendation" in html
    number = len(in_outage(tables, 1000.0, 3000.0))
    assert f'<td class="n">{number}</td><td class="n">100 %</td>' in html


def test_the_report_of_a_run_without_helpers_has_no_such_section(fake: Any, lunch: Tables, tmp_path: Path) -> None:
    html = report_html([fake.write_run(tmp_path, lunch)])
    assert "<h2>Helpers</h2>" not in html
