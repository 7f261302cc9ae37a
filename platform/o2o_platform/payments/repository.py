"""Reading and writing payments: one per order, requested with the order and settled by callback, deadline or refund."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from o2o_domain.payments import TAKEN, PaymentState
from o2o_platform.errors import NotFound
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.payments.tables import payments

PROVIDER = "provider"
BALANCE = "balance"
"""Values of `method`."""

_INSERT = Prepared(insert(payments))
_BY_ID = Prepared(select(payments).where(payments.c.id == bindparam("id")))
_OF_ORDER = Prepared(select(payments).where(payments.c.order_id == bindparam("order_id")))


@lru_cache(maxsize=64)
def _change(columns: tuple[str, ...]) -> Prepared:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    return Prepared(update(payments).where(payments.c.id == bindparam("the_id")).values(**values))


def request_payment(conn: Connection, order_id: int, amount_fen: int, at: float, method: str = PROVIDER) -> int:
    """Open the payment of a new order; returns its id."""
    values: dict[str, Any] = {
        "order_id": order_id,
        "method": method,
        "amount_fen": amount_fen,
        "state": PaymentState.REQUESTED.value,
        "requested": at,
    }
    return _INSERT.add(conn, **values, refund_fen=0)


def find(conn: Connection, payment_id: int) -> Record:
    """The payment. Raises NotFound."""
    row = seek(conn, payment_id)
    if row is None:
        raise NotFound("no_such_payment", f"payment {payment_id}")
    return row


def seek(conn: Connection, payment_id: int) -> Record:
    """The payment, None if there is none."""
    return _BY_ID.first(conn, id=payment_id)


def of_order(conn: Connection, order_id: int) -> Record:
    """The payment of an order. Raises NotFound."""
    row = _OF_ORDER.first(conn, order_id=order_id)
    if row is None:
        raise NotFound("no_such_payment", f"payment of order {order_id}")
    return row


def change(conn: Connection, payment_id: int, **columns: Any) -> None:
    """Change columns of a payment."""
    _change(tuple(columns)).run(conn, the_id=payment_id, **{f"new_{name}": v for name, v in columns.items()})


def taken_fen(payment: Record) -> int:
    """What the books say was taken: 0 before, then the amount asked for unless another was taken."""
    if payment.state not in TAKEN:
        return 0
    return int(payment.amount_fen if payment.taken_fen is None else payment.taken_fen)


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """The platform's half of the run table `payments`."""
    for row in conn.execute(select(payments).order_by(payments.c.id)):
        yield {
            "payment_id": row.id,
            "order_id": row.order_id,
            "method": row.method,
            "amount_fen": row.amount_fen,
            "taken_fen": taken_fen(row),
            "state": row.state,
            "requested": row.requested,
            "confirmed": row.confirmed,
            "callback": row.callback,
            "disputed": row.disputed,
            "refund_fen": row.refund_fen,
            "refund_wanted": row.refund_wanted,
            "refund_done": row.refund_done,
        }
