"""The print dispatcher: from the stream to the printers, and the watch over deadlines.

Decides which printer gets a ticket (the merchant's own), and that after a start everything unfinished is taken up
again before anything new.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Coroutine
from typing import Any

from o2o_platform.kit.context import Context
from o2o_platform.printing import repository, units
from o2o_platform.printing.printer import Printer, Waiting

log = logging.getLogger("o2o.platform.printing")


class Dispatcher:
    """One per platform. `recover` once, then `run` and `watch` as background tasks."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._cursor = 0
        self._printers: dict[int, Printer] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def recover(self) -> None:
        """Take up what the last process left: queued tickets are printed, claimed ones become unconfirmed."""
        ctx, now = self._ctx, self._ctx.clock.now()
        self._cursor = ctx.stream.last_id
        for ticket_id, merchant_id, queued in await ctx.db.write(
            lambda conn: units.recover(conn, ctx.settings.print_policy, now), long=True
        ):
            self._put(merchant_id, Waiting(ticket_id, queued, now))

    async def run(self) -> None:
        """Give every queued ticket to its printer."""
        clock = self._ctx.clock
        async for event in self._ctx.stream.subscribe((repository.TOPIC,), self._cursor):
            self._cursor = event.id
            if event.name == "queued":
                now = clock.now()
                item = Waiting(event.payload["ticket_id"], event.committed or event.at, now)
                self._put(event.payload["merchant_id"], item)

    async def watch(self) -> None:
        """Fail tickets at their deadline and escalate, for ever."""
        while True:
            await self.check()
            await self._ctx.clock.sleep(self._ctx.settings.sweep_interval_s)

    async def check(self) -> int:
        """Fail and escalate what is due now; returns how many tickets were touched."""
        db, policy, now = self._ctx.db, self._ctx.settings.print_policy, self._ctx.clock.now()
        if not await db.read(lambda conn: repository.late(conn, now - policy.deadline_s)):
            return 0  # most of the time, and reading disturbs no writer
        return await db.write(lambda conn: units.watch(conn, policy, now))

    async def close(self) -> None:
        """Let the tickets in hand come to their end, for a while; then end the printers' tasks and hang up.

        What is still not answered by then stays `claimed`, and is found unconfirmed at the next start.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._ctx.settings.print_drain_s):
                await asyncio.gather(*(printer.finish() for printer in self._printers.values()))
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _put(self, merchant_id: int, ticket: Waiting) -> None:
        printer = self._printers.get(merchant_id)
        if printer is None:
            printer = self._printers[merchant_id] = Printer(self._ctx, merchant_id, self._spawn)
            self._spawn(printer.run())
        printer.put(ticket)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("printing: %s", task.exception(), exc_info=task.exception())
