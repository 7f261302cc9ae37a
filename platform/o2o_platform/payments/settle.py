"""Money in and money back, each in the unit of work that moves the order.

Decides which ledger entries and payment steps belong to a payment, a refund and a delivered order, by the domain's
tables. Leaves the vertical's part (ticket, voucher, stock) to the hooks `ctx.paid` and `ctx.closed`, and asking the
provider for the money to `refunds`. Money of a wallet (`payments.method` balance) goes back into it at once.
"""

from __future__ import annotations

from sqlalchemy import Connection

from o2o_domain import ledger as postings
from o2o_domain.orders import OrderEvent, OrderState
from o2o_domain.payments import GiveBack, PaymentEvent, PaymentState, step
from o2o_domain.refusal import Refused
from o2o_platform.errors import Conflict
from o2o_platform.kit.context import Context
from o2o_platform.kit.prepared import Record
from o2o_platform.ledger.repository import post
from o2o_platform.orders import repository as orders
from o2o_platform.payments import owed, repository
from o2o_platform.wallets import repository as wallets

AMOUNT_MISMATCH = "amount_mismatch"
"""Why an order ended for which another amount was taken."""
_EARNED = (OrderState.DELIVERED, OrderState.REDEEMED)


def _next(payment: Record, event: PaymentEvent) -> str:
    follows = step(PaymentState(payment.state), event)
    if isinstance(follows, Refused):
        raise Conflict(follows.code, follows.detail)
    return follows.value


def _source(payment: Record) -> str:
    """The account that the money comes from and goes back to."""
    return postings.USER_BALANCES if payment.method == repository.BALANCE else postings.PROVIDER_CLEARING


def pay(conn: Connection, ctx: Context, order: Record, payment: Record, confirmed: float, now: float) -> None:
    """The money is in: order, payment, ledger, the vertical's part and the event, all or nothing."""
    repository.change(conn, payment.id, state=_next(payment, PaymentEvent.PAY), confirmed=confirmed, callback=now)
    _book_paid(conn, order, payment, "paid", now)
    orders.advance(conn, order, OrderEvent.PAY, now, paid=now, paid_fen=payment.amount_fen, pay_deadline=None)
    ctx.paid[order.kind](conn, order, now)


def _book_paid(conn: Connection, order: Record, payment: Record, reason: str, now: float) -> None:
    entries = postings.paid(
        orders.quote_of(order),
        merchant_id=order.merchant_id,
        commission_share=order.commission_share,
        source=_source(payment),
    )
    post(conn, entries, order_id=order.id, reason=reason, at=now)


def refuse(conn: Connection, ctx: Context, order: Record, payment: Record, now: float) -> None:
    """The provider said no: the order ends, and what it held goes back."""
    repository.change(conn, payment.id, state=_next(payment, PaymentEvent.REFUSE), callback=payment.callback or now)
    if order.state == OrderState.PENDING_PAYMENT:
        _end_unpaid(conn, ctx, order, OrderEvent.PAY_REFUSED, "payment_refused", now)


def expire(conn: Connection, ctx: Context, order: Record, now: float, *, event: OrderEvent, reason: str) -> None:
    """Nobody paid (deadline, or the user gave up): the order ends, and what it held goes back."""
    payment = repository.of_order(conn, order.id)
    repository.change(conn, payment.id, state=_next(payment, PaymentEvent.EXPIRE))
    _end_unpaid(conn, ctx, order, event, reason, now)


def dispute(conn: Connection, ctx: Context, order: Record, payment: Record, now: float) -> None:
    """Another amount than due was named: an order that still waited ends; reconciliation gives the money back."""
    repository.change(
        conn, payment.id, state=_next(payment, PaymentEvent.DISPUTE), disputed=now, callback=payment.callback or now
    )
    if order.state == OrderState.PENDING_PAYMENT:
        _end_unpaid(conn, ctx, order, OrderEvent.PAY_REFUSED, AMOUNT_MISMATCH, now)


def _end_unpaid(conn: Connection, ctx: Context, order: Record, event: OrderEvent, reason: str, now: float) -> None:
    orders.advance(conn, order, event, now, closed=now, reason=reason, pay_deadline=None)
    ctx.closed[order.kind](conn, order, now)


