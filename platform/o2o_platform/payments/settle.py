"""Money in and money back, each in the unit of work that moves the order.

Decides which ledger entries and payment steps belong to a payment, a refund and a delivered order, by the domain's
tables. Leaves the vertical's part (ticket, voucher, stock) to the hooks `ctx.paid` and `ctx.closed`, and asking the
provider for the money to `refunds`.
"""

from __future__ import annotations

from sqlalchemy import Connection

from o2o_domain import ledger as postings
from o2o_domain.orders import OrderEvent, OrderState, settled
from o2o_domain.payments import PaymentEvent, PaymentState, step
from o2o_domain.refusal import Refused
from o2o_platform.errors import Conflict
from o2o_platform.kit.context import Context
from o2o_platform.kit.outbox import publish
from o2o_platform.kit.prepared import Record
from o2o_platform.ledger.repository import post
from o2o_platform.orders import repository as orders
from o2o_platform.payments import repository

TOPIC = "payments"


def _next(payment: Record, event: PaymentEvent) -> str:
    follows = step(PaymentState(payment.state), event)
    if isinstance(follows, Refused):
        raise Conflict(follows.code, follows.detail)
    return follows.value


def pay(conn: Connection, ctx: Context, order: Record, payment: Record, confirmed: float, now: float) -> None:
    """The money is in: order, payment, ledger, the vertical's part and the event, all or nothing."""
    repository.change(conn, payment.id, state=_next(payment, PaymentEvent.PAY), confirmed=confirmed, callback=now)
    share = order.commission_share
    entries = postings.paid(orders.quote_of(order), merchant_id=order.merchant_id, commission_share=share)
    post(conn, entries, order_id=order.id, reason="paid", at=now)
    orders.advance(conn, order, OrderEvent.PAY, now, paid=now, paid_fen=payment.amount_fen, pay_deadline=None)
    ctx.paid[order.kind](conn, order, now)


def refuse(conn: Connection, ctx: Context, order: Record, payment: Record, now: float) -> None:
    """The provider said no: the order ends, and what it held goes back."""
    repository.change(conn, payment.id, state=_next(payment, PaymentEvent.REFUSE), callback=now)
    _end_unpaid(conn, ctx, order, OrderEvent.PAY_REFUSED, "payment_refused", now)


def expire(conn: Connection, ctx: Context, order: Record, now: float, *, event: OrderEvent, reason: str) -> None:
    """Nobody paid (deadline, or the user gave up): the order ends, and what it held goes back."""
    payment = repository.of_order(conn, order.id)
    repository.change(conn, payment.id, state=_next(payment, PaymentEvent.EXPIRE))
    _end_unpaid(conn, ctx, order, event, reason, now)


def _end_unpaid(conn: Connection, ctx: Context, order: Record, event: OrderEvent, reason: str, now: float) -> None:
    orders.advance(conn, order, event, now, closed=now, reason=reason, pay_deadline=None)
    ctx.closed[order.kind](conn, order, now)


def refund(conn: Connection, order: Record, now: float) -> int:
    """Owe the whole payment back: payment and ledger are reversed here, the provider is asked after the commit.

    Returns the fen to write as the order's `refunded_fen`.
    """
    payment = repository.of_order(conn, order.id)
    state = _next(payment, PaymentEvent.REFUND)
    repository.change(conn, payment.id, state=state, refund_fen=payment.amount_fen, refund_wanted=now)
    share = order.commission_share
    entries = postings.refunded(orders.quote_of(order), merchant_id=order.merchant_id, commission_share=share)
    post(conn, entries, order_id=order.id, reason="refunded", at=now)
    publish(conn, TOPIC, "refund_wanted", now, payment_id=payment.id, order_id=order.id, fen=payment.amount_fen)
    return int(payment.amount_fen)


def pay_late(conn: Connection, order: Record, payment: Record, confirmed: float, now: float) -> None:
    """Money for an order that no longer waits for it: taken into the books and owed back at once."""
    repository.change(conn, payment.id, state=_next(payment, PaymentEvent.PAY), confirmed=confirmed, callback=now)
    share = order.commission_share
    entries = postings.paid(orders.quote_of(order), merchant_id=order.merchant_id, commission_share=share)
    post(conn, entries, order_id=order.id, reason="paid_late", at=now)
    fen = refund(conn, order, now)
    orders.write(conn, order, paid_fen=fen, refunded_fen=fen)
    orders.tell(conn, order, "paid_late", now, state=order.state)


def earn(conn: Connection, order: Record, now: float) -> None:
    """The order is delivered (or the voucher redeemed): the merchant's share is owed for good."""
    share = order.commission_share
    entries = postings.settled(orders.quote_of(order), merchant_id=order.merchant_id, commission_share=share)
    post(conn, entries, order_id=order.id, reason="settled", at=now)


def is_over(order: Record) -> bool:
    """Whether the order has come to rest."""
    return settled(order.kind, OrderState(order.state))
