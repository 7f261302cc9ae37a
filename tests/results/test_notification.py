"""Figures of notification from tables written by hand, and the audit's promises about slips (A14)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from o2o_results.audit import ALL, audit
from o2o_results.notification import notification
from o2o_results.report.page import report_html
from o2o_results.run import as_table, empty
from o2o_results.summary import summarise
from o2o_results.tables import TABLES
from o2o_scenarios.schema import Scenario

RICE, SOUP = ("米饭", 2), ("酸辣汤", 1)


def scenario(age: str, **staff: Any) -> Scenario:
    return Scenario.model_validate(
        {"name": "ages", "printing": {"age": age, "staff": staff}, "slo": {"promise_min": 45}}
    )


def row_of(table: str, **values: Any) -> dict[str, Any]:
    kinds = {"int": 0, "double": 0.0, "string": "", "bool": False, "list": []}
    blank = {
        field.name: None
        if field.nullable
        else next(value for kind, value in kinds.items() if str(field.type).startswith(kind))
        for field in TABLES[table]
    }
    return blank | values


def lines(*dishes: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"name": name, "qty": qty} for name, qty in dishes]


def order(
    number: int, *, printed: float | None, cooking: float | None, delivered: float | None = None
) -> dict[str, Any]:
    items = [{"dish_id": 0, "name": name, "qty": qty, "unit_fen": 100} for name, qty in (RICE, SOUP)]
    return row_of(
        "orders",
        order_id=number,
        kind="order",
        order_no=f"{number:08d}",
        state="cooking",
        items=items,
        paid=10.0,
        printed=printed,
        cooking=cooking,
        delivered=delivered,
    )


def ticket(number: int, state: str, printed: float | None, escalation: str | None = None) -> dict[str, Any]:
    values = {"ticket_id": number, "order_id": number, "copy_no": 1, "state": state, "printed": printed}
    return row_of("tickets", **values, escalation=escalation, queued=10.0, attempts=1)


def note(number: int, known: float, slip: list[dict[str, Any]] | None, **values: Any) -> dict[str, Any]:
    base = {"order_id": number, "age": "app", "told": 11.0, "noticed": 20.0, "known": known, "slip": slip}
    return row_of("notifications", **base | values)


@pytest.fixture
def by_app() -> dict[str, Any]:
    """Four orders: right, wrong dish, a line missed and late, lost until somebody asked."""
    rows = {
        "orders": [
            order(0, printed=60.0, cooking=60.5),
            order(1, printed=70.0, cooking=70.5),
            order(2, printed=80.0, cooking=80.5, delivered=47 * 60.0),
            order(3, printed=None, cooking=1510.0),
        ],
        "tickets": [
            *(ticket(number, "printed", at) for number, at in ((0, 60.0), (1, 70.0), (2, 80.0))),
            ticket(3, "unconfirmed", None, "phone"),
        ],
        "notifications": [
            note(0, 60.0, lines(SOUP, RICE), staff_s=30.0),
            note(1, 70.0, lines(RICE, ("蛋炒饭", 1)), staff_s=50.0),
            note(2, 80.0, lines(RICE), staff_s=40.0),
            note(3, 1510.0, None, staff_s=40.0),
        ],
    }
    return {name: as_table(name, content) for name, content in rows.items()}


def test_figures_are_counted_from_what_the_kitchen_got(by_app: dict[str, Any]) -> None:
    found = notification(by_app, scenario("app", late_fen_per_min=50), speed=1.0)
    assert (found.orders, found.papers, found.wrong, found.missed, found.escalated) == (4, 3, 2, 1, 1)
    assert found.errors == {"wrong_dish": 1, "missed_line": 1}
    assert (found.known.p50_s, found.known.max_s) == (60.0, 1500.0)
    assert (found.staff_s, found.caller_s) == (40.0, 0.0)
    assert found.late_fen == pytest.approx(2 * 50 / 4)  # 47 minutes, 45 promised
    assert found.metrics()["wrong_order_share"] == pytest.approx(2 / 3)


def test_paper_of_a_printer_is_held_against_the_order_in_the_same_way(by_app: dict[str, Any]) -> None:
    receipt = {"copy_no": 1, "complete": True, "order_no": "00000000"}
    papers = [
        row_of("receipts", **receipt, lines=lines(RICE, SOUP)),
        row_of("receipts", **receipt | {"receipt_id": 1, "order_no": "00000001"}, lines=lines(("米饭", 3), SOUP)),
    ]
    tables = by_app | {"receipts": as_table("receipts", papers), "notifications": empty("notifications")}
    found = notification(tables, scenario("cloud"), speed=1.0)
    assert (found.papers, found.wrong, found.missed) == (2, 1, 2)
    assert found.errors == {"wrong_quantity": 1}
    assert (found.staff_s, found.caller_s) == (0.0, 0.0)


def test_figures_have_stable_names_in_the_summary(by_app: dict[str, Any]) -> None:
    found = summarise(by_app, scenario("app"))
    assert found.metrics()["staff_s_per_order"] == 40.0
    assert found.to_json()["notification"]["wrong_share"] == pytest.approx(2 / 3)
    assert summarise({}, scenario("app")).to_json()["metrics"]["wrong_order_share"] is None


def judged(tables: dict[str, Any], age: str) -> dict[str, Any]:
    promises = [
        promise for promise in ALL if promise.name.startswith("slips.") or promise.name == "receipts.one_per_ticket"
    ]
    return {verdict.name: verdict for verdict in audit(tables, scenario(age), horizon_s=1e4, promises=promises)}


def test_wrong_and_lost_slips_break_no_promise(by_app: dict[str, Any]) -> None:
    found = judged(by_app, "app")
    assert all(verdict.ok for verdict in found.values())
    assert found["slips.one_per_ticket"].checked == 4
    assert "1 slips never reached" in found["slips.one_per_ticket"].detail


def test_where_a_machine_prints_a_slip_is_no_paper(by_app: dict[str, Any]) -> None:
    found = judged(by_app, "cloud")
    assert found["receipts.one_per_ticket"].violations == 3  # printed, and nothing came out of a printer
    assert found["slips.only_by_hand"].violations == 3 + 4  # slips, and notes of another age


@pytest.mark.parametrize(
    ("promise", "change"),
    [
        ("slips.one_per_ticket", lambda rows: rows[0].update(slip=None)),
        ("slips.one_per_ticket", lambda rows: rows[3].update(slip=lines(RICE))),
        ("slips.one_per_ticket", lambda rows: rows[0].update(known=61.0)),
        ("slips.only_by_hand", lambda rows: rows[0].update(age="phone")),
        ("slips.notes_sound", lambda rows: rows.append(rows[0])),
        ("slips.notes_sound", lambda rows: rows[0].update(order_id=99)),
        ("slips.notes_sound", lambda rows: rows[0].update(merchant_id=5)),
        ("slips.notes_sound", lambda rows: rows[0].update(staff_s=-1.0)),
        ("slips.notes_sound", lambda rows: rows[0].update(told=9.0)),
        ("slips.notes_sound", lambda rows: rows[0].update(noticed=61.0)),
    ],
)
def test_a_planted_violation_is_found(
    by_app: dict[str, Any], promise: str, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    rows = by_app["notifications"].to_pylist()
    change(rows)
    assert not judged(by_app | {"notifications": as_table("notifications", rows)}, "app")[promise].ok


def test_the_report_tells_of_people_where_there_were_any(fake: Any, lunch: Any, tmp_path: Any) -> None:
    """The same orders: a lunch whose slips are what the receipts say, but for one."""
    slips = [
        note(row["order_id"], row["printed"], [{"name": line["name"], "qty": line["qty"]} for line in row["items"]])
        | {"merchant_id": row["merchant_id"], "staff_s": 40.0}
        for row in lunch["orders"].to_pylist()
        if row["kind"] == "order" and row["printed"] is not None
    ]
    slips[0]["slip"] = slips[0]["slip"] + lines(("没点过的菜", 1))
    tables = lunch | {"notifications": as_table("notifications", slips), "receipts": empty("receipts")}
    by_hand = fake.write_run(tmp_path / "hand", tables, printing={"age": "app"})
    html = report_html([by_hand, fake.write_run(tmp_path / "cloud", lunch)])
    assert 'id="ages"' in html
    assert html.count("cloud printer</td>") == 1
    assert "1 wrong dish" in html
    assert "40.0 s" in html
    alone = report_html([fake.write_run(tmp_path / "alone", lunch)])
    assert 'id="ages"' not in alone
