"""Many printers in one event loop, each behind a front end of its own (A14).

Decides ports and file limits, and puts the printers' clock (the loop's) in line with the wall clock for those who read
receipts. Printers do not know of each other; an idle one costs a listening socket and no timer.

    async with Fleet([PrinterSpec(0), PrinterSpec(1)], on_paper=print) as fleet:
        host, port = fleet.address(0)

A front end (`Front`) is whatever brings bytes to a printer: `tcp9100.PrinterServer` unless a spec names another. Those
of `cloud/` are made by `PrinterSpec.front`, a function of (printer_id, printer):

    def front(printer_id: int, printer: VirtualPrinter) -> Front:
        return CloudPrnt(Machine(printer), url, mac_of(printer_id))

    Fleet([PrinterSpec(0), PrinterSpec(1, front=front)], on_paper=print)
"""

from __future__ import annotations

import asyncio
import resource
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Protocol

from o2o_devices.control import Control
from o2o_devices.counters import Counters
from o2o_devices.errors import FleetError
from o2o_devices.faults import Met, TicketFault
from o2o_devices.mechanism import GENERIC_80, Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt
from o2o_devices.tcp9100 import PrinterServer

OnPaper = Callable[[int, Receipt, float], None]
"""Called in the loop with (printer_id, receipt, unix seconds at which it was out)."""
FleetMet = Callable[[int, Met], None]
"""Called in the loop with (printer_id, what a ticket met); times are the loop's (`Fleet.unix` puts them right)."""
FleetPlan = Callable[[int, int], TicketFault | None]
"""(printer_id, n) -> the fault that the n-th ticket of that printer meets, or None."""

_TELL_EVERY = 500
FILES_APART = 256
"""Open files left to the rest of the process."""


class Front(Protocol):
    """What a fleet holds: a printer and the way to it. Everything happens on the loop in which it was started."""

    @property
    def printer(self) -> VirtualPrinter:
        """The printer behind it."""

    async def start(self) -> None:
        """From now on jobs come. FleetError when that cannot be."""

    async def stop(self) -> None:
        """No more jobs; what is half printed stays so. Harmless before `start`, and twice."""

    def act(self, change: Callable[[VirtualPrinter, float], object]) -> None:
        """Change the printer (paper, cover, power ...) now and see to what follows: act(VirtualPrinter.open_cover)."""


FrontFactory = Callable[[int, VirtualPrinter], Front]
"""(printer_id, printer) -> the printer's front end, not started yet."""


@dataclass(frozen=True, slots=True)
class PrinterSpec:
    """One printer of a fleet. port 0: any free one (of TCP 9100; other front ends have none)."""

    printer_id: int
    profile: Profile = GENERIC_80
    paper_mm: float | None = None
    port: int = 0
    kanji: bool = True
    front: FrontFactory | None = None
    """None: TCP 9100."""
    address: str = ""
    """What a printer behind a front end is known by, as a URL ("cloudprnt://001162000007")."""


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
        on_met: FleetMet | None = None,
    ) -> None:
        self.host = host
        self._on_paper = on_paper
        self._on_met = on_met
        self._epoch = 0.0  # unix time at the loop's zero
        self._fronts: dict[int, Front] = {}
        self._addresses: dict[int, str] = {}
        for spec in specs:
            if spec.printer_id in self._fronts:
                raise FleetError(f"printer {spec.printer_id} is in the fleet twice")
            if spec.address:
                self._addresses[spec.printer_id] = spec.address
            self._fronts[spec.printer_id] = self._front(spec, plan)

    def _front(self, spec: PrinterSpec, plan: FleetPlan) -> Front:
        seat = _Seat(self, spec.printer_id, plan)
        printer = VirtualPrinter(
            spec.profile, on_paper=seat.on_paper, paper_mm=spec.paper_mm, kanji=spec.kanji, plan=seat.fault
        )
        if self._on_met is not None:
            printer.on_met = partial(self._on_met, spec.printer_id)
        if spec.front is not None:
            return spec.front(spec.printer_id, printer)
        return PrinterServer(printer, host=self.host, port=spec.port)

    def note(self, printer_id: int, receipt: Receipt, at: float) -> None:
        """A receipt came out, at a time of the loop's."""
        self._on_paper(printer_id, receipt, at + self._epoch)

    def unix(self, at: float) -> float:
        """A time of the loop's as unix seconds."""
        return at + self._epoch

    async def start(self, progress: Callable[[float], None] = lambda share: None) -> dict[int, int]:
        """Open all ports; returns printer_id -> port. FleetError when there are not enough ports or open files.

        `progress` is told the share of the printers that are open, now and then.
        """
        allow_files(2 * len(self._fronts) + FILES_APART)
        self._epoch = time.time() - asyncio.get_running_loop().time()
        try:
            for number, front in enumerate(self._fronts.values(), start=1):
                await front.start()
                if number % _TELL_EVERY == 0:
                    progress(number / len(self._fronts))
                    await asyncio.sleep(0)
        except BaseException:
            await self.stop()
            raise
        return self.ports

    async def stop(self) -> None:
        """Close all ports and connections."""
        for front in self._fronts.values():
            await front.stop()

    async def __aenter__(self) -> Fleet:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def __len__(self) -> int:
        return len(self._fronts)

    def __contains__(self, printer_id: object) -> bool:
        return printer_id in self._fronts

    def now(self) -> float:
        """Seconds on the printers' clock."""
        return asyncio.get_running_loop().time()

    def where(self, printer_id: int) -> str:
        """A printer's address as a URL."""
        front = self.front(printer_id)
        if isinstance(front, PrinterServer):
            return f"tcp://{self.host}:{front.port}"
        return self._addresses.get(printer_id, type(front).__name__)

    def connections(self, printer_id: int | None = None) -> int:
        """Connections open at TCP 9100 now, of one printer or of all."""
        fronts = self._fronts.values() if printer_id is None else (self.front(printer_id),)
        return sum(front.connections for front in fronts if isinstance(front, PrinterServer))

    @property
    def ports(self) -> dict[int, int]:
        """printer_id -> port, of those behind TCP 9100."""
        return {number: front.port for number, front in self._fronts.items() if isinstance(front, PrinterServer)}

    def address(self, printer_id: int) -> tuple[str, int]:
        """(host, port) of a printer. FleetError for one that has none."""
        front = self.front(printer_id)
        if not isinstance(front, PrinterServer):
            raise FleetError(f"printer {printer_id} has no port: it fetches its jobs, or is told of them")
        return self.host, front.port

    def control(self, printer_id: int) -> Control:
        """Hands on a printer."""
        return Control(self.front(printer_id))

    def printer(self, printer_id: int) -> VirtualPrinter:
        """The printer itself, to look at."""
        return self.front(printer_id).printer

    def front(self, printer_id: int) -> Front:
        """A printer's front end. FleetError for an unknown printer."""
        try:
            return self._fronts[printer_id]
        except KeyError:
            raise FleetError(f"no printer {printer_id} in this fleet of {len(self._fronts)}") from None

    @property
    def idle(self) -> bool:
        """No printer has anything left to print or to answer."""
        return all(front.printer.idle for front in self._fronts.values())

    def counters(self) -> Counters:
        """Sums over all printers."""
        total = Counters()
        for front in self._fronts.values():
            total.add(front.printer.counters)
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


def allow_files(needed: int) -> None:
    """Raise the soft limit of open files as far as the hard one allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise FleetError(f"the fleet needs {needed} open files, this system allows {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
