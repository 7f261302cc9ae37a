"""The in-process stream: wakes subscribers after a commit and lets them resume from a cursor (W9).

Decides that a subscriber sees every committed event of its topics after its cursor once, in order. Recent events are
kept in a ring in memory; older ones are read back from the outbox table, so a cursor may be as old as it likes. What
an event means is the subscriber's business; whoever needs its effect exactly once keeps the cursor (or the effect's
own state) in the database.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from o2o_platform.kit import outbox
from o2o_platform.kit.outbox import Event

T = TypeVar("T")
Reader = Callable[[Callable[[Connection], list[Event]]], Awaitable[list[Event]]]

RING = 16_384
"""Events kept in memory; a subscriber that falls further behind reads from the table."""
PAGE = 500


class Stream:
    """Committed events in order. Call `delivered` on the loop's thread only."""

    def __init__(self, read: Reader, last_id: int, ring: int = RING) -> None:
        self._read = read
        self._ring: deque[Event] = deque(maxlen=ring)
        self._last_id = last_id
        self._waiters: set[asyncio.Future[None]] = set()
        self._closed = False

    @property
    def last_id(self) -> int:
        """Cursor of the newest event: subscribe from here to see only what is still to come."""
        return self._last_id

    def delivered(self, events: Sequence[Event]) -> None:
        """Take events that have just been committed and wake everyone who waits."""
        self._ring.extend(events)
        self._last_id = events[-1].id
        self._wake()

    def close(self) -> None:
        """End all subscriptions after what they have already been given."""
        self._closed = True
        self._wake()

    async def subscribe(self, topics: Sequence[str], cursor: int) -> AsyncGenerator[Event, None]:
        """Events of `topics` (all if empty) with an id above `cursor`, for ever, until `close`."""
        wanted = frozenset(topics)
        while not self._closed:
            if cursor >= self._last_id:
                await self._wait()
                continue
            for event in await self._after(cursor):
                cursor = event.id
                if not wanted or event.topic in wanted:
                    yield event

    async def _after(self, cursor: int) -> list[Event]:
        ring = self._ring
        if ring and ring[0].id <= cursor + 1:
            newest = ring[-1].id  # ids have no gaps: the wanted ones are the last `newest - cursor`
            count = newest - cursor
            return [ring[i] for i in range(len(ring) - count, len(ring))]
        return await self._read(lambda conn: outbox.read_after(conn, cursor, PAGE))

    async def _wait(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(future)
        try:
            await future
        finally:
            self._waiters.discard(future)

    def _wake(self) -> None:
        for future in self._waiters:
            if not future.done():
                future.set_result(None)
