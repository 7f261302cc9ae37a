"""Drivers: how a ticket's bytes reach a kind of printer, and how the answer comes back.

Decides what a dispatcher sees of a printer, whatever its protocol. A driver of a protocol in which the platform sends
gives `open` and the bytes (`media`); printers that come by themselves are served by `protocols`, and no dispatcher
touches their tickets. What a protocol can do stands in `o2o_domain.printers.KINDS`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal, Protocol

from o2o_domain.ticket_layout import TicketOrder
from o2o_domain.tickets import PrintOutcome
from o2o_platform.kit.context import Context


class Answer(Enum):
    """What a printer, or who stands before it, says of a ticket."""

    PRINTED = auto()
    """Paper is out."""
    TAKEN = auto()
    """It was taken over; how it went is told later, to `remote.result`."""


class PrintFailed(Exception):  # noqa: N818 -- an answer, not an error
    """The printer says that it has not printed the ticket, and will not. `code`: up to 32 characters."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code[:32]


@dataclass(frozen=True, slots=True)
class Link:
    """What a driver is given."""

    ctx: Context
    late: Callable[[int], None]
    """Called with the id of a ticket whose answer nobody waits for any more."""


class Connection(Protocol):
    """One printer, ready to be sent to."""

    @property
    def alive(self) -> bool:
        """Neither side has ended it."""
        ...

    @property
    def owes(self) -> bool:
        """Whether an answer is still due on it."""
        ...

    async def trouble(self, timeout_s: float) -> PrintOutcome | None:
        """What keeps the printer from printing, None if nothing does. Nothing is printed by asking."""
        ...

    async def send(self, ticket: int, data: bytes) -> asyncio.Future[Answer]:
        """Send a ticket; the future is done when there is an answer, or fails: PrintFailed, or OSError (nobody knows).

        Raises OSError if it breaks: some of the ticket may have been printed.
        """
        ...

    async def close(self) -> None:
        """Hang up."""
        ...


Media = Callable[[TicketOrder, Literal[32, 48], str], bytes]
"""(ticket, columns, text of the QR code) -> what is sent."""
Open = Callable[[str, Link], Awaitable[Connection]]
"""(address, link) -> a connection. Raises OSError (or TimeoutError, which is one) if there is none in time."""


@dataclass(frozen=True, slots=True)
class Driver:
    """How tickets are sent to the printers of one scheme."""

    scheme: str
    media: Media
    open: Open
