"""The print dispatcher of an embedded platform, and the watch over deadlines of any.

Decides which printer gets a ticket (the merchant's own), and that after a start everything unfinished is taken up
again before anything new. Where there are several dispatchers, `consumer` does this.
"""

from __future__ import annotations

from o2o_platform.kit.context import Context
from o2o_platform.kit.outbox import START
from o2o_platform.printing import remote, repository, units
from o2o_platform.printing.book import UnitsBook, Waiting
from o2o_platform.printing.printers import Printers

WATCHED = 200
"""Tickets that the watch deals with in one unit of work."""


class Dispatcher:
    """The only one. `recover` once, then `run` as a background task; `close` at the end."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._cursor = START
        self.printers = Printers(ctx, UnitsBook(ctx.db, ctx.clock, ctx.settings.print_policy))

    async def recover(self) -> None:
        """Take up what the last process left: queued tickets are printed, claimed ones become unconfirmed."""
        ctx, now = self._ctx, self._ctx.clock.now()
        self._cursor = ctx.stream.last_id
        for ticket_id, merchant_id, queued in await ctx.db.write(
            lambda conn: units.recover(conn, ctx.settings.print_policy, now), long=True
        ):
            self.printers.put(merchant_id, Waiting(ticket_id, queued, now))

    async def run(self) -> None:
        """Give every queued ticket to its printer."""
        clock = self._ctx.clock
        async for event in self._ctx.stream.subscribe((repository.TOPIC,), self._cursor):
            self._cursor = event.id
            if event.name == "queued":
                item = Waiting(event.payload["ticket_id"], event.committed or event.at, clock.now())
                self.printers.put(event.payload["merchant_id"], item)

    async def close(self) -> None:
        """End the printers' tasks."""
        await self.printers.close()


class Watch:
    """Fails tickets at their deadline, climbs the ladder, and gives up waiting for devices; one process at a time."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx

    async def run(self) -> None:
        """For ever."""
        while True:
            while await self.check() >= WATCHED:
                pass
            await self._ctx.clock.sleep(self._ctx.settings.sweep_interval_s)

    async def check(self) -> int:
        """Fail and escalate what is due now; returns how many tickets were touched."""
        db, settings, now = self._ctx.db, self._ctx.settings, self._ctx.clock.now()
        policy, times = settings.print_policy, {"offer_s": settings.print_offer_s, "result_s": settings.print_result_s}
        touched = 0
        # Most of the time nothing is due, and reading disturbs no writer.
        if await db.read(lambda conn: remote.lapsed(conn, now, **times)):
            touched += await db.write(lambda conn: remote.lapse(conn, policy, now, limit=WATCHED, **times))
        if await db.read(lambda conn: units.due(conn, policy, now)):
            touched += await db.write(lambda conn: units.watch(conn, policy, now, WATCHED))
        return touched
