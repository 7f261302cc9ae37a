"""A connection to PostgreSQL of one's own, for batches: opened when it is needed, opened again when it was lost.

Decides that the backend of a lost connection is ended before another connection is used: it might still be at work on
the batch, and commit it after a second try has found that nothing was committed. And decides which errors say that a
batch was lost, through no fault of its items: the connection is gone, the server shuts down or starts up, a deadlock or
serialization failure chose this transaction. Whoever batches tries such a batch again.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import asyncpg

from o2o_platform.kit.database.broken import BROKEN, TROUBLE

if TYPE_CHECKING:
    from o2o_platform.kit.database import Database

_LOST_CLASSES = ("08", "57P", "40")
"""Connection exceptions; shutdown, crash, start-up; transactions rolled back by the server's own choice."""
_LOST = {"53300"}  # too many connections
_PLANS = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off"
"""Batches name rows by their keys: index by index is right at any size. A statement that is planned while the tables
are empty would else read them from end to end, and go on doing so when they are large."""
_SELF = "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2"
"""Waits until it has ended."""


class Line:
    """See the module. One user at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._conn: asyncpg.Connection | None = None
        self._backend: asyncpg.Record | None = None
        self.opened = 0
        """Connections made so far."""

    async def get(self) -> asyncpg.Connection:
        """The connection. Raises what `lost` knows if there is none to be had."""
        conn = self._conn
        if conn is None or conn.is_closed():
            conn = await self._db.connect()
            try:
                if self._backend is not None:
                    await conn.fetch(_END, *self._backend)
                self._backend = await conn.fetchrow(_SELF)
                await conn.execute(_PLANS)
            except BaseException:
                conn.terminate()
                raise
            self._conn = conn
            self.opened += 1
        return conn

    def drop(self) -> None:
        """It is not to be trusted any more: the next `get` opens another."""
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None

    async def close(self) -> None:
        """Hang up."""
        if self._conn is not None:
            with contextlib.suppress(*TROUBLE):
                await self._conn.close(timeout=2.0)
            self._conn = None


def lost(exc: Exception) -> bool:
    """Whether the error says nothing about the items of a batch."""
    if isinstance(exc, asyncpg.PostgresError):
        state = exc.sqlstate or ""
        return state.startswith(_LOST_CLASSES) or state in _LOST
    # asyncpg raises a DataError (an InterfaceError too) for values that it cannot encode: that is an item's fault.
    return isinstance(exc, BROKEN) and not isinstance(exc, ValueError)
