"""The audit passes a clean run, and each promise fails when its violation is planted (A6, A9, A13, A14, C1, C6-C8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest

from o2o_results.audit import ALL, audit, clean
from o2o_results.run import as_table

Tables = dict[str, pa.Table]
Rows = list[dict[str, Any]]
HORIZON = 14_400.0
ELSEWHERE = {promise.name for promise in ALL if promise.name.startswith(("helpers.", "printers.", "slips."))}
"""Promises that need a scenario of their own (test_helpers, test_printers, test_notification)."""


SETTLED_0 = "merchant_settled:0"


def verdicts(tables: Tables, fake: Any, only: str | None = None, **changes: Any) -> dict[str, Any]:
    """Verdicts by name; of one promise, or of all."""
    plan = fake.scenario(**changes)
    horizon = 90 * fake.DAY if plan.kind == "pools" else HORIZON
    promises = [promise for promise in ALL if only in (None, promise.name)]
    return {v.name: v for v in audit(tables, plan, horizon_s=horizon, promises=promises)}


def broken(found: dict[str, Any]) -> set[str]:
    return {name for name, verdict in found.items() if not verdict.ok}


def edited(tables: Tables, name: str, edit: Callable[[Rows], Rows | None]) -> Tables:
    """A copy of the tables in which `edit` changed the rows of one table."""
    rows = tables[name].to_pylist()
    rows = edit(rows) or rows
    return tables | {name: as_table(name, rows)}


def first(rows: Rows, **where: Any) -> dict[str, Any]:
    return next(row for row in rows if all(row[key] == value for key, value in where.items()))


def put(key: str, value: Any, **where: Any) -> Callable[[Rows], None]:
    """Set `key` of the first row that is as `where` says; a callable value gets the row."""

    def edit(rows: Rows) -> None:
        row = first(rows, **where)
        row[key] = value(row) if callable(value) else value

    return edit


def drop(**where: Any) -> Callable[[Rows], Rows]:
    return lambda rows: [row for row in rows if row is not first(rows, **where)]


def twice(changes: dict[str, Any] | None = None, **where: Any) -> Callable[[Rows], Rows]:
    return lambda rows: [*rows, first(rows, **where) | (changes or {})]


def swap_riders(rows: Rows) -> None:
    """Give one rider's second order to him while he still carries the first."""
    mine: dict[int, Rows] = {}
    for row in sorted((r for r in rows if r["rider_id"] is not None), key=lambda r: r["assigned"]):
        mine.setdefault(row["rider_id"], []).append(row)
    one, two = next(orders[:2] for orders in mine.values() if len(orders) > 1)
    two["assigned"] = (one["assigned"] + one["delivered"]) / 2


def late_and_silent(rows: Rows) -> None:
    row = first(rows, state="printed")
    row.update(state="queued", printed=None, escalation=None, attempts=0)


