"""What a basket comes to, roughly and at once, for the scoring of its risk.

Decides that menus are read once a minute at most: a score needs the size of an order, not its price. What the order
really costs is decided where it is placed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from o2o_platform.kit.database import Database
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders.bodies import Item

FRESH_S = 60.0
MAX_MENUS = 5_000
"""Menus remembered; beyond that all are forgotten and read anew."""


class Prices:
    """Prices of dishes by merchant."""

    def __init__(self, db: Database, now: Callable[[], float]) -> None:
        self._db = db
        self._now = now
        self._menus: dict[int, tuple[float, dict[int, int]]] = {}

    async def amount_fen(self, merchant_id: int, items: Iterable[Item]) -> int:
        """The items' price; what is not on the menu counts for nothing."""
        read_at, menu = self._menus.get(merchant_id, (float("-inf"), {}))
        if self._now() - read_at > FRESH_S:
            menu = await self._db.read(
                lambda conn: {dish.id: dish.price_fen for dish in merchants.menu(conn, merchant_id)}, quick=True
            )
            if len(self._menus) >= MAX_MENUS:
                self._menus.clear()
            self._menus[merchant_id] = (self._now(), menu)
        return sum(menu.get(item.dish_id, 0) * item.qty for item in items)
