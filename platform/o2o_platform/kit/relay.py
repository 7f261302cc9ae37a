"""The relay: copies the outbox into the Redis stream, in order, without a gap, and writes nothing down about it (W9).

Decides what is copied when. One relay works at a time (a lease in the database; others wait and take over when its
process dies). It goes on after the last id that Redis itself has, reads rows that lie below the oldest open transaction
(nothing can be committed among those any more), and appends them with their positions as ids. So it may be killed at
any moment, and a Redis that comes back without its tail (AOF, everysec) or empty is filled again by the next batch:
consumers see some entries twice and must not mind. Into an empty Redis go as many of the newest events as the stream
keeps; older ones are in the outbox, where feeds read them back, and tickets among them are found by the dispatchers'
own sweep of the table.

It is woken by NOTIFY and looks by itself every `poll_s`. Rows older than `keep_s` that Redis has are taken out of the
outbox.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any

import asyncpg
from redis.exceptions import RedisError

from o2o_platform.errors import PlatformError
from o2o_platform.kit.clock import Clock
from o2o_platform.kit.database import Database
from o2o_platform.kit.database.broken import TROUBLE
from o2o_platform.kit.outbox import BOUND, CHANNEL, LAST, READ_AFTER, START, Position
from o2o_platform.kit.redis_stream import Entry, RedisStream

log = logging.getLogger("o2o.platform.relay")

BATCH = 1000
"""Events appended at once at most."""
LINGER_S = 0.003
"""After a batch that was not full: what is committed in this time goes together. Ten rounds cost what one does."""
PAUSE_S = 0.1
"""Before the database is tried again."""
CHECK_EVERY_S = 1.0
"""While nothing happens, Redis is asked so often whether it still has its tail."""
TRIM_EVERY_S = 10.0
TRIM_ROWS = 20_000
"""Rows taken out of the outbox in one go, at most."""

Routes = Mapping[tuple[str, str], Callable[[str], str]]
"""(topic, name) -> the work queue that gets such an event too, by its payload (JSON text)."""

_TRIM = """
    WITH old AS (
        SELECT xid, id FROM (SELECT xid, id, at FROM outbox ORDER BY xid, id LIMIT $4) oldest
        WHERE at < $1 AND (xid, id) <= ($2::text::xid8, $3::bigint)
    )
    DELETE FROM outbox o USING old WHERE (o.xid, o.id) = (old.xid, old.id)"""


class Relay:
    """`run` it in a process with the duty; figures are of this process since its start."""

    def __init__(
        self,
        db: Database,
        stream: RedisStream,
        *,
        clock: Clock,
        poll_s: float = 0.05,
        keep: int = 100_000,
        keep_s: float = 6 * 3600.0,
        routes: Routes | None = None,
    ) -> None:
        self._db = db
        self._stream = stream
        self._clock = clock
        self._poll_s = poll_s
        self._keep = keep
        self._keep_s = keep_s
        self._routes: Routes = {} if routes is None else routes  # which may still be filled
        self._rung = asyncio.Event()
        self._trimmed_at = clock.now()
        self.active = False
        """Whether it is this one's turn."""
        self.relayed = 0
        self.batches = 0
        self.resumed = 0
        """Times that Redis was found to end elsewhere than where this relay had left it."""
        self.trimmed = 0
        self.lag_s = 0.0
        """How old the oldest event of the last batch was when it was appended."""

    @property
    def figures(self) -> dict[str, float]:
        """For the process's metrics."""
        names = ("active", "relayed", "batches", "resumed", "trimmed", "lag_s")
        return {name: float(getattr(self, name)) for name in names}

    async def run(self) -> None:
        """Relay for ever, whenever it is this process's turn."""
        while True:
            try:
                async with self._db.lease("relay"):
                    self.active = True
                    await self._hold()
            except (*TROUBLE, RedisError, PlatformError) as error:
                log.warning("relay: %r; it begins again", error)
            finally:
                self.active = False
            await asyncio.sleep(PAUSE_S)

    async def _hold(self) -> None:
        conn = await self._db.connect()
        try:
            await conn.add_listener(CHANNEL, self._ring)
            while True:
                await self._from(conn, await self._stream.insist(self._stream.last))
        finally:
            with contextlib.suppress(Exception):
                await conn.close(timeout=1.0)

    def _ring(self, *_: Any) -> None:
        self._rung.set()

    async def _from(self, conn: asyncpg.Connection, last: Position) -> None:
        """Go on behind `last`, the end of the stream, until the stream turns out to end elsewhere."""
        cursor, checked = last, asyncio.get_running_loop().time()
        if last.xid >= int(await conn.fetchval("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")):
            raise PlatformError("other_stream", f"the stream ends at {last}, which this database has not come to")
        if last == START:
            row = await conn.fetchrow(LAST, str(await conn.fetchval(BOUND)), self._keep)
            cursor = START if row is None else Position(row["xid"], row["id"])
        while True:
            self._rung.clear()
            bound = await conn.fetchval(BOUND)
            rows = await conn.fetch(READ_AFTER, str(cursor.xid), cursor.seq, BATCH, [], str(bound))
            if rows:
                entries = [self._entry(row) for row in rows]
                now, after = self._clock.now(), last

                async def append(entries: list[Entry] = entries, after: Position = after, now: float = now) -> bool:
                    return await self._stream.add(entries, after, now)

                if not await self._stream.insist(append):
                    self.resumed += 1
                    return
                last = cursor = entries[-1].id
                self.relayed += len(entries)
                self.batches += 1
                self.lag_s = now - entries[0].at
            else:
                self.lag_s = 0.0
                if asyncio.get_running_loop().time() - checked > CHECK_EVERY_S:
                    if await self._stream.insist(self._stream.last) != last:
                        self.resumed += 1
                        return
                    checked = asyncio.get_running_loop().time()
            await self._trim(conn, last)
            if len(rows) < BATCH:
                await self._wait(linger=bool(rows))

    def _entry(self, row: asyncpg.Record) -> Entry:
        xid, seq, at, topic, name, payload = row
        route = self._routes.get((topic, name))
        return Entry(Position(xid, seq), at, topic, name, payload, None if route is None else route(payload))

    async def _wait(self, linger: bool) -> None:
        if linger:
            await asyncio.sleep(LINGER_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._poll_s):
                await self._rung.wait()

    async def _trim(self, conn: asyncpg.Connection, last: Position) -> None:
        now = self._clock.now()
        if now - self._trimmed_at < TRIM_EVERY_S:
            return
        self._trimmed_at = now
        told = await conn.execute(_TRIM, now - self._keep_s, str(last.xid), last.seq, TRIM_ROWS)
        self.trimmed += int(told.rsplit(" ", 1)[1])