PLANTED: list[tuple[str, str, Callable[[Rows], Rows | None]]] = [
    ("orders.one_row", "orders", twice(order_id=20)),
    ("orders.one_row", "orders", drop(order_id=20)),
    ("orders.numbers_unique", "orders", put("order_no", "T000021", order_id=20)),
    ("orders.legal_state", "orders", put("state", "redeemed", kind="order", state="delivered")),
    ("orders.legal_state", "orders", put("state", "vanished", state="delivered")),
    ("orders.ended", "orders", put("terminal", False, state="delivered")),
    ("orders.ended", "orders", put("state", "cooking", state="delivered")),
    ("orders.marks_monotone", "orders", put("rendered", lambda r: r["claimed"] - 0.5, state="delivered")),
    ("orders.marks_monotone", "orders", put("ready", lambda r: r["delivered"] + 1, state="delivered")),
    ("orders.state_has_marks", "orders", put("picked_up", None, state="delivered")),
    ("orders.state_has_marks", "orders", put("delivered", None, state="delivered")),
    ("orders.state_has_marks", "orders", put("paid", 7000.0, state="payment_failed")),
    ("tickets.one_first_copy", "tickets", drop(state="printed")),
    ("tickets.one_first_copy", "tickets", twice({"ticket_id": 99_999}, state="printed")),
    ("tickets.none_unpaid", "tickets", put("order_id", 399_999, state="printed")),
    ("tickets.none_unpaid", "orders", put("paid", None, state="delivered")),
    ("tickets.on_paper_or_visible", "tickets", late_and_silent),
    ("tickets.on_paper_or_visible", "tickets", put("queued", -500.0, state="printed")),
    ("tickets.consistent", "tickets", put("state", "lost", state="printed")),
    ("tickets.consistent", "tickets", put("printed", lambda r: r["printed"] + 1, state="printed")),
    ("tickets.consistent", "tickets", put("attempts", 0, state="printed")),
    ("receipts.one_per_ticket", "receipts", drop(complete=True)),
    ("receipts.one_per_ticket", "receipts", put("complete", False, complete=True)),
    ("receipts.no_unmarked_copy", "receipts", twice({"receipt_id": 99_999}, complete=True)),
    ("receipts.right_printer", "receipts", put("printer_id", lambda r: r["printer_id"] + 1, complete=True)),
    ("receipts.right_printer", "receipts", put("copy_no", 2, complete=True)),
    ("receipts.dishes", "receipts", put("lines", lambda r: [*r["lines"], {"name": "茶", "qty": 1}], complete=True)),
    ("receipts.dishes", "receipts", put("lines", lambda r: [x | {"qty": 9} for x in r["lines"]], complete=True)),
    ("receipts.totals", "receipts", put("total_fen", lambda r: r["total_fen"] + 1, complete=True)),
    ("receipts.totals", "receipts", put("total_fen", None, complete=True)),
    ("money.order_totals", "orders", put("total_fen", lambda r: r["total_fen"] + 100, state="delivered")),
    ("money.order_totals", "orders", put("items_fen", 1, state="delivered")),
    ("money.paid_in_full", "orders", put("paid_fen", lambda r: r["paid_fen"] - 1, state="delivered")),
    ("money.refunds", "orders", put("refunded_fen", 0, state="rejected")),
    ("money.ledger_balanced", "ledger", put("amount_fen", 1, account="platform_commission")),
    ("money.ledger_orders", "ledger", put("account", "platform_commission", account="provider_clearing")),
    ("money.provider_orders", "payments", put("provider_fen", 0, state="paid")),
    ("money.payment_sides", "payments", put("provider_fen", lambda r: r["amount_fen"], state="refused")),
    ("money.payment_sides", "payments", put("state", "paid", state="refunded")),
    ("money.one_payment", "payments", drop(state="paid")),
    ("money.one_payment", "payments", twice({"payment_id": 99_999}, state="paid")),
    ("money.paid_unordered", "payments", put("provider_fen", lambda r: r["amount_fen"], state="refused")),
    ("money.charged_once", "payments", put("provider_fen", lambda r: 2 * r["amount_fen"], state="paid")),
    ("money.charged_once", "payments", twice({"payment_id": 99_999}, state="paid")),
    ("money.charged_once", "payments", put("method", "balance", state="paid")),
    ("money.disputes", "payments", put("provider_fen", lambda r: r["amount_fen"] + 100, state="paid")),
    ("money.payment_sides", "payments", put("refund_fen", 5, state="paid")),
    ("ledger.order_totals", "ledger", put("account", "platform_commission", account="delivery_revenue")),
    ("ledger.order_totals", "ledger", put("amount_fen", lambda r: r["amount_fen"] + 1, account="provider_clearing")),
    ("ledger.order_totals", "orders", put("refunded_fen", 5, state="delivered")),
    ("ledger.accounts", "ledger", put("account", "disputed_payments", account="delivery_revenue")),
    ("ledger.accounts", "ledger", drop(reason="settled")),
    ("ledger.accounts", "ledger", put("amount_fen", 10**9, account="platform_commission")),
    ("ledger.refunds", "refunds", drop()),
    ("ledger.refunds", "refunds", put("fen", 1)),
    ("ledger.refunds", "payments", put("provider_refunded_fen", 0, state="refunded")),
    ("ledger.refunds", "payments", put("provider_refunded_fen", 7, state="paid")),
    ("ledger.payouts", "payouts", put("amount_fen", lambda r: r["amount_fen"] + 1)),
    ("ledger.payouts", "payouts", drop()),
    ("ledger.payouts", "ledger", put("amount_fen", lambda r: r["amount_fen"] + 1, reason="settled", account=SETTLED_0)),
    ("ledger.payouts", "orders", put("paid_fen", 0, state="delivered")),
    ("stock.levels", "stock", put("level", -1)),
    ("stock.levels", "stock", put("min_level", -1)),
    ("stock.orders", "stock", put("reserved", lambda r: r["reserved"] + 1)),
    ("stock.orders", "stock", put("returned", lambda r: r["returned"] + 1)),
    ("coupons.budgets", "coupons", put("committed_fen", 100_000_001)),
    ("coupons.orders", "coupons", put("redeemed_fen", lambda r: r["redeemed_fen"] + 500)),
    ("coupons.orders", "orders", put("coupon_code", None, discount_fen=500)),
    ("reservations.no_mixed", "reservations", put("state", "cancelled", branch="coupon", state="confirmed")),
    ("reservations.no_mixed", "reservations", twice(branch="stock")),
    ("reservations.branches", "reservations", drop(branch="stock")),
    ("reservations.branches", "reservations", drop(branch="coupon")),
    ("reservations.branches", "reservations", drop(branch="balance")),
    ("reservations.branches", "reservations", twice({"order_id": 399_999}, branch="stock")),
    ("reservations.branches", "reservations", twice({"branch": "balance"}, branch="coupon", state="cancelled")),
    ("reservations.fences", "reservations", put("state", "tried", state="confirmed")),
    ("reservations.fences", "reservations", put("state", "confirmed", state="cancelled")),
    ("reservations.fences", "orders", put("paid", None, state="delivered")),
    ("reservations.stock", "reservations", put("state", "cancelled", branch="stock", state="confirmed")),
    ("reservations.stock", "stock", put("returned", lambda r: r["returned"] + 1)),
    ("reservations.coupons", "reservations", put("state", "cancelled", branch="coupon", state="confirmed")),
    ("reservations.coupons", "coupons", put("redeemed", lambda r: r["redeemed"] + 1)),
    ("reservations.wallets", "reservations", put("state", "tried", branch="balance")),
    ("reservations.wallets", "wallets", put("held_fen", 1)),
    ("reservations.wallets", "wallets", put("balance_fen", lambda r: r["balance_fen"] - 1)),
    ("ledger.wallets", "wallets", put("topped_up_fen", 20_001)),
    ("vouchers.once", "vouchers", put("redemptions", 2, state="redeemed")),
    ("vouchers.paid", "vouchers", drop()),
    ("vouchers.paid", "vouchers", twice({"voucher_id": 99_999})),
    ("riders.one_order", "orders", swap_riders),
    ("riders.on_shift", "riders", put("off", 0.0)),
]
"""(promise, table, edit): each edit breaks the promise."""

