"""One printer: its queue, its connection and its attempts, in one task of its own.

Decides the order of an attempt: connect, ask for trouble, claim (committed), render, send, wait for the answer, write
the result. As every printer has its own task and connection, a dead one delays nobody else (A14). The order of a
printer's queue is that of its tickets' ids: a ticket that is to be tried again stays at its head
(`o2o_domain.tickets`). One ticket is under way at a time: a second could not be put out any sooner, and after a broken
connection nobody could say which of two is on paper.

The queue holds `AHEAD` tickets in memory; what goes beyond stays in the table, from where whoever feeds the printer
brings it again (`missed_at`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from bisect import insort
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from o2o_domain.tickets import PrintOutcome, TicketState
from o2o_platform.errors import Conflict, NotFound, Unavailable
from o2o_platform.kit import logs
from o2o_platform.kit.clock import wait_for
from o2o_platform.kit.context import Context
from o2o_platform.printing.book import Address, Book, Waiting
from o2o_platform.printing.drivers import Answer, Connection, Driver, Link, PrintFailed
from o2o_platform.printing.drivers.registry import driver_of
from o2o_platform.printing.drivers.tcp9100 import within
from o2o_platform.printing.job import Job, ticket_of
from o2o_platform.printing.media.escpos import with_logo

log = logging.getLogger("o2o.platform.printing")


class Printer:
    """The printer of one merchant. `run` it in a task; `put` tickets from the same loop."""

    def __init__(
        self, ctx: Context, book: Book, merchant_id: int, spawn: Callable[[Any], None], ahead: int | None = None
    ) -> None:
        self._ctx = ctx
        self._book = book
        self._merchant_id = merchant_id
        self._spawn = spawn  # keeps a task for a coroutine that nobody awaits
        self._ahead = ahead
        self._lines = logs.RequestLines(ctx.settings.log_sample)
        self._queue: list[Waiting] = []
        self._not_before = 0.0  # when the head of the queue may be tried
        self._known: set[int] = set()
        self._wake = asyncio.Event()
        self._at_rest = asyncio.Event()  # no attempt is under way
        self._at_rest.set()
        self._closing = False
        self._connection: Connection | None = None
        self._driver: Driver | None = None  # of the connection
        self._address: Address | None = None
        self._used = 0.0
        self.missed_at: float | None = None
        """When a ticket of this printer was last left in the table; None: all of them are here."""
        self._answered: int | None = None  # the ticket in hand, if its answer came when nobody waited any more
        self.in_hand: int | None = None
        """The ticket that is being tried."""

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, ticket: Waiting) -> bool:
        """Queue a ticket, in order; one that is here already is left as it is. False if there is no room for it."""
        if ticket.ticket_id in self._known:
            return True
        if self._ahead is not None and len(self._queue) >= self._ahead:
            return False
        self._known.add(ticket.ticket_id)
        queue = self._queue
        if not queue or queue[-1].ticket_id < ticket.ticket_id:
            queue.append(ticket)
        else:  # found later than its followers; what is under way stays at the head
            insort(queue, ticket, lo=0 if self.in_hand is None else 1)
        self._wake.set()
        return True

    def forget(self) -> None:
        """Drop what waits; it is somebody else's now."""
        del self._queue[0 if self.in_hand is None else 1 :]
        self._known = {ticket.ticket_id for ticket in self._queue}

    async def finish(self) -> None:
        """Begin no further attempt, and return when the one under way has ended."""
        self._closing = True
        self._wake.set()
        await self._at_rest.wait()

    async def tidy(self, now: float) -> None:
        """Hang up if nothing was printed for a while: a printer takes one connection at a time, others wait."""
        connection = self._connection
        if connection is None or self._queue or connection.owes or self.in_hand is not None:
            return
        if now - self._used >= self._ctx.settings.print_idle_s:
            await self._hang_up()

    async def run(self) -> None:
        """Print what is put, until `finish`."""
        try:
            while True:
                ticket = await self._head()
                if self._closing:
                    return
                self._at_rest.clear()
                self.in_hand = ticket.ticket_id
                try:
                    again = await self._attempt(ticket)
                except Exception as error:
                    again = self._after_error(ticket, error)
                finally:
                    self.in_hand = None
                    self._at_rest.set()
                self._not_before = again or 0.0
                if again is None:
                    self._queue.pop(0)
                    self._known.discard(ticket.ticket_id)
        finally:
            await self._hang_up()

    def _after_error(self, ticket: Waiting, error: Exception) -> float | None:
        if isinstance(error, Conflict | NotFound):  # somebody else has settled it
            log.info("merchant %s: ticket %s: %s", self._merchant_id, ticket.ticket_id, error)
            return None
        log.error("merchant %s: ticket %s: %r", self._merchant_id, ticket.ticket_id, error, exc_info=error)
        return self._ctx.clock.now() + self._ctx.settings.print_backoff_s

    async def _head(self) -> Waiting:
        """The first ticket in the queue, once it may be tried; any, when closing."""
        clock = self._ctx.clock
        while True:
            if self._closing:
                return Waiting(0, 0.0, 0.0)
            self._wake.clear()
            if not self._queue:
                await self._wake.wait()
                continue
            pause = self._not_before - clock.now()
            if pause <= 0:
                return self._queue[0]
            with contextlib.suppress(TimeoutError):
                await wait_for(clock, self._wake.wait(), pause)

    async def _attempt(self, waiting: Waiting) -> float | None:
        """One attempt; returns when to try again, None if the ticket is settled or out of our hands."""
        book = self._book
        if self._connection is None or not self._connection.alive or self._address is None:
            job = await book.job(waiting.ticket_id)
            if job.state != TicketState.QUEUED:
                return None  # e.g. its deadline has passed in the queue
            if job.printer is None:
                await book.fail(waiting, "no_printer")
                return None
            driver = driver_of(job.printer)
            if driver is None:
                return None  # it comes for its tickets by itself
            trouble = await self._connect(driver, job.printer)
        else:
            trouble = await self._trouble(self._connection)
        if trouble is not None:
            return await book.not_sent(waiting, trouble)
        connection, address, driver = self._connection, self._address, self._driver
        if connection is None or address is None or driver is None:
            return await book.not_sent(waiting, PrintOutcome.REFUSED)
        claimed = await book.claim(waiting, address)
        if claimed is None:
            return await self._not_claimed(waiting)
        await self._print(waiting, claimed, driver, connection)
        return None

    async def _print(self, waiting: Waiting, job: Job, driver: Driver, connection: Connection) -> None:
        """Send a claimed ticket and write down how that went."""
        book, settings, clock = self._book, self._ctx.settings, self._ctx.clock
        ticket_id = job.ticket_id
        try:
            data = driver.media(ticket_of(job, settings.timezone_offset_s), job.width, self._link(job.order_id))
            if settings.print_logo and driver.scheme == "tcp":
                data = with_logo(data)
        except Exception:  # nothing was sent; a ticket that cannot be drawn today cannot be drawn tomorrow
            log.exception("ticket %s cannot be rendered", ticket_id)
            await book.fail(waiting, "not_printable")
            return
        rendered, delivered, code = clock.now(), None, "silent"
        try:
            done = await connection.send(ticket_id, data)
            delivered = clock.now()
            answer = await within(clock, done, settings.print_ack_timeout_s)  # gives the future up on a time-out
        except TimeoutError:
            code = await self._why_silent(connection)
        except OSError:
            code = "connection_lost"
            await self._hang_up()
        except PrintFailed as failed:
            await self._insist(partial(book.refused, ticket_id, failed.code))
            self._tell(job, failed.code, clock.now() - rendered)
            return
        else:
            self._used = clock.now()
            if answer is Answer.TAKEN:
                await self._insist(partial(book.taken, job, rendered, delivered))
            else:
                await self._insist(partial(book.printed, job, rendered, delivered, self._used))
            if self._lines.wanted(200):
                self._tell(job, answer.name.lower(), self._used - rendered)
            return
        if self._has_answered(ticket_id) and delivered is not None:  # while it was asked why it had not
            await self._insist(partial(book.printed, job, rendered, delivered, clock.now()))
            self._tell(job, "printed", clock.now() - rendered)
            return
        await self._insist(partial(book.silent, ticket_id, code, rendered, delivered))
        self._tell(job, code, clock.now() - rendered)
        if self._has_answered(ticket_id):  # while that was written
            await self._insist(partial(book.late, ticket_id))

    def _tell(self, job: Job, outcome: str, took_s: float) -> None:
        """The attempt's line."""
        merchant, ms = self._merchant_id, round(took_s * 1000, 1)
        logs.line("print", ticket_id=job.ticket_id, order_id=job.order_id, merchant_id=merchant, outcome=outcome, ms=ms)

    async def _insist(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write down what has happened, however long the database is away: it will not happen again."""
        while True:
            try:
                await write()
            except Unavailable as error:
                log.warning("merchant %s: a result cannot be written yet: %s", self._merchant_id, error)
                await self._ctx.clock.sleep(self._ctx.settings.print_backoff_s)
            else:
                return

    async def _not_claimed(self, waiting: Waiting) -> float | None:
        job = await self._book.job(waiting.ticket_id)
        if job.state != TicketState.QUEUED:
            return None
        now = self._ctx.clock.now()
        if job.printer == self._address:
            return now + self._ctx.settings.print_backoff_s  # not ours to claim: whoever feeds us will notice
        await self._hang_up()  # the printer has moved
        return now

    async def _connect(self, driver: Driver, printer: Address) -> PrintOutcome | None:
        """Have a connection to a printer that is able to print; else say what is in the way."""
        await self._hang_up()
        try:
            connection = await driver.open(printer, Link(self._ctx, self._late))
        except OSError:
            return PrintOutcome.REFUSED
        self._connection, self._address, self._driver = connection, printer, driver
        self._used = self._ctx.clock.now()
        return await self._trouble(connection)

    async def _trouble(self, connection: Connection) -> PrintOutcome | None:
        trouble = await connection.trouble(self._ctx.settings.print_status_timeout_s)
        if trouble is PrintOutcome.BROKEN_BEFORE_SEND:
            await self._hang_up()
        return trouble

    async def _why_silent(self, connection: Connection) -> str:
        trouble = await connection.trouble(self._ctx.settings.print_status_timeout_s)
        return "silent" if trouble in (None, PrintOutcome.BROKEN_BEFORE_SEND) else str(trouble)

    def _late(self, ticket_id: int) -> None:
        if ticket_id == self.in_hand:  # it is no late result yet: the attempt is still being written down
            self._answered = ticket_id
        else:
            self._spawn(self._book.late(ticket_id))

    def _has_answered(self, ticket_id: int) -> bool:
        return self._answered == ticket_id

    def _link(self, order_id: int) -> str:
        return f"{self._ctx.settings.public_url}/orders/{order_id}"

    async def _hang_up(self) -> None:
        connection, self._connection, self._address = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(OSError):
                await connection.close()
