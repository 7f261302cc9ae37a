"""One printer: its queue, its connection and its attempts, in one task of its own.

Decides the order of an attempt: read, connect, ask for trouble, claim (committed), render, send, wait for the answer,
write the result. As every printer has its own task and connection, a dead one delays nobody else (A14). The order of a
printer's queue is kept: a ticket that is to be tried again stays at its head (`o2o_domain.tickets`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection

from o2o_domain.ticket_layout import TicketOrder, mask_phone
from o2o_domain.tickets import PrintOutcome, TicketState
from o2o_platform.kit.clock import wait_for
from o2o_platform.kit.context import Context
from o2o_platform.kit.prepared import Record
from o2o_platform.orders.repository import lines_of
from o2o_platform.printing import repository, units
from o2o_platform.printing.drivers.tcp9100 import PrinterConnection
from o2o_platform.printing.render import render

log = logging.getLogger("o2o.platform.printing")


@dataclass(frozen=True, slots=True)
class Waiting:
    """A ticket in a printer's queue."""

    ticket_id: int
    committed: float
    published: float


class Printer:
    """The printer of one merchant. `run` it in a task; `put` tickets from the same loop."""

    def __init__(self, ctx: Context, merchant_id: int, spawn: Callable[[Any], None]) -> None:
        self._ctx = ctx
        self._merchant_id = merchant_id
        self._spawn = spawn  # keeps a task for a coroutine that nobody awaits
        self._queue: deque[Waiting] = deque()
        self._not_before = 0.0  # when the head of the queue may be tried
        self._known: set[int] = set()
        self._wake = asyncio.Event()
        self._at_rest = asyncio.Event()  # no attempt is under way
        self._at_rest.set()
        self._closing = False
        self._connection: PrinterConnection | None = None
        self._address: tuple[str, int] | None = None

    def put(self, ticket: Waiting) -> None:
        """Queue a ticket; one that is queued or in hand already is left as it is."""
        if ticket.ticket_id in self._known:
            return
        self._known.add(ticket.ticket_id)
        self._queue.append(ticket)
        self._wake.set()

    async def finish(self) -> None:
        """Begin no further attempt, and return when the one under way has ended."""
        self._closing = True
        await self._at_rest.wait()

    async def run(self) -> None:
        """Print what is put, until `finish`."""
        try:
            while True:
                ticket = await self._head()
                if self._closing:
                    return
                self._at_rest.clear()
                try:
                    again = await self._attempt(ticket)
                except Exception:
                    log.exception("merchant %s: ticket %s", self._merchant_id, ticket.ticket_id)
                    again = self._ctx.clock.now() + self._ctx.settings.print_backoff_s
                finally:
                    self._at_rest.set()
                self._not_before = again or 0.0
                if again is None:
                    self._queue.popleft()
                    self._known.discard(ticket.ticket_id)
        finally:
            await self._hang_up()

    async def _head(self) -> Waiting:
        """The first ticket in the queue, once it may be tried."""
        clock, idle_s = self._ctx.clock, self._ctx.settings.print_idle_s
        while True:
            pause = idle_s
            if self._queue:
                pause = self._not_before - clock.now()
                if pause <= 0:
                    return self._queue[0]
            self._wake.clear()
            if not self._queue and self._connection is None:
                await self._wake.wait()
                continue
            try:
                await wait_for(clock, self._wake.wait(), pause)
            except TimeoutError:
                if not self._queue and self._connection is not None and not self._connection.owes:
                    await self._hang_up()

    async def _attempt(self, waiting: Waiting) -> float | None:
        """One attempt; returns when to try again, None if the ticket is settled or out of our hands."""
        ctx, ticket_id = self._ctx, waiting.ticket_id
        db, clock, policy = ctx.db, ctx.clock, ctx.settings.print_policy
        job = await db.read(lambda conn: repository.job(conn, ticket_id), quick=True)
        if job.state != TicketState.QUEUED:
            return None  # e.g. its deadline has passed in the queue
        if job.printer_host is None:
            await db.write(lambda conn: units.fail(self._seen(conn, waiting), ticket_id, "no_printer", clock.now()))
            return None
        outcome = await self._connect(job.printer_host, job.printer_port)
        connection = self._connection
        if outcome is not None or connection is None:
            cause = outcome or PrintOutcome.REFUSED
            now = clock.now()
            return await db.write(lambda conn: units.not_sent(self._seen(conn, waiting), policy, ticket_id, cause, now))
        claim = partial(
            units.claim,
            ticket_id=ticket_id,
            committed=waiting.committed,
            published=waiting.published,
            now=clock.now(),
        )
        if not await db.write(claim):
            return None
        try:
            data = render(ticket_of(job, ctx.settings.timezone_offset_s), job.printer_cols, self._link(job.order_id))
        except Exception:  # nothing was sent; a ticket that cannot be drawn today cannot be drawn tomorrow
            log.exception("ticket %s cannot be rendered", ticket_id)
            await db.write(lambda conn: units.fail(conn, ticket_id, "not_printable", clock.now()))
            return None
        rendered, delivered, code = clock.now(), None, "silent"
        try:
            done = await connection.send(ticket_id, data)
            delivered = clock.now()
            await wait_for(clock, done, policy.ack_timeout_s)  # gives the future up on a time-out
        except TimeoutError:
            code = await self._why_silent(connection)
        except OSError:
            code = "connection_lost"
            await self._hang_up()
        else:
            at, sent = clock.now(), delivered
            await db.write(lambda conn: units.printed(conn, ticket_id, rendered, sent, at))
            return None
        at, sent_at = clock.now(), delivered
        await db.write(lambda conn: units.silent(conn, policy, ticket_id, code, rendered, sent_at, at))
        return None

    @staticmethod
    def _seen(conn: Connection, waiting: Waiting) -> Connection:
        """Write the order's marks down along with whatever else is written first."""
        units.seen(conn, waiting.ticket_id, waiting.committed, waiting.published)
        return conn

    async def _connect(self, host: str, port: int) -> PrintOutcome | None:
        """Have a connection to a printer that is able to print; else say what is in the way."""
        settings = self._ctx.settings
        if self._connection is not None and (not self._connection.alive or self._address != (host, port)):
            await self._hang_up()
        if self._connection is None:
            try:
                self._connection = await PrinterConnection.open(
                    host, port, self._ctx.clock, settings.print_connect_timeout_s, self._late
                )
            except OSError:
                return PrintOutcome.REFUSED
            self._address = (host, port)
        trouble = await self._connection.trouble(settings.print_status_timeout_s)
        if trouble is PrintOutcome.BROKEN_BEFORE_SEND:
            await self._hang_up()
        return trouble

    async def _why_silent(self, connection: PrinterConnection) -> str:
        trouble = await connection.trouble(self._ctx.settings.print_status_timeout_s)
        return "silent" if trouble in (None, PrintOutcome.BROKEN_BEFORE_SEND) else str(trouble)

    def _late(self, ticket_id: int) -> None:
        now = self._ctx.clock.now()
        self._spawn(self._ctx.db.write(lambda conn: units.late(conn, ticket_id, now)))

    def _link(self, order_id: int) -> str:
        return f"{self._ctx.settings.public_url}/orders/{order_id}"

    async def _hang_up(self) -> None:
        connection, self._connection, self._address = self._connection, None, None
        if connection is not None:
            with contextlib.suppress(OSError):
                await connection.close()


def ticket_of(job: Record, timezone_offset_s: int) -> TicketOrder:
    """What is printed, from a row of `repository.job`."""
    placed = datetime.fromtimestamp(job.accepted + timezone_offset_s, UTC)
    return TicketOrder(
        order_no=job.order_no,
        merchant_name=job.merchant_name,
        lines=lines_of(job),
        items_fen=job.items_fen,
        discount_fen=job.discount_fen,
        delivery_fee_fen=job.delivery_fee_fen,
        total_fen=job.total_fen,
        note=job.note or "",
        phone_masked=mask_phone(job.phone) if job.phone else "",
        address=job.address or "",
        placed_at_text=f"{placed:%m-%d %H:%M:%S}",
        copy_no=job.copy_no,
    )
