"""The bell: tells the relay that something was committed, without being in anybody's way.

NOTIFY inside a transaction makes commits wait for one another, so it is sent after them, on a connection of its own.
Rings that come while one is being sent are sent as one; a ring that is lost is made good by the relay's polling.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import asyncpg

from o2o_platform.kit.database.broken import TROUBLE
from o2o_platform.kit.outbox import CHANNEL

log = logging.getLogger("o2o.platform.database")

PAUSE_S = 0.5
"""Before another connection is tried."""


class Bell:
    """`ring` as often as you like."""

    def __init__(self, connect: Callable[[], Awaitable[asyncpg.Connection]]) -> None:
        self._connect = connect
        self._rung = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def ring(self) -> None:
        """Something was committed."""
        self._rung.set()

    async def start(self) -> None:
        """Begin to pass rings on."""
        self._task = asyncio.create_task(self._run(), name="bell")

    async def stop(self) -> None:
        """End; a ring that is still to be sent is left to the relay's polling."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                conn = await self._connect()
                try:
                    await conn.execute("SET synchronous_commit = off")
                    while True:
                        await self._rung.wait()
                        self._rung.clear()
                        await conn.execute(f"NOTIFY {CHANNEL}")
                finally:
                    conn.terminate()
            except TROUBLE as error:
                log.debug("bell: %s", error)
                await asyncio.sleep(PAUSE_S)
