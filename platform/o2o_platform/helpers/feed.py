"""How the helpers that learn hear of orders and reviews: a task that tells them what they do not know yet.

Decides that the helper keeps the cursor: it is asked up to where it has learned, and told what came after, with a
margin for what was committed late (told twice, it learns once). So either side may be killed at any moment, and a
helper that comes back, with its file or without, is soon as wise as before. Not on anybody's path: a helper that is
away is tried again and again, its breaker is left alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
from sqlalchemy import Connection, select

from o2o_platform.helpers.wire import Newest, Ordered, Reviewed
from o2o_platform.kit.context import Context
from o2o_platform.kit.exchange import Exchange
from o2o_platform.orders.tables import orders
from o2o_platform.reviews.tables import reviews

log = logging.getLogger("o2o.helpers")

PAUSE_S = 1.0
TIMEOUT_S = 5.0
PAGE = 2_000
MARGIN_ORDERS = 500
"""An order may be committed after one with an id that is higher by so much."""
MARGIN_S = 10.0

Read: TypeAlias = Callable[[Connection, float], list[Any]]
_NEWEST = msgspec.json.Decoder(Newest)


def placed_after(conn: Connection, newest: float) -> list[Ordered]:
    """Takeout orders after an id, and some before."""
    query = (
        select(orders.c.id, orders.c.user_id, orders.c.merchant_id, orders.c.lines)
        .where(orders.c.kind == "order", orders.c.id > int(newest) - MARGIN_ORDERS)
        .order_by(orders.c.id)
        .limit(PAGE)
    )
    return [
        Ordered(row.id, row.user_id, row.merchant_id, tuple(line[0] for line in msgspec.json.decode(row.lines)))
        for row in conn.execute(query)
    ]


def reviewed_after(conn: Connection, newest: float) -> list[Reviewed]:
    """Reviews after a time, and some before."""
    query = (
        select(reviews.c.order_id, reviews.c.merchant_id, reviews.c.stars, reviews.c.at)
        .where(reviews.c.at > newest - MARGIN_S)
        .order_by(reviews.c.at)
        .limit(PAGE)
    )
    return [Reviewed(*row) for row in conn.execute(query)]


class Feed:
    """Tells one helper what it has to learn."""

    def __init__(self, ctx: Context, name: str, url: str, read: Read) -> None:
        self._ctx = ctx
        self._name = name
        self._exchange = Exchange(f"{url.rstrip('/')}/{name}/events")
        self._read = read
        self._told: set[int] = set()
        """Orders told lately, while the helper has forgotten nothing."""
        self._newest = 0.0

    async def run(self) -> None:
        """For as long as the platform runs."""
        away = False
        while True:
            try:
                while await self._tell_a_page():
                    pass
                away = False
            except (OSError, msgspec.DecodeError) as error:
                if not away:
                    log.warning("%s cannot be told of anything (%s)", self._name, error or type(error).__name__)
                away = True
            await self._ctx.clock.sleep(PAUSE_S)

    async def close(self) -> None:
        """Hang up."""
        self._exchange.close()

    async def _tell_a_page(self) -> bool:
        """Whether there may be more."""
        newest = await self._post([])
        if newest < self._newest:
            self._told.clear()  # it has forgotten
        self._newest = newest
        found = await self._ctx.db.read(lambda conn: self._read(conn, newest))
        unknown = [event for event in found if event.order_id not in self._told]
        if unknown:
            self._newest = await self._post(unknown)
        self._told = {event.order_id for event in found}
        return len(found) == PAGE and self._newest > newest

    async def _post(self, events: list[Any]) -> float:
        async with asyncio.timeout(TIMEOUT_S):
            status, raw = await self._exchange.post(msgspec.json.encode(events))
        if status != 200:
            raise ConnectionError(f"answers {status}")
        return _NEWEST.decode(raw).newest
