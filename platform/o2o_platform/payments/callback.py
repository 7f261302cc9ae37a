"""The provider's callback: believed if signed, applied at most once.

Decides the shape of a callback and which unit follows the domain's verdict (`o2o_domain.payments.on_callback`).
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection

from o2o_domain.payments import Apply, Ignore, PaymentEvent, PaymentState, on_callback
from o2o_domain.refusal import Refused
from o2o_platform.errors import refusal
from o2o_platform.kit.context import Context
from o2o_platform.orders import repository as orders
from o2o_platform.payments import repository, settle


class Callback(Struct, frozen=True, kw_only=True):
    """What the provider says of one payment; `confirmed` is when the user confirmed (unix seconds)."""

    payment_id: int
    outcome: Literal["ok", "refused"]
    amount_fen: Annotated[int, Meta(ge=0)]
    confirmed: float


CALLBACK = msgspec.json.Decoder(Callback)


def take(conn: Connection, ctx: Context, told: Callback, now: float) -> str:
    """Apply a callback whose signature holds; returns what became of it: paid, refused, paid_late, disputed or ignored.

    Another amount than was asked for is not taken on this word alone: the payment is disputed until the provider's
    statement says what was taken (`reconcile`).
    """
    payment = repository.find(conn, told.payment_id)
    verdict = on_callback(
        PaymentState(payment.state), amount_due=payment.amount_fen, amount=told.amount_fen, ok=told.outcome == "ok"
    )
    if isinstance(verdict, Refused):
        raise refusal(verdict)
    if isinstance(verdict, Ignore):
        return "ignored"
    assert isinstance(verdict, Apply)
    order = orders.find(conn, payment.order_id)
    if verdict.event is PaymentEvent.REFUSE:
        settle.refuse(conn, ctx, order, payment, now)
        return "refused"
    if verdict.event is PaymentEvent.DISPUTE:
        settle.dispute(conn, ctx, order, payment, now)
        return "disputed"
    if verdict.then_refund:
        settle.pay_late(conn, order, payment, told.confirmed, now)
        return "paid_late"
    settle.pay(conn, ctx, order, payment, told.confirmed, now)
    return "paid"
