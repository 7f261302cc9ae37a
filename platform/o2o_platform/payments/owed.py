"""What is owed back: rows of the table `refunds`, written with the books and done when the provider has confirmed.

Decides how a payment's sums follow from its refunds. Leaves how much may be given back to the domain, and asking the
provider to `refunds`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, select, update

from o2o_platform.kit.outbox import publish
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.payments import repository
from o2o_platform.payments.tables import refunds

TOPIC = "payments"

_INSERT = Prepared(insert(refunds))
_BY_KEY = Prepared(
    select(refunds).where(refunds.c.order_id == bindparam("order_id"), refunds.c.key == bindparam("key"))
)
_OF_PAYMENT = Prepared(select(refunds).where(refunds.c.payment_id == bindparam("payment_id")).order_by(refunds.c.id))
_BY_ID = Prepared(select(refunds).where(refunds.c.id == bindparam("id")))
_OPEN = Prepared(
    select(refunds)
    .where(refunds.c.done.is_(None), refunds.c.id > bindparam("after"))
    .order_by(refunds.c.id)
    .limit(bindparam("limit"))
)
_DONE = Prepared(update(refunds).where(refunds.c.id == bindparam("the_id")).values(done=bindparam("at")))
_STILL = Prepared(select(func.count()).where(refunds.c.payment_id == bindparam("payment_id"), refunds.c.done.is_(None)))


def owe(
    conn: Connection,
    payment: Record,
    fen: int,
    now: float,
    *,
    reason: str,
    state: str,
    done: bool = False,
    **more: Any,
) -> int:
    """Owe `fen` of this payment back, which is `state` then; returns the refund's id.

    `done`: it has been given back already (to a wallet). `more`: columns key, items, by.
    """
    columns = {"reason": reason, "wanted": now, "done": now if done else None, **more}
    refund_id = _INSERT.add(conn, payment_id=payment.id, order_id=payment.order_id, fen=fen, **columns)
    owed: dict[str, Any] = {"state": state, "refund_fen": payment.refund_fen + fen, "refund_wanted": now}
    repository.change(conn, payment.id, **owed, refund_done=now if done else None)
    if not done:
        _tell(conn, refund_id, payment.id, payment.order_id, fen, now)
    return refund_id


def owe_unknown(conn: Connection, payment_id: int, fen: int, now: float) -> int:
    """Owe money back that came for a payment which is not ours; returns the refund's id."""
    refund_id = _INSERT.add(
        conn, payment_id=payment_id, order_id=None, fen=fen, reason="payment_unknown", wanted=now, done=None
    )
    _tell(conn, refund_id, payment_id, None, fen, now)
    return refund_id


def ask_again(conn: Connection, payment_id: int, now: float) -> None:
    """Have the provider asked for all of a payment's refunds once more; it knows which it has given."""
    _AGAIN.run(conn, the_payment=payment_id)
    if repository.seek(conn, payment_id) is not None:
        repository.change(conn, payment_id, refund_done=None)
    for refund in of_payment(conn, payment_id):
        _tell(conn, refund.id, payment_id, refund.order_id, refund.fen, now)


_AGAIN = Prepared(update(refunds).where(refunds.c.payment_id == bindparam("the_payment")).values(done=None))


def _tell(conn: Connection, refund_id: int, payment_id: int, order_id: int | None, fen: int, now: float) -> None:
    publish(conn, TOPIC, "refund_wanted", now, refund_id=refund_id, payment_id=payment_id, order_id=order_id, fen=fen)


def confirm(conn: Connection, refund_id: int, now: float) -> None:
    """The provider has given it back."""
    refund = _BY_ID.first(conn, id=refund_id)
    if refund is None or refund.done is not None:
        return
    _DONE.run(conn, the_id=refund_id, at=now)
    if refund.order_id is not None and not _STILL.scalar(conn, payment_id=refund.payment_id):
        repository.change(conn, refund.payment_id, refund_done=now)


def of_key(conn: Connection, order_id: int, key: str) -> Record:
    """The refund that was asked for under this key, None if there is none."""
    return _BY_KEY.first(conn, order_id=order_id, key=key)


def of_payment(conn: Connection, payment_id: int) -> list[Record]:
    """A payment's refunds, oldest first."""
    return _OF_PAYMENT.all(conn, payment_id=payment_id)


def still_owed(conn: Connection, *, after: int = 0, limit: int = 1000) -> list[Record]:
    """Refunds that the provider has not confirmed, by id above `after`."""
    return _OPEN.all(conn, after=after, limit=limit)


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """The run table `refunds`."""
    for row in conn.execute(select(refunds).order_by(refunds.c.id)):
        yield {
            "refund_id": row.id,
            "payment_id": row.payment_id,
            "order_id": row.order_id,
            "fen": row.fen,
            "reason": row.reason,
            "wanted": row.wanted,
            "done": row.done,
        }