PLANTED_LEADS: list[tuple[str, str, Callable[[Rows], Rows | None]]] = [
    ("leads.one_owner", "lead_events", put("owner", 2, what="visited")),
    ("leads.one_owner", "lead_events", put("what", "claimed", what="assigned")),
    ("leads.one_owner", "leads", put("owner", 0, lead_id=4)),
    ("leads.quota", "lead_events", put("owned", 9, what="claimed")),
    ("leads.drops", "lead_events", put("at", 15.9 * 86_400.0, what="dropped", lead_id=1)),
    ("leads.drops", "lead_events", put("at", 16.1 * 86_400.0, what="dropped", lead_id=1)),
    ("leads.drops", "lead_events", put("reason", "term", what="dropped", lead_id=1)),
    ("leads.drops", "lead_events", drop(what="visited", at=76.5 * 86_400.0)),
    ("leads.counts", "leads", put("visits", 7, lead_id=3)),
    ("leads.counts", "leads", put("stage", "visited", stage="signed")),
]


def test_a_clean_run_passes_every_promise(lunch: Tables, fake: Any) -> None:
    found = verdicts(lunch, fake)
    assert broken(found) == set()
    assert [v.name for v in found.values()] == [promise.name for promise in ALL]
    looked_at = {name for name, verdict in found.items() if verdict.checked}
    assert looked_at == {promise.name for promise in ALL if not promise.name.startswith("leads.")} - ELSEWHERE


