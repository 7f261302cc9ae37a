"""Carrying a verdict of reconciliation out, with the units that a callback uses."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from o2o_domain import ledger as postings
from o2o_domain.reconcile import Repair, Verdict
from o2o_platform.kit.context import Context
from o2o_platform.kit.prepared import Record
from o2o_platform.ledger.repository import post
from o2o_platform.orders import repository as orders
from o2o_platform.payments import owed, settle


def carry_out(
    conn: Connection,
    ctx: Context,
    verdict: Verdict,
    payment_id: int,
    payment: Record,
    theirs: Row[Any] | None,
    now: float,
) -> None:
    """Repair; a dispute is only written down. `payment` and `theirs` are as the verdict saw them, None if unknown."""
    if verdict.repair is Repair.REFUND_UNKNOWN:
        entries = postings.disputed(verdict.fen)
        post(conn, entries, order_id=None, reason="unknown_payment", at=now)
        post(conn, postings.reverse(entries), order_id=None, reason="unknown_refunded", at=now)
        owed.owe_unknown(conn, payment_id, verdict.fen, now)
    elif verdict.repair is Repair.ASK_REFUND_AGAIN:
        owed.ask_again(conn, payment_id, now)
    elif verdict.repair is Repair.NOTE_REFUND:
        for refund in owed.of_payment(conn, payment_id):
            owed.confirm(conn, refund.id, now)
    elif verdict.repair is not Repair.DISPUTE:
        assert theirs is not None  # the rule: these repairs follow from an entry
        order = orders.find(conn, payment.order_id)
        confirmed = theirs.confirmed if theirs.confirmed is not None else theirs.changed
        if verdict.repair is Repair.TAKE_PAYMENT:
            settle.pay(conn, ctx, order, payment, confirmed, now)
        elif verdict.repair is Repair.REFUND_LATE:
            settle.pay_late(conn, order, payment, confirmed, now)
        elif verdict.repair is Repair.REFUSE:
            settle.refuse(conn, ctx, order, payment, now)
        elif verdict.repair is Repair.REFUND_DIFFERENCE:
            settle.refund_difference(conn, ctx, order, payment, verdict.fen, confirmed, now)
