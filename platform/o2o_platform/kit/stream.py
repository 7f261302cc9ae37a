"""The in-process stream: wakes subscribers after a commit and lets them resume from a cursor (W9).

Decides that a subscriber sees every committed event of its topics after its cursor once, in order. Recent events are
kept in a ring in memory; older ones are read back from the outbox table, so a cursor may be as old as it likes (within
what the outbox keeps). Embedded, the database hands over what it has committed; scaled, each process tails the Redis
stream, whose entries have the same positions. What an event means is the subscriber's business; whoever needs its
effect exactly once keeps the cursor (or the effect's own state) in the database.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

from o2o_platform.kit.outbox import START, Event, Position

Reader = Callable[[Position, int], Awaitable[list[Event]]]
"""`Database.events_after`."""

RING = 16_384
"""Events kept in memory; a subscriber that falls further behind reads from the table."""
PAGE = 500


class Stream:
    """Committed events in order. Call `delivered` on the loop's thread only."""

    def __init__(self, read: Reader, last_id: Position = START, ring: int = RING) -> None:
        self._read = read
        self._ring: deque[Event] = deque()
        self._size = ring
        self._floor = self._last_id = last_id
        self._waiters: set[asyncio.Future[None]] = set()
        self._closed = False

    @property
    def last_id(self) -> Position:
        """Cursor of the newest event: subscribe from here to see only what is still to come."""
        return self._last_id

    def begin_at(self, last_id: Position) -> None:
        """Say what the newest event is, before the first is delivered."""
        self._floor = self._last_id = last_id

    def delivered(self, events: Sequence[Event]) -> None:
        """Take events that have just been committed and wake everyone who waits."""
        ring = self._ring
        ring.extend(events)
        while len(ring) > self._size:
            self._floor = ring.popleft().id
        self._last_id = events[-1].id
        self._wake()

    def close(self) -> None:
        """End all subscriptions after what they have already been given."""
        self._closed = True
        self._wake()

    async def subscribe(self, topics: Sequence[str], cursor: Position) -> AsyncGenerator[Event, None]:
        """Events of `topics` (all if empty) with an id above `cursor`, for ever, until `close`."""
        wanted = frozenset(topics)
        while not self._closed:
            if cursor >= self._last_id:
                await self._wait()
                continue
            found = await self._after(cursor)
            if not found:  # the stream tells of it before this database lets it be read
                await asyncio.sleep(0.01)
            for event in found:
                cursor = event.id
                if not wanted or event.topic in wanted:
                    yield event

    async def _after(self, cursor: Position) -> list[Event]:
        if cursor >= self._floor:  # everything after it is in the ring
            found = []
            for event in reversed(self._ring):
                if event.id <= cursor:
                    break
                found.append(event)
            found.reverse()
            return found
        return await self._read(cursor, PAGE)

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
