"""The branch `stock`: pieces of dishes, taken for an order and given back if it comes to nothing."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from o2o_domain.tcc import Branch, Phase
from o2o_platform.merchants import repository as merchants
from o2o_platform.reservation import asked
from o2o_platform.reservation.fences import enter


def try_(conn: Connection, order_id: int, pieces: Mapping[int, int], now: float) -> None:
    """Take pieces by dish id. Raises Conflict (`sold_out`, `already_cancelled`)."""
    if enter(conn, order_id, Branch.STOCK, Phase.TRY, now):
        merchants.take(conn, pieces)


def confirm(conn: Connection, order_id: int, now: float) -> None:
    """The pieces are sold: they were taken already. Raises Conflict (`not_tried`, `already_cancelled`)."""
    enter(conn, order_id, Branch.STOCK, Phase.CONFIRM, now)


def cancel(conn: Connection, order_id: int, now: float) -> None:
    """The pieces go back. Raises Conflict (`already_confirmed`)."""
    if enter(conn, order_id, Branch.STOCK, Phase.CANCEL, now):
        merchants.put_back(conn, asked.of(conn, order_id).pieces)
