"""All branches of an order in one unit of work: the default.

Decides that the second phase is asked of exactly those branches that have a fence. The tries are called by whoever
places the order, inside its unit, as each has an answer of its own (sold out, no coupon, too little money).
"""

from __future__ import annotations

from sqlalchemy import Connection

from o2o_platform.reservation import fences
from o2o_platform.reservation.branches import CANCEL, CONFIRM


def confirm(conn: Connection, order_id: int, now: float) -> None:
    """The order is paid, in this unit. Raises Conflict, and then nothing of the unit is kept."""
    for branch in fences.of_order(conn, order_id):
        CONFIRM[branch](conn, order_id, now)


def cancel(conn: Connection, order_id: int, now: float) -> None:
    """The order ends unpaid, in this unit. Raises Conflict, and then nothing of the unit is kept."""
    for branch in fences.of_order(conn, order_id):
        CANCEL[branch](conn, order_id, now)
