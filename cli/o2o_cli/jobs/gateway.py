"""The printer gateway: a fleet of virtual printers whose addresses and paper outlive its process (A14).

Decides where printers listen (a port once given stays with its printer: the file of ports is read again at each
start) and that all paper goes to one journal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from o2o_cli.errors import UsageError
from o2o_cli.jobs.serving import stop_event
from o2o_cli.up.folder import read_json, write_json
from o2o_cli.up.ports import free_ports
from o2o_devices.fleet import Fleet, FleetPlan, PrinterSpec
from o2o_devices.mechanism import PROFILES, Profile
from o2o_devices.paper import PaperJournal


@dataclass(frozen=True)
class Gateway:
    """What is started. Printers are numbered from 0."""

    count: int
    ports_file: Path
    journal: Path
    host: str = "127.0.0.1"
    profile: Profile = PROFILES["80mm"]
    plan: FleetPlan | None = None

    async def run(self, *, on_ready: Callable[[], None], stop_on_eof: bool = False) -> None:
        """Print until told to end. Raises UsageError, FleetError."""
        stopped = stop_event(stop_on_eof=stop_on_eof)
        ports = self._ports()
        journal = PaperJournal(self.journal)
        try:
            specs = [PrinterSpec(number, self.profile, port=ports[number]) for number in range(self.count)]
            extra: dict[str, Any] = {} if self.plan is None else {"plan": self.plan}
            async with Fleet(specs, on_paper=journal.note, host=self.host, **extra):
                write_json(self.ports_file, {str(number): [self.host, port] for number, port in ports.items()})
                on_ready()
                await stopped.wait()
        finally:
            journal.close()

    def _ports(self) -> dict[int, int]:
        """Where each printer listens: where it was, or a place of its own."""
        known: dict[int, int] = {}
        if self.ports_file.exists():
            try:
                known = {int(name): int(port) for name, (_, port) in read_json(self.ports_file).items()}
            except (TypeError, ValueError):
                raise UsageError(
                    f"{self.ports_file}: not a file of printers' ports; remove it, or name another"
                ) from None
        new = [number for number in range(self.count) if number not in known]
        made = free_ports(len(new), host=self.host, apart_from=known.values()) if new else []
        return {**known, **dict(zip(new, made, strict=True))}


def profile_of(width: str, mm_s: float | None) -> Profile:
    """A printer by its paper's width; with another speed, if one is named, at which it also cuts. Raises UsageError."""
    if width not in PROFILES:
        raise UsageError(f"--width {width}: one of {', '.join(sorted(PROFILES))} is wanted")
    base = PROFILES[width]
    return base if mm_s is None else replace(base, mm_s=mm_s, cut_s=base.cut_s * base.mm_s / mm_s)
