"""Reading riders for the export and the staff."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from o2o_platform.delivery.tables import riders


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """The platform's half of the run table `riders`, with refs."""
    for row in conn.execute(select(riders).order_by(riders.c.id)):
        yield {
            "rider_id": row.id,
            "rider_ref": row.ref,
            "speed_kmh": row.speed_kmh,
            "online": bool(row.online),
            "on": row.on,
            "off": row.off,
            "orders": row.orders,
            "order_id": row.order_id,
        }
