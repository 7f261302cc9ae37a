"""The second phase of an order's reservation, asked for in the unit that pays the order or ends it unpaid (W10).

Decides by the record whether the branches answer at once, in the same unit, or one by one afterwards: an order is
finished in the way in which it was begun, whatever the settings say by then.
"""

from __future__ import annotations

from sqlalchemy import Connection

from o2o_domain.tcc import StageEvent
from o2o_platform.reservation import records, together


def confirm(conn: Connection, order_id: int, now: float) -> None:
    """The order is paid: what it holds is its own. From here on it cannot be given up."""
    if records.find(conn, order_id) is None:
        together.confirm(conn, order_id, now)
    else:
        records.move(conn, order_id, StageEvent.DECIDE)


def cancel(conn: Connection, order_id: int, now: float) -> None:
    """The order ends unpaid: what it holds goes back."""
    if records.find(conn, order_id) is None:
        together.cancel(conn, order_id, now)
    else:
        records.move(conn, order_id, StageEvent.GIVE_UP)
