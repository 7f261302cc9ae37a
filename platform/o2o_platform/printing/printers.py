"""All the printers that one process feeds, by merchant.

Decides that a printer's task is made with its first ticket, and how the tasks come to an end.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from o2o_platform.kit.context import Context
from o2o_platform.printing.book import Book, Waiting
from o2o_platform.printing.printer import Printer

log = logging.getLogger("o2o.platform.printing")


class Printers:
    """See the module. `ahead`: tickets that one printer's queue holds at most (none: any number)."""

    def __init__(self, ctx: Context, book: Book, ahead: int | None = None) -> None:
        self._ctx = ctx
        self._book = book
        self._ahead = ahead
        self._printers: dict[int, Printer] = {}
        self._leaving: set[Printer] = set()  # whose merchants are somebody else's from now on
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._printers)

    @property
    def held(self) -> int:
        """Tickets in the queues."""
        return sum(map(len, self._printers.values()))

    @property
    def in_hand(self) -> set[int]:
        """Tickets that are being tried now."""
        everyone = (*self._printers.values(), *self._leaving)
        return {printer.in_hand for printer in everyone if printer.in_hand is not None}

    def put(self, merchant_id: int, ticket: Waiting, *, sweep: bool = False) -> None:
        """Queue a ticket at its merchant's printer. What does not go in is left to the next sweep of the table,
        and so is all that follows it until then: its order is the table's."""
        printer = self._printers.get(merchant_id)
        if printer is None:
            printer = self._printers[merchant_id] = Printer(self._ctx, self._book, merchant_id, self.spawn, self._ahead)
            self.spawn(printer.run())
        if (printer.missed_at is not None and not sweep) or not printer.put(ticket):
            printer.missed_at = self._ctx.clock.now()

    def swept(self, before: float) -> None:
        """All tickets that were queued before this time have been put: who has missed none since is up to date."""
        for printer in self._printers.values():
            if printer.missed_at is not None and printer.missed_at <= before:
                printer.missed_at = None

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Keep a task for a coroutine that nobody awaits."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def tidy(self) -> None:
        """Hang up where nothing happens, for ever."""
        clock, idle_s = self._ctx.clock, self._ctx.settings.print_idle_s
        while True:
            await clock.sleep(max(idle_s / 4, 0.05))
            for printer in list(self._printers.values()):
                await printer.tidy(clock.now())

    async def let_go(self, mine: Callable[[int], bool]) -> None:
        """End the printers of the merchants that `mine` does not name; returns when nothing of theirs is in hand."""
        leaving = {number: printer for number, printer in self._printers.items() if not mine(number)}
        for number, printer in leaving.items():
            printer.forget()
            del self._printers[number]
        self._leaving |= set(leaving.values())
        await asyncio.gather(*(printer.finish() for printer in leaving.values()))
        self._leaving -= set(leaving.values())

    async def close(self) -> None:
        """Let the tickets in hand come to their end, for a while; then end the printers' tasks and hang up.

        What is still not answered by then stays `claimed`, and is found unconfirmed by whoever is next.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._ctx.settings.print_drain_s):
                await asyncio.gather(*(printer.finish() for printer in (*self._printers.values(), *self._leaving)))
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("printing: %s", task.exception(), exc_info=task.exception())