def test_a_clean_history_of_leads_passes(weeks: Tables, fake: Any) -> None:
    found = verdicts(weeks, fake, kind="pools")
    assert broken(found) == set()
    assert all(found[name].checked for name in ("leads.one_owner", "leads.quota", "leads.drops", "leads.counts"))


@pytest.mark.parametrize(("promise", "table", "edit"), PLANTED, ids=[f"{p}-{i}" for i, (p, _, _) in enumerate(PLANTED)])
def test_a_planted_violation_is_caught(
    lunch: Tables, fake: Any, promise: str, table: str, edit: Callable[[Rows], Rows | None]
) -> None:
    verdict = verdicts(edited(lunch, table, edit), fake, promise)[promise]
    assert not verdict.ok
    assert verdict.violations >= 1
    assert verdict.examples


@pytest.mark.parametrize(
    ("promise", "table", "edit"), PLANTED_LEADS, ids=[f"{p}-{i}" for i, (p, _, _) in enumerate(PLANTED_LEADS)]
)
def test_a_planted_violation_of_the_pools_is_caught(
    weeks: Tables, fake: Any, promise: str, table: str, edit: Callable[[Rows], Rows | None]
) -> None:
    verdict = verdicts(edited(weeks, table, edit), fake, promise, kind="pools")[promise]
    assert not verdict.ok
    assert verdict.examples


def test_every_promise_has_a_planted_violation() -> None:
    planted = {name for name, _, _ in (*PLANTED, *PLANTED_LEADS)}
    assert planted | {"coupons.per_user"} | ELSEWHERE == {promise.name for promise in ALL}


def test_the_quota_holds_at_every_instant(weeks: Tables, fake: Any) -> None:
    crm = {"pool": {"quota": 1}}
    found = verdicts(weeks, fake, kind="pools", crm=crm)
    assert broken(found) == {"leads.quota"}
    assert "holds 2 leads, the quota is 1" in found["leads.quota"].examples[0]


def test_a_coupon_used_more_often_than_allowed_is_caught(lunch: Tables, fake: Any) -> None:
    coupon = {"code": "LUNCH5", "threshold_fen": 2000, "off_fen": 500, "budget_fen": 100_000_000, "per_user": 1}
    assert broken(verdicts(lunch, fake, coupons=[coupon])) == {"coupons.per_user"}


def test_an_escalated_ticket_may_be_late(lunch: Tables, fake: Any) -> None:
    def told(rows: Rows) -> None:
        first(rows, state="printed").update(queued=-500.0, claimed=-499.0, escalation="app")

    found = verdicts(edited(lunch, "tickets", told), fake)
    assert found["tickets.on_paper_or_visible"].ok
    assert "1 escalated" in found["tickets.on_paper_or_visible"].detail


def test_a_ticket_queued_just_before_the_horizon_is_not_overdue(lunch: Tables, fake: Any) -> None:
    def waiting(rows: Rows) -> None:
        first(rows, state="printed").update(state="queued", printed=None, attempts=0, queued=HORIZON - 10)

    assert verdicts(edited(lunch, "tickets", waiting), fake)["tickets.on_paper_or_visible"].ok


def test_a_lost_intent_and_the_trace_length(lunch: Tables, fake: Any) -> None:
    from o2o_results.audit.evidence import Evidence
    from o2o_results.audit.orders import one_row

    assert one_row(Evidence(lunch, intents=400)).violations == 0
    assert one_row(Evidence(lunch, intents=402)).violations == 2


