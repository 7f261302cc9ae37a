"""Driver for printers on raw TCP (port 9100): one connection, ESC/POS out, status and process ids back.

Raw TCP has no framing, job id or acknowledgement, so the driver asks for them in the printer's own language: DLE EOT 2
and 4 before a ticket is sent (cover, error, paper), and GS ( H function 48 after it, whose answer comes when all before
it has been processed. That answer, and nothing else, means printed. Decides nothing about what follows a failure.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from o2o_domain.tickets import PrintOutcome
from o2o_platform.kit.clock import Clock, wait_for
from o2o_platform.printing.drivers.replies import Done, Replies, process_id, ticket_id

ASK_OFFLINE_CAUSE = b"\x10\x04\x02"
ASK_PAPER = b"\x10\x04\x04"
COVER_OPEN, PAPER_STOP, ERROR = 0x04, 0x20, 0x40  # bits of the answer to DLE EOT 2
PAPER_END = 0x60  # of the answer to DLE EOT 4


def ask_done(ticket: int) -> bytes:
    """GS ( H function 48: have the printer answer with this ticket's id when it gets there."""
    return b"\x1d\x28\x48\x06\x00\x30\x30" + process_id(ticket)


class PrinterConnection:
    """One open connection. `late` is called with the id of a ticket whose answer nobody waited for any more."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, clock: Clock, late: Callable[[int], None]
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._late = late
        self._replies = Replies()
        self._status: asyncio.Future[int] | None = None
        self._done: dict[int, asyncio.Future[None]] = {}
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def open(
        cls, host: str, port: int, clock: Clock, timeout_s: float, late: Callable[[int], None]
    ) -> PrinterConnection:
        """Connect. Raises OSError (or TimeoutError, which is one) if there is no connection in time."""
        reader, writer = await wait_for(clock, asyncio.open_connection(host, port), timeout_s)
        return cls(reader, writer, clock, late)

    @property
    def alive(self) -> bool:
        """Neither side has closed it."""
        return not self._listening.done()

    async def trouble(self, timeout_s: float) -> PrintOutcome | None:
        """What keeps the printer from printing, None if nothing does. Nothing is printed by asking."""
        try:
            cause = await self._ask(ASK_OFFLINE_CAUSE, timeout_s)
            paper = await self._ask(ASK_PAPER, timeout_s)
        except OSError:  # broken, or silent
            return PrintOutcome.BROKEN_BEFORE_SEND
        if cause & PAPER_STOP or paper & PAPER_END:
            return PrintOutcome.PAPER_END
        if cause & COVER_OPEN:
            return PrintOutcome.COVER_OPEN
        return PrintOutcome.ERROR if cause & ERROR else None

    async def send(self, ticket: int, data: bytes) -> asyncio.Future[None]:
        """Write a ticket and ask for its id; the future is done when it is on paper.

        Raises OSError if the connection breaks: some of it may have been printed.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._done[ticket] = done
        await self._write(data + ask_done(ticket))
        return done

    async def close(self) -> None:
        """Hang up."""
        self._listening.cancel()
        self._writer.close()
        with contextlib.suppress(OSError, asyncio.CancelledError):
            await self._listening
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _ask(self, question: bytes, timeout_s: float) -> int:
        self._status = asyncio.get_running_loop().create_future()
        await self._write(question)
        return await wait_for(self._clock, self._status, timeout_s)

    async def _write(self, data: bytes) -> None:
        if not self.alive or self._writer.is_closing():
            raise ConnectionResetError("the printer hung up")
        try:
            self._writer.write(data)
            await self._writer.drain()
        except RuntimeError as exc:  # what uvloop says of a transport that has closed meanwhile
            raise ConnectionResetError(str(exc)) from exc

    async def _listen(self) -> None:
        try:
            while data := await self._reader.read(256):
                for reply in self._replies.feed(data):
                    if isinstance(reply, Done):
                        self._settle(ticket_id(reply.process_id))
                    elif self._status is not None and not self._status.done():
                        self._status.set_result(reply.bits)
        except OSError:
            pass
        finally:
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
            done.set_result(None)

    @property
    def owes(self) -> bool:
        """Whether an answer is still due on this connection."""
        return bool(self._done)
