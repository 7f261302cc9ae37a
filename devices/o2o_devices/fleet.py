"""Many printers in one event loop, each on a port of its own.

Decides ports and file limits, and puts the printers' clock (the loop's) in line with the wall clock for those who read
receipts. Printers do not know of each other; an idle one costs a listening socket and no timer.

    async with Fleet([PrinterSpec(0), PrinterSpec(1)], on_paper=print) as fleet:
        host, port = fleet.address(0)
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import TracebackType

from o2o_devices.control import Control
from o2o_devices.counters import Counters
from o2o_devices.errors import FleetError
from o2o_devices.faults import TicketFault
from o2o_devices.mechanism import GENERIC_80, Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt
from o2o_devices.tcp9100 import PrinterServer

OnPaper = Callable[[int, Receipt, float], None]
"""Called in the loop with (printer_id, receipt, unix seconds at which it was out)."""
FleetPlan = Callable[[int, int], TicketFault | None]
"""(printer_id, n) -> the fault that the n-th ticket of that printer meets, or None."""

_FILES_APART = 256
"""Open files left to the rest of the process."""


@dataclass(frozen=True, slots=True)
class PrinterSpec:
    """One printer of a fleet. port 0: any free one."""

    printer_id: int
    profile: Profile = GENERIC_80
    paper_mm: float | None = None
    port: int = 0
    kanji: bool = True


def _no_faults(printer_id: int, ticket: int) -> None:
    return None


class Fleet:
    """Printers by id. Not started until `start`; `stop` ends it for good."""

    def __init__(
        self,
        specs: Iterable[PrinterSpec],
        *,
        on_paper: OnPaper,
        host: str = "127.0.0.1",
        plan: FleetPlan = _no_faults,
    ) -> None:
        self.host = host
        self._on_paper = on_paper
        self._epoch = 0.0  # unix time at the loop's zero
        self._servers: dict[int, PrinterServer] = {}
        for spec in specs:
            if spec.printer_id in self._servers:
                raise FleetError(f"printer {spec.printer_id} is in the fleet twice")
            self._servers[spec.printer_id] = self._server(spec, plan)

    def _server(self, spec: PrinterSpec, plan: FleetPlan) -> PrinterServer:
        seat = _Seat(self, spec.printer_id, plan)
        printer = VirtualPrinter(
            spec.profile, on_paper=seat.on_paper, paper_mm=spec.paper_mm, kanji=spec.kanji, plan=seat.fault
        )
        return PrinterServer(printer, host=self.host, port=spec.port)

    def note(self, printer_id: int, receipt: Receipt, at: float) -> None:
        """A receipt came out, at a time of the loop's."""
        self._on_paper(printer_id, receipt, at + self._epoch)

    async def start(self) -> dict[int, int]:
        """Open all ports; returns printer_id -> port. FleetError when there are not enough ports or open files."""
        _allow_files(2 * len(self._servers) + _FILES_APART)
        self._epoch = time.time() - asyncio.get_running_loop().time()
        try:
            for server in self._servers.values():
                await server.start()
        except BaseException:
            await self.stop()
            raise
        return self.ports

    async def stop(self) -> None:
        """Close all ports and connections."""
        for server in self._servers.values():
            await server.stop()

    async def __aenter__(self) -> Fleet:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def __len__(self) -> int:
        return len(self._servers)

    @property
    def ports(self) -> dict[int, int]:
        """printer_id -> port."""
        return {printer_id: server.port for printer_id, server in self._servers.items()}

    def address(self, printer_id: int) -> tuple[str, int]:
        """(host, port) of a printer."""
        return self.host, self._get(printer_id).port

    def control(self, printer_id: int) -> Control:
        """Hands on a printer."""
        return Control(self._get(printer_id))

    def printer(self, printer_id: int) -> VirtualPrinter:
        """The printer itself, to look at."""
        return self._get(printer_id).printer

    def _get(self, printer_id: int) -> PrinterServer:
        try:
            return self._servers[printer_id]
        except KeyError:
            raise FleetError(f"no printer {printer_id} in this fleet of {len(self._servers)}") from None

    @property
    def idle(self) -> bool:
        """No printer has anything left to print or to answer."""
        return all(server.printer.idle for server in self._servers.values())

    def counters(self) -> Counters:
        """Sums over all printers."""
        total = Counters()
        for server in self._servers.values():
            total.add(server.printer.counters)
        return total


class _Seat:
    """A printer's number, for what a printer itself does not know."""

    __slots__ = ("_fleet", "_plan", "_printer_id")

    def __init__(self, fleet: Fleet, printer_id: int, plan: FleetPlan) -> None:
        self._fleet = fleet
        self._printer_id = printer_id
        self._plan = plan

    def on_paper(self, receipt: Receipt, at: float) -> None:
        self._fleet.note(self._printer_id, receipt, at)

    def fault(self, ticket: int) -> TicketFault | None:
        return self._plan(self._printer_id, ticket)


def _allow_files(needed: int) -> None:
    """Raise the soft limit of open files as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise FleetError(f"the fleet needs {needed} open files, this system allows {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