def test_money_that_came_after_closing_must_go_back(lunch: Tables, fake: Any) -> None:
    """G11: a payment that arrives for an order that was closed is refunded at once; both sides see it."""

    def late_money(rows: Rows, back: int) -> None:
        row = first(rows, state="refused")
        row.update(state="refunded" if back else "paid", provider_fen=row["amount_fen"])
        row.update(provider_refunded_fen=row["amount_fen"] if back else 0)

    good = edited(lunch, "payments", lambda rows: late_money(rows, 1))
    assert broken(verdicts(good, fake)) == {"ledger.refunds"}  # given back, but nobody owed it: the books are silent
    bad = edited(lunch, "payments", lambda rows: late_money(rows, 0))
    assert {"money.provider_orders", "money.one_payment"} <= broken(verdicts(bad, fake))


def test_a_wrong_amount_that_went_back_whole_is_clean_and_one_that_did_not_is_listed_or_broken(
    lunch: Tables, fake: Any
) -> None:
    """G4, G11: taken instead of the amount due, given back; the books saw it pass."""
    number = first(lunch["payments"].to_pylist(), state="refused")["payment_id"]

    def wrong(rows: Rows, back: bool, listed: bool = False) -> None:
        row = first(rows, payment_id=number)
        taken = row["amount_fen"] + 100
        row.update(state="refunded", provider_state="ok", provider_fen=taken, taken_fen=taken, refund_fen=taken)
        row.update(provider_refunded_fen=taken if back else 0, disputed=row["requested"] + 1)

    def booked(rows: Rows) -> Rows:
        fen = first(lunch["payments"].to_pylist(), payment_id=number)["amount_fen"] + 100
        entry = {"entry_id": 10**6, "order_id": number, "at": 9.0}
        sides = (("disputed", 1), ("dispute_refunded", -1))
        return [
            *rows,
            *(
                {**entry, "txn_id": 10**6 + sign, "reason": reason, "account": account, "amount_fen": side * sign * fen}
                for reason, sign in sides
                for account, side in (("provider_clearing", 1), ("disputed_payments", -1))
            ),
        ]

    def told(rows: Rows) -> None:
        fen = first(lunch["payments"].to_pylist(), payment_id=number)["amount_fen"] + 100
        first(rows, order_id=number).update(paid_fen=fen, refunded_fen=fen)

    def owed(rows: Rows) -> Rows:
        fen = first(lunch["payments"].to_pylist(), payment_id=number)["amount_fen"] + 100
        row = {"payment_id": number, "order_id": number, "fen": fen, "reason": "amount_mismatch", "wanted": 9.0}
        return [*rows, {"refund_id": 10**6, **row, "done": 9.5}]

    books = edited(edited(edited(lunch, "ledger", booked), "orders", told), "refunds", owed)
    assert broken(verdicts(edited(books, "payments", lambda rows: wrong(rows, True)), fake)) == set()
    kept = edited(books, "payments", lambda rows: wrong(rows, False))
    found = broken(verdicts(kept, fake))
    assert {"money.paid_unordered", "money.disputes", "money.payment_sides", "ledger.refunds"} <= found
    row = {"payment_id": number, "order_id": number, "verdict": "dispute", "reason": "x"}
    open_row = {**row, "reconciliation_id": 1, "fen": 1, "since": 1.0, "found": 2.0, "repaired": None}
    listed = verdicts(edited(kept, "reconciliations", lambda rows: [*rows, open_row]), fake)
    assert broken(listed) == {"money.paid_unordered"}  # listed it may be, but the money is still there
    assert listed["money.disputes"].detail == "1 of another amount than due, 1 listed for people"


def test_live_clocks_may_disagree_by_milliseconds(lunch: Tables, fake: Any) -> None:
    tables = edited(lunch, "orders", put("sent", lambda r: r["intended"] - 0.002, state="delivered"))
    strict = {v.name: v.ok for v in audit(tables, fake.scenario(), horizon_s=HORIZON)}
    live = {v.name: v.ok for v in audit(tables, fake.scenario(), horizon_s=HORIZON, live=True)}
    assert not strict["orders.marks_monotone"]
    assert live["orders.marks_monotone"]


def test_a_run_without_tables_is_clean_and_checked_nothing() -> None:
    found = audit({})
    assert clean(found)
    assert sum(verdict.checked for verdict in found) == 0
