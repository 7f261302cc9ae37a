"""A printer on a cable (USB, Bluetooth) beside an app that fetches its tickets (A14, the third age).

Decides what an app learns of its printer: why it would not print now, and what became of a job. The app itself, which
speaks to a platform, and whoever taps "print" in it, are not here. There is no network between app and printer: a link
that is down is a cable that is out.
"""

from __future__ import annotations

from collections.abc import Callable

from o2o_devices.cloud.machine import Machine
from o2o_devices.printer import VirtualPrinter


class Attached:
    """The printer as a fleet holds it, and as its app prints on it."""

    __slots__ = ("_machine",)

    def __init__(self, printer: VirtualPrinter) -> None:
        # An app that is told "no paper" tells whoever taps, so nothing waits inside the printer for a new roll.
        self._machine = Machine(printer, keeps=False)

    @property
    def printer(self) -> VirtualPrinter:
        """The printer itself."""
        return self._machine.printer

    async def start(self) -> None:
        """Switch it on."""
        self._machine.start()

    async def stop(self) -> None:
        """No more jobs; one under way ends without an answer."""
        self._machine.stop()

    def act(self, change: Callable[[VirtualPrinter, float], object]) -> None:
        """Change the printer now and see to what follows."""
        self._machine.act(change)

    def trouble(self) -> str | None:
        """Why it would not print now: power_off, offline, cover_open, paper_end, or busy; None: it would."""
        if self._machine.busy:
            return "busy"
        found = self._machine.stopped_by()
        return "offline" if found is None and not self._machine.reachable else found

    async def print(self, data: bytes, timeout_s: float) -> str | None:
        """Print ESC/POS bytes: None when they are on paper, else why they are not and will not be.

        Raises NoAnswer or PowerLost when nobody can say, after `timeout_s` at the latest.
        """
        outcome = await self._machine.print(data, timeout_s)
        return None if outcome.ok else outcome.code or "failed"
