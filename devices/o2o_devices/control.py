"""Hands on one printer of a running fleet: paper, cover, link, power, and the ways in which answers get lost.

Decides nothing; names what a person (or an experiment) can do to a printer and passes it on. Times are "now".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from o2o_devices.errors import ControlError
from o2o_devices.faults import Kind, TicketFault
from o2o_devices.printer import VirtualPrinter


class Front(Protocol):
    """What stands in front of a printer: a TCP server, or the front end of a cloud protocol."""

    def act(self, change: Callable[[VirtualPrinter, float], object]) -> None:
        """Change the printer now and see to what follows."""


class Control:
    """What can be done to a printer while it runs."""

    __slots__ = ("_server",)

    def __init__(self, server: Front) -> None:
        self._server = server

    def paper_end(self, after_mm: float = 0.0) -> None:
        """The roll ends now, or when `after_mm` more are out."""
        if after_mm < 0.0:
            raise ControlError("after_mm must not be negative")
        self._server.act(lambda printer, now: printer.set_paper(now, after_mm))

    def refill(self, mm: float | None = None) -> None:
        """A new roll (of `mm`, else the profile's)."""
        self._server.act(lambda printer, now: printer.set_paper(now, mm))

    def open_cover(self) -> None:
        """Printing stops; it goes on when the cover is shut."""
        self._server.act(VirtualPrinter.open_cover)

    def close_cover(self) -> None:
        self._server.act(VirtualPrinter.close_cover)

    def offline(self) -> None:
        """The link goes down: connections are reset and refused. What was received is still printed."""
        self._server.act(lambda printer, now: printer.set_link(False))

    def online(self) -> None:
        self._server.act(lambda printer, now: printer.set_link(True))

    def power_cut(self, after_mm: float | None = None) -> None:
        """The power goes now, or when `after_mm` more of what is to come are out. What is not on paper is lost."""
        if after_mm is None:
            self._server.act(VirtualPrinter.power_off)
        else:
            mm = after_mm
            self._server.act(lambda printer, now: printer.trip("power_off", mm, now))

    def power_on(self) -> None:
        self._server.act(lambda printer, now: printer.power_on())

    def lose_acks(self, count: int = 1) -> None:
        """So many more of the next answers to GS ( H never arrive, though the paper is out."""

        def change(printer: VirtualPrinter, now: float) -> None:
            printer.acks_to_lose += count

        self._server.act(change)

    def silent(self, on: bool = True) -> None:
        """Connected but silent: takes bytes, prints nothing, answers nothing."""

        def change(printer: VirtualPrinter, now: float) -> None:
            printer.silent = on

        self._server.act(change)

    def meet(self, kind: Kind, *, after_mm: float = 0.0, repair_s: float = 20.0) -> None:
        """The next ticket meets a fault, as if it were planned. ControlError for an unknown one."""
        fault = TicketFault(kind, after_mm, repair_s)
        self._server.act(lambda printer, now: printer.order_fault(fault))

    def break_now(self, kind: Kind, *, repair_s: float = 20.0) -> None:
        """A fault at once, mended after `repair_s`. ControlError for one that only a ticket can meet."""
        self._server.act(lambda printer, now: printer.break_now(kind, now, repair_s=repair_s))

    def pause(self) -> None:
        """The printer takes jobs and prints none, until `go_on`."""
        self._server.act(VirtualPrinter.pause)

    def go_on(self) -> None:
        """What waited is printed."""
        self._server.act(VirtualPrinter.go_on)

    def slow_link(self, bytes_s: float | None) -> None:
        """The link carries so many bytes a second; None: as many as come."""
        if bytes_s is not None and not bytes_s > 0.0:
            raise ControlError("bytes_s must be above 0")

        def change(printer: VirtualPrinter, now: float) -> None:
            printer.link_bytes_s = bytes_s

        self._server.act(change)
