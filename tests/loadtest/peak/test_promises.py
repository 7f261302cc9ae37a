"""Promises of a peak: each finds the violation that is planted, and nothing in a clean run."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from o2o_domain.ledger import paid
from o2o_domain.pricing import Quote
from o2o_loadtest.peak.gather import Sides, tables
from o2o_loadtest.peak.promises import promises, unconfirmed
from o2o_results.audit import audit
from o2o_results.run import as_table

EPOCH = 1_000_000.0


def order(number: int) -> dict[str, Any]:
    marks = {"accepted": 0.1, "paid": 0.2, "committed": 0.2, "published": 0.3}
    return {
        "order_id": 500 + number, "order_ref": f"k{number}", "order_no": f"A{number}", "kind": "order",
        "user_id": 9, "user_ref": "u", "segment": None, "merchant_id": 3, "rider_id": None, "rider_ref": None,
        "state": "paid", "terminal": False, "reason": None, "items_fen": 1000, "discount_fen": 0,
        "delivery_fee_fen": 300, "total_fen": 1300, "paid_fen": 1300, "refunded_fen": 0, "coupon_code": None,
        "coupon_refused": None, "drop_lat": 30.0, "drop_lng": 120.0, "stars": 0,
        **{mark: EPOCH + number + at for mark, at in marks.items()},
        **dict.fromkeys(("cooking", "ready", "picked_up", "delivered", "assigned", "closed", "promised"), None),
        **dict.fromkeys(("claimed", "rendered", "delivered_to_printer", "printed"), EPOCH + number + 0.4),
        "items": [{"dish_id": 4, "dish_ref": "x", "name": "面", "qty": 1, "unit_fen": 1000}],
    }  # fmt: skip


def sides(orders: int = 3) -> Sides:
    """A clean run."""
    numbers = range(orders)
    users = [
        {
            "n": n, "key": f"k{n}", "user_id": 9, "merchant_id": 3, "intended": n + 0.0, "sent": n + 0.01,
            "outcome": "placed", "paid": n + 0.15,
            "answer": {"order_id": 500 + n, "order_no": f"A{n}", "total_fen": 1300, "payment": {"payment_id": 700 + n}},
        }
        for n in numbers
    ]  # fmt: skip
    tickets = [
        {
            "ticket_id": 800 + n, "order_id": 500 + n, "merchant_id": 3, "printer_id": 3, "copy_no": 1,
            "state": "printed", "code": None, "attempts": 1, "queued": EPOCH + n + 0.2, "escalation": None,
            **dict.fromkeys(("claimed", "rendered", "delivered_to_printer", "printed"), EPOCH + n + 0.4),
        }
        for n in numbers
    ]  # fmt: skip
    payments = [
        {
            "payment_id": 700 + n, "order_id": 500 + n, "amount_fen": 1300, "state": "paid", "method": "provider",
            "requested": EPOCH + n + 0.1, "confirmed": EPOCH + n + 0.15, "callback": EPOCH + n + 0.2,
        }
        for n in numbers
    ]  # fmt: skip
    charges = [
        {"payment_id": 700 + n, "state": "ok", "amount_fen": 1300, "charged_fen": 1300, "refunded_fen": 0}
        for n in numbers
    ]
    papers = [
        {
            "printer_id": 3, "printed": EPOCH + n + 0.4, "order_no": f"A{n}", "copy_no": 1, "complete": True,
            "lines": [{"name": "面", "qty": 1}], "total_fen": 1300, "length_mm": 90.0, "text": "",
        }
        for n in numbers
    ]  # fmt: skip
    requests = [
        {
            "order_id": n, "actor": "user", "name": "POST /orders", "intended": n + 0.0, "sent": n + 0.01,
            "ended": n + 0.1, "status": 201, "ok": True, "error": None,
        }
        for n in numbers
    ]  # fmt: skip
    quote = Quote(items_fen=1000, discount_fen=0, delivery_fee_fen=300, total_fen=1300)
    postings = paid(quote, merchant_id=3, commission_share=0.1)
    ledger = [
        {"entry_id": len(postings) * n + side, "txn_id": n, "order_id": 500 + n, "at": EPOCH + n + 0.2,
         "reason": "paid", "account": posting.account, "amount_fen": posting.amount_fen}
        for n in numbers
        for side, posting in enumerate(postings)
    ]  # fmt: skip
    stock = [
        {"dish_id": 4, "merchant_id": 3, "initial": 50, "reserved": orders, "returned": 0, "level": 50 - orders,
         "min_level": 50 - orders}
    ]  # fmt: skip
    platform = {
        "orders": [order(n) for n in numbers],
        "tickets": tickets,
        "payments": payments,
        "ledger": ledger,
        "stock": stock,
        "coupons": [],
        "refunds": [],
        "reconciliations": [],
    }
    return Sides(EPOCH, users, requests, platform, charges, papers)


def broken(plant: Callable[[Sides], object]) -> set[str]:
    """Names of the promises that are broken once this is planted."""
    one = copy.deepcopy(sides())
    plant(one)
    again = Sides(one.epoch, one.users, one.requests, one.platform, one.charges, one.papers)
    return {verdict.name for verdict in promises(again) if not verdict.ok}


def test_a_clean_run_breaks_nothing() -> None:
    told = promises(sides())
    assert [verdict.violations for verdict in told] == [0] * len(told)
    assert all(verdict.checked for verdict in told)


def test_a_clean_runs_tables_are_run_tables_and_pass_the_audit() -> None:
    made = tables(sides())
    for name, table in made.items():
        assert as_table(name, table).equals(table)
    assert made["orders"].column("order_id").to_pylist() == [0, 1, 2]
    assert made["orders"].column("paid").to_pylist() == pytest.approx([0.2, 1.2, 2.2])
    assert made["tickets"].column("order_id").to_pylist() == [0, 1, 2]
    failed = [verdict for verdict in audit(made, live=True, horizon_s=10.0) if not verdict.ok]
    assert not failed, failed


@pytest.mark.parametrize(
    ("promise", "plant"),
    [
        ("peak.acknowledged_kept", lambda s: s.platform["orders"].pop()),
        ("peak.acknowledged_kept", lambda s: s.platform["orders"][0].update(user_id=8)),
        ("peak.one_order_per_key", lambda s: s.platform["orders"].append({**order(0), "order_id": 999})),
        ("peak.told_the_truth", lambda s: s.users[1]["answer"].update(total_fen=1)),
        ("peak.told_the_truth", lambda s: s.users[1].update(outcome="refused")),
        ("peak.nothing_paid_and_unordered", lambda s: s.platform["payments"][2].update(state="requested")),
        ("peak.nothing_paid_and_unordered", lambda s: s.platform["payments"].pop()),
        ("peak.paid_orders", lambda s: s.charges.pop()),
        ("peak.paid_orders", lambda s: s.platform["orders"][1].update(paid=None)),
        ("peak.no_first_copy_twice", lambda s: s.papers.append(s.papers[0])),
        ("peak.no_ticket_open", lambda s: s.platform["tickets"][0].update(state="claimed")),
    ],
)  # fmt: skip
def test_what_is_planted_is_found(promise: str, plant: Callable[[Sides], object]) -> None:
    assert promise in broken(plant)


def test_money_that_went_back_and_waste_paper_are_no_violations() -> None:
    def plant(one: Sides) -> None:
        one.platform["orders"][0].update(paid=None, state="closed")
        one.platform["payments"][0].update(state="refunded")
        one.charges[0].update(refunded_fen=1300)
        one.papers.append({**one.papers[1], "complete": False})
        one.users[2].update(outcome="lost", answer=None, paid=None)  # ordered, and the user never heard of it

    assert broken(plant) == set()


def test_an_order_that_nobody_has_is_lost_or_refused() -> None:
    one = sides()
    del one.platform["orders"][1:], one.platform["tickets"][1:], one.platform["payments"][1:]
    one.users[1].update(outcome="lost", answer=None, paid=None)
    one.users[2].update(outcome="refused", answer={"error": {"code": "sold_out"}}, paid=None)
    again = Sides(EPOCH, one.users, one.requests, one.platform, [], one.papers[:1])
    told = tables(again)["orders"].to_pylist()
    assert [(row["state"], row["reason"]) for row in told] == [("paid", None), ("lost", None), ("refused", "sold_out")]


def test_unconfirmed_tickets_are_listed_with_what_the_paper_says() -> None:
    one = sides()
    for number in (0, 1):
        one.platform["tickets"][number].update(state="unconfirmed", code="no_answer", escalation="app")
    one.papers.pop(0)
    told = unconfirmed(one)
    assert [(row["order_no"], row["on_paper"], row["escalation"]) for row in told] == [
        ("A0", 0, "app"),
        ("A1", 1, "app"),
    ]
