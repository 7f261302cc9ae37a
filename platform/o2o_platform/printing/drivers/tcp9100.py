"""Driver for printers on raw TCP (port 9100): one connection, ESC/POS out, status and process ids back.

Raw TCP has no framing, job id or acknowledgement, so the driver asks for them in the printer's own language: DLE EOT 2
and 4 before a ticket is sent (cover, error, paper; both questions in one packet, their answers come in order), and
GS ( H function 48 after it, whose answer comes when all before it has been processed. That answer, and nothing else,
means printed. Decides nothing about what follows a failure.

No ticket goes to a printer that has said that it cannot print. A printer that knows GS a (automatic status) says so by
itself, on this connection, at the moment at which paper ends or the cover opens: what we know is then never older than
what an answer to a question would be on its way to us, so it is not asked, which saves a round trip a ticket. It is
asked all the same when it has not been heard of for `FRESH_S`: a printer without power says nothing. One that does not
know GS a passes it over, and is asked before every ticket.

A protocol of its own on the transport, not a pair of streams: a ticket then costs one write, two callbacks and two
futures, and its time-outs are plain timers of the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar, cast

from o2o_domain.printers import PrinterAddress, printer_address
from o2o_domain.tickets import PrintOutcome
from o2o_platform.kit.clock import Clock, SystemClock, wait_for
from o2o_platform.printing.drivers import Answer, Connection, Driver, Link
from o2o_platform.printing.drivers.replies import Auto, Done, Replies, process_id, ticket_id
from o2o_platform.printing.media.escpos import render

ASK_OFFLINE_CAUSE = b"\x10\x04\x02"
ASK_PAPER = b"\x10\x04\x04"
COVER_OPEN, PAPER_STOP, ERROR = 0x04, 0x20, 0x40  # bits of the answer to DLE EOT 2
PAPER_END = 0x60  # of the answer to DLE EOT 4
TELL_CHANGES = b"\x1da\x0e"
"""GS a: automatic status of cover and line, errors, paper."""
FRESH_S = 1.0
"""A printer that was heard of within this time is taken to be there."""
UNSENT_BYTES = 256 * 1024
"""Bytes that may wait in the transport for a printer that does not take them; several tickets' worth."""

T = TypeVar("T")


def ask_done(ticket: int) -> bytes:
    """GS ( H function 48: have the printer answer with this ticket's id when it gets there."""
    return b"\x1d\x28\x48\x06\x00\x30\x30" + process_id(ticket)


async def within(clock: Clock, future: asyncio.Future[T], seconds: float) -> T:
    """The future's result. Raises TimeoutError after `seconds`; the future is then given up.

    On the wall clock it is one timer of the loop, a tenth of what `asyncio.timeout` costs.
    """
    if not isinstance(clock, SystemClock):
        return await wait_for(clock, future, seconds)
    timer = asyncio.get_running_loop().call_later(seconds, _expire, future)
    try:
        return await future
    finally:
        timer.cancel()


def _expire(future: asyncio.Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


class PrinterConnection(asyncio.Protocol):
    """One open connection. `late` is called with the id of a ticket whose answer nobody waited for any more."""

    def __init__(self, clock: Clock, late: Callable[[int], None]) -> None:
        self._clock = clock
        self._late = late
        self._transport: asyncio.Transport | None = None
        self._replies = Replies()
        self._status: asyncio.Future[list[int]] | None = None
        self._bits: list[int] = []
        self._loop = asyncio.get_running_loop()
        self._auto: Auto | None = None  # the state that the printer last told by itself
        self._heard = 0.0  # loop's clock
        self._told = False  # to tell changes
        self._done: dict[int, asyncio.Future[Answer]] = {}
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @classmethod
    async def open(
        cls, host: str, port: int, clock: Clock, timeout_s: float, late: Callable[[int], None]
    ) -> PrinterConnection:
        """Connect. Raises OSError (or TimeoutError, which is one) if there is no connection in time."""
        loop = asyncio.get_running_loop()
        connecting = loop.create_connection(lambda: cls(clock, late), host, port)
        return (await wait_for(clock, connecting, timeout_s))[1]

    @property
    def alive(self) -> bool:
        """Neither side has closed it."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def owes(self) -> bool:
        """Whether an answer is still due on this connection."""
        return bool(self._done)

    async def trouble(self, timeout_s: float) -> PrintOutcome | None:
        """What keeps the printer from printing, None if nothing does. Nothing is printed by asking."""
        auto = self._auto
        if auto is not None and self._loop.time() - self._heard < FRESH_S and self.alive:
            if auto.paper_end:
                return PrintOutcome.PAPER_END
            if auto.cover_open:
                return PrintOutcome.COVER_OPEN
            return PrintOutcome.ERROR if auto.error else None
        try:
            cause, paper = await self._ask(timeout_s)
        except OSError:  # broken, or silent
            return PrintOutcome.BROKEN_BEFORE_SEND
        if cause & PAPER_STOP or paper & PAPER_END:
            return PrintOutcome.PAPER_END
        if cause & COVER_OPEN:
            return PrintOutcome.COVER_OPEN
        return PrintOutcome.ERROR if cause & ERROR else None

    async def send(self, ticket: int, data: bytes) -> asyncio.Future[Answer]:
        """Write a ticket and ask for its id; the future is done when it is on paper.

        Raises OSError if the connection breaks: some of it may have been printed.
        """
        done: asyncio.Future[Answer] = self._loop.create_future()
        self._done[ticket] = done
        self._write(data + ask_done(ticket))
        return done

    async def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()
            await self._closed

    async def _ask(self, timeout_s: float) -> list[int]:
        self._bits = []
        self._status = self._loop.create_future()
        self._write(ASK_OFFLINE_CAUSE + ASK_PAPER if self._told else ASK_OFFLINE_CAUSE + ASK_PAPER + TELL_CHANGES)
        self._told = True
        return await within(self._clock, self._status, timeout_s)

    def _write(self, data: bytes) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("the printer hung up")
        if transport.get_write_buffer_size() > UNSENT_BYTES:
            raise TimeoutError("the printer takes nothing")
        transport.write(data)

    # --- the transport's calls ---------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        for reply in self._replies.feed(data):
            if isinstance(reply, Done):
                self._settle(ticket_id(reply.process_id))
            elif isinstance(reply, Auto):
                self._auto = reply
            elif self._status is not None and not self._status.done():
                self._bits.append(reply.bits)
                if len(self._bits) == 2:
                    self._status.set_result(self._bits)

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._closed.done():
            self._closed.set_result(None)
        waiting: list[asyncio.Future[Any]] = list(self._done.values())
        if self._status is not None:
            waiting.append(self._status)
        for future in waiting:
            if not future.done():
                future.set_exception(ConnectionResetError("the printer hung up"))
                future.exception()  # nobody may be waiting any more; that is no bug

    def _settle(self, ticket: int) -> None:
        done = self._done.pop(ticket, None)
        if done is None or done.done():
            self._late(ticket)
        else:
            done.set_result(Answer.PRINTED)


async def connect(address: str, link: Link) -> Connection:
    """As `drivers.Open`."""
    parts, settings = printer_address(address), link.ctx.settings
    assert isinstance(parts, PrinterAddress)
    return await PrinterConnection.open(
        parts.host, parts.port, link.ctx.clock, settings.print_connect_timeout_s, link.late
    )


DRIVER = Driver("tcp", render, connect)