def refund(conn: Connection, order: Record, now: float) -> int:
    """Owe back all that is left of the payment: payment and ledger are moved here, the provider is asked after the
    commit. Returns the fen to write as the order's `refunded_fen`, which is all that was paid.

    `order` may be as it was before the step that ends it; what was refunded before is read from the payment.
    """
    payment = repository.of_order(conn, order.id)
    total_fen = int(payment.amount_fen)
    if PaymentState(payment.state) is PaymentState.REFUNDED:
        return total_fen  # the last fen went back by part refunds
    given = GiveBack(total_fen - refunded_fen(payment), PaymentEvent.REFUND, total_fen)
    _give_back(conn, order, payment, given, now, "refunded")
    return total_fen


def refunded_fen(payment: Record) -> int:
    """What of the order's money is owed back so far; money beyond the order's total never was the order's."""
    beyond = repository.taken_fen(payment) - payment.amount_fen
    return int(payment.refund_fen - max(beyond, 0))


def refund_part(
    conn: Connection, order: Record, payment: Record, given: GiveBack, now: float, *, reason: str, **more: object
) -> int:
    """Owe a part back while the order stands; returns the refund's id. `more`: columns of `refunds`."""
    refund_id = _give_back(conn, order, payment, given, now, reason, **more)
    orders.write(conn, order, refunded_fen=given.total_fen)
    orders.tell(conn, order, "part_refunded", now, state=order.state, fen=given.fen, refunded_fen=given.total_fen)
    return refund_id


def _give_back(
    conn: Connection, order: Record, payment: Record, given: GiveBack, now: float, reason: str, **more: object
) -> int:
    entries = postings.refunded(
        orders.quote_of(order),
        merchant_id=order.merchant_id,
        commission_share=order.commission_share,
        before_fen=given.total_fen - given.fen,
        fen=given.fen,
        earned=order.state in _EARNED,
        source=_source(payment),
    )
    post(conn, entries, order_id=order.id, reason=str(given.event) + "ed", at=now)
    wallet = payment.method == repository.BALANCE
    if wallet:
        wallets.credit(conn, order.user_id, given.fen)
    state = _next(payment, given.event)
    return owed.owe(conn, payment, given.fen, now, reason=reason, state=state, done=wallet, **more)


def pay_late(conn: Connection, order: Record, payment: Record, confirmed: float, now: float) -> None:
    """Money for an order that no longer waits for it: taken into the books and owed back at once."""
    repository.change(
        conn,
        payment.id,
        state=_next(payment, PaymentEvent.PAY),
        confirmed=confirmed,
        callback=payment.callback or now,
    )
    _book_paid(conn, order, payment, "paid_late", now)
    fen = refund(conn, order, now)
    orders.write(conn, order, paid_fen=fen, refunded_fen=fen)
    orders.tell(conn, order, "paid_late", now, state=order.state)


def refund_difference(
    conn: Connection, ctx: Context, order: Record, payment: Record, fen: int, confirmed: float | None, now: float
) -> None:
    """The provider took `fen` that no order needs: all of another amount than due, or more than was booked.

    Taken into the books and owed back; an order that still waited ends.
    """
    unpaid = repository.taken_fen(payment) == 0 and PaymentState(payment.state) is not PaymentState.REFUNDED
    if unpaid:
        if PaymentState(payment.state) is not PaymentState.DISPUTED:
            dispute(conn, ctx, order, payment, now)
            order, payment = orders.find(conn, order.id), repository.find(conn, payment.id)
        repository.change(conn, payment.id, taken_fen=fen, confirmed=confirmed)
        state = _next(payment, PaymentEvent.REFUND)
        orders.write(conn, order, paid_fen=fen, refunded_fen=fen)
    else:
        repository.change(
            conn, payment.id, taken_fen=repository.taken_fen(payment) + fen, disputed=payment.disputed or now
        )
        state = payment.state
    entries = postings.disputed(fen)
    post(conn, entries, order_id=order.id, reason="disputed", at=now)
    post(conn, postings.reverse(entries), order_id=order.id, reason="dispute_refunded", at=now)
    owed.owe(conn, payment, fen, now, reason=AMOUNT_MISMATCH, state=state)


def earn(conn: Connection, order: Record, now: float) -> None:
    """The order is delivered (or the voucher redeemed): the merchant's share is owed for good."""
    share = order.commission_share
    quote = orders.quote_of(order)
    entries = postings.settled(
        quote, merchant_id=order.merchant_id, commission_share=share, refunded_fen=order.refunded_fen
    )
    post(conn, entries, order_id=order.id, reason="settled", at=now)
