"""What an order asks of the branches, from the coordinator's own record.

Decides where it stands: in the table `reservations` for an order that is reserved branch by branch, else in the order.
So a branch can be asked for its second phase by the order's number alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from o2o_platform.orders import repository as orders
from o2o_platform.reservation import records


@dataclass(frozen=True, slots=True)
class Asked:
    """`pieces` by dish id; `balance_fen` is what is held of the user's wallet if the order is paid from it."""

    user_id: int
    pieces: dict[int, int]
    balance_fen: int


def of(conn: Connection, order_id: int) -> Asked:
    """Raises NotFound if there is neither a record nor an order."""
    record = records.find(conn, order_id)
    if record is not None:
        return Asked(record.user_id, dict(msgspec.json.decode(record.pieces)), record.balance_fen or 0)
    order = orders.find(conn, order_id)
    pieces: dict[int, int] = {}
    for line in orders.lines_of(order):
        pieces[line.dish_id] = pieces.get(line.dish_id, 0) + line.qty
    return Asked(order.user_id, pieces, order.total_fen)
