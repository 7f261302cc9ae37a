"""One printer behind a vendor's cloud: its queue of jobs, and what the cloud makes of its word (A14).

Decides when the printer is given a job (one at a time, while it can be reached and nothing keeps it from printing),
what an outcome means for the job, and when the cloud knows that the printer is away. The way between cloud and printer
is the vendor's own and not public; here it is a function call on a `Machine`, as slow as the link is said to be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from o2o_devices.cloud.machine import Machine
from o2o_devices.cloud.vendor_book import Brand, Job, State
from o2o_devices.errors import NoAnswer, PowerLost
from o2o_devices.media.markup import to_escpos
from o2o_devices.printer import VirtualPrinter

if TYPE_CHECKING:
    from o2o_devices.cloud.vendor import VendorCloud

log = logging.getLogger("o2o.devices.vendor")

OFFLINE, ONLINE, NO_PAPER = 0, 1, 2
"""What the cloud believes of a printer."""
_SLICE_S = 0.25


class VendorPrinter:
    """One printer behind the cloud (a fleet's front end)."""

    __slots__ = ("_back", "_busy", "_cloud", "_queue", "brand", "down_at", "machine", "outages", "serial")

    def __init__(self, cloud: VendorCloud, brand: Brand, serial: str, printer: VirtualPrinter) -> None:
        self._cloud = cloud
        self.brand: Brand = brand
        self.serial = serial
        self.machine = Machine(printer, on_change=self._changed)
        self._queue: list[Job] = []  # a deque would be ten times as large, and nearly all are empty
        self._busy = False
        self._back: asyncio.Future[None] | None = None  # done when the link is up again
        self.down_at: float | None = None
        """Unix seconds at which power or link went; None: it can be reached."""
        self.outages = 0

    @property
    def printer(self) -> VirtualPrinter:
        return self.machine.printer

    async def start(self) -> None:
        """From now on the cloud reaches it; jobs that the cloud had taken before go on."""
        self.machine.start()
        self._queue.extend(self._cloud.waiting(self))
        self._go()

    async def stop(self) -> None:
        self.machine.stop()

    def act(self, change: Callable[[VirtualPrinter, float], object]) -> None:
        self.machine.act(change)

    def put(self, job: Job) -> None:
        """A job for it."""
        self._queue.append(job)
        self._go()

    def believed(self) -> int:
        """OFFLINE, ONLINE or NO_PAPER, as far as the cloud knows."""
        if self.down_at is not None:
            lag_s = self._cloud.plan.lag_of(self.serial, self.outages)
            return OFFLINE if self._cloud.now() - self.down_at >= lag_s else ONLINE
        return NO_PAPER if self.machine.stopped_by() == "paper_end" else ONLINE

    def _changed(self) -> None:
        if self.machine.reachable:
            self.down_at = None
            if self._back is not None and not self._back.done():
                self._back.set_result(None)
        elif self.down_at is None:
            self.outages += 1
            self.down_at = self._cloud.now()
        self._cloud.changed(self)
        self._go()

    def _go(self) -> None:
        if self._queue and not self._busy and self._able():
            self._busy = True
            self._cloud.spawn(self._work())

    def _able(self) -> bool:
        machine = self.machine
        return machine.reachable and not machine.silent and machine.stopped_by() is None

    async def _work(self) -> None:
        try:
            while self._queue and self._able():
                job = self._queue[0]
                if job.state == "waiting" and not self._cloud.expire(job):
                    await self._print(job)
                if job.state != "waiting":
                    self._queue.pop(0)
        finally:
            self._busy = False

    async def _print(self, job: Job) -> None:
        cloud = self._cloud
        await self._carried(len(job.content.encode()))
        if job.state != "waiting" or not self._able():
            return
        data = to_escpos(job.content.encode(), self.brand)
        job.state = "printing"
        job.starts += 1
        cloud.book.note(job)
        state: State = "unknown"
        try:
            outcome = await self.machine.print(data)
            await self._heard()
        except (PowerLost, NoAnswer) as error:
            log.info("job %s: %s", job.id, error)
        else:
            state = "printed" if outcome.ok else "waiting"
        if state == "waiting":  # the paper ended or the cover was opened; it is tried again when that is mended
            job.state = state
            cloud.book.note(job)
        else:
            cloud.over(job, state)

    async def _carried(self, size: int) -> None:
        """The time that a slow link takes for so many bytes."""
        while size > 0 and (rate := self.printer.link_bytes_s) is not None:
            await asyncio.sleep(min(size / rate, _SLICE_S))
            size -= round(rate * _SLICE_S)

    async def _heard(self) -> None:
        """The printer's word has reached the cloud: not before its link is up. Raises PowerLost if it has forgotten."""
        cuts = self.printer.power_cuts
        while not self.machine.reachable:
            self._back = asyncio.get_running_loop().create_future()
            await self._back
        if self.printer.power_cuts != cuts:
            raise PowerLost("the power went before the printer could tell")
