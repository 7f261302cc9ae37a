"""Reading and writing orders, of every vertical.

Decides how a step is applied: the table of `o2o_domain.orders` says what follows, one conditional UPDATE (the state is
still what was read) writes it with its marks, and one event tells the stream. Leaves what else a step brings with it
(stock, money, tickets, riders) to whoever asks for the step, in the same unit of work.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, update

from o2o_domain.orders import OrderEvent, OrderState, step
from o2o_domain.pricing import Line, Quote
from o2o_domain.refusal import Refused
from o2o_platform.errors import Conflict, NotFound
from o2o_platform.kit import ids
from o2o_platform.kit.outbox import publish
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.orders.tables import orders
from o2o_platform.reservation import records

TOPIC = "orders"

_INSERT = Prepared(insert(orders))
_BY_ID = Prepared(select(orders).where(orders.c.id == bindparam("id")))
_BY_REF = Prepared(select(orders).where(orders.c.user_id == bindparam("user_id"), orders.c.ref == bindparam("ref")))
_OF_MERCHANT = Prepared(
    select(orders)
    .where(orders.c.merchant_id == bindparam("merchant_id"), orders.c.id > bindparam("after"))
    .order_by(orders.c.id)
    .limit(bindparam("limit"))
)


def order_no(order_id: int) -> str:
    """What stands on the ticket and is read out at the counter."""
    return f"W{order_id:07d}"


def next_id(conn: Connection) -> int:
    """The id that the next order will have; one that is being reserved branch by branch has its id already."""
    order_id = ids.next_id(conn, orders)
    return order_id if conn.dialect.name == "postgresql" else max(order_id, records.last(conn) + 1)


def insert_order(conn: Connection, **columns: Any) -> int:
    """Write a new order; returns its id. Columns as in the table, `id` if it was asked for before, no `order_no`."""
    order_id: int = columns.pop("id", None) or next_id(conn)
    _INSERT.add(conn, id=order_id, order_no=order_no(order_id), **columns)
    return order_id


def quote_of(order: Record) -> Quote:
    """What the order costs, as the domain's value."""
    return Quote(order.items_fen, order.discount_fen, order.delivery_fee_fen, order.total_fen)


def find(conn: Connection, order_id: int) -> Record:
    """The order. Raises NotFound."""
    row = _BY_ID.first(conn, id=order_id)
    if row is None:
        raise NotFound("no_such_order", f"order {order_id}")
    return row


def find_by_ref(conn: Connection, user_id: int, ref: str) -> Record:
    """The order that this user has already placed under this idempotency key, None if there is none."""
    return _BY_REF.first(conn, user_id=user_id, ref=ref)


def of_merchant(conn: Connection, merchant_id: int, *, after: int, limit: int) -> list[Record]:
    """A page of a merchant's orders, by id above `after`."""
    return _OF_MERCHANT.all(conn, merchant_id=merchant_id, after=after, limit=limit)


@lru_cache(maxsize=256)
def _update(columns: tuple[str, ...]) -> Prepared:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    still = (orders.c.id == bindparam("the_id"), orders.c.state == bindparam("was"))
    return Prepared(update(orders).where(*still).values(**values))


def advance(conn: Connection, order: Record, event: OrderEvent, at: float, **columns: Any) -> OrderState:
    """Apply one step of the order's life and publish it; `columns` are written with the new state.

    Raises Conflict (`illegal_transition`) if the table of the order's vertical has no such step.
    """
    follows = step(order.kind, OrderState(order.state), event)
    if isinstance(follows, Refused):
        raise Conflict(follows.code, follows.detail or f"order {order.id} is {order.state}: no {event.value} now")
    write(conn, order, state=follows.value, **columns)
    told = {"reason": columns["reason"]} if columns.get("reason") else {}
    tell(conn, order, event.value, at, state=follows.value, rider_id=columns.get("rider_id", order.rider_id), **told)
    return follows


def write(conn: Connection, order: Record, **columns: Any) -> None:
    """Change columns of an order that is still in the state in which it was read. Raises Conflict if it is not."""
    statement = _update(tuple(columns))
    values = {f"new_{name}": value for name, value in columns.items()}
    if statement.run(conn, the_id=order.id, was=order.state, **values) != 1:
        raise Conflict("changed_meanwhile", f"order {order.id} is no longer {order.state}")


def tell(conn: Connection, order: Record, name: str, at: float, **more: Any) -> None:
    """Publish an event of an order; readers find out from the payload whether it concerns them."""
    publish(conn, TOPIC, name, at, **story(order, **more))


def story(order: Record, **more: Any) -> dict[str, Any]:
    """What every event of an order says."""
    return {
        "order_id": order.id,
        "order_ref": order.ref,
        "kind": order.kind,
        "order_no": order.order_no,
        "user_id": order.user_id,
        "user_ref": order.user_ref,
        "merchant_id": order.merchant_id,
        "rider_id": order.rider_id,
        **more,
    }


def lines_of(order: Record) -> tuple[Line, ...]:
    """What was ordered, as the domain's lines."""
    return tuple(Line(*fields) for fields in msgspec.json.decode(order.lines))


def encode_lines(lines: tuple[Line, ...]) -> str:
    """The column `lines` of these lines."""
    return msgspec.json.encode([(x.dish_id, x.name, x.qty, x.unit_fen) for x in lines]).decode()
