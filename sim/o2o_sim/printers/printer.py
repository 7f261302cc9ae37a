"""A printer on the simulated clock: takes one ticket at a time, puts it on paper, breaks and is repaired (A14).

Decides when paper is out and when a fault begins and ends. Speeds, lengths and the paper left are the mechanism's
(o2o_devices, the same as under the virtual TCP printers); what a failure means for a ticket is the domain's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from simpy import Environment, Event

from o2o_devices.mechanism import PROFILES, Mechanism, Printed, Profile
from o2o_scenarios.schema import PrintingSpec
from o2o_sim.printers.faults import PrinterFault


def profile_of(spec: PrintingSpec) -> Profile:
    """The mechanism's profile that the scenario asks for."""
    return replace(PROFILES[spec.width], mm_s=spec.speed_mm_s, roll_mm=spec.roll_mm)


class Printer:
    """One printer. `paper_out(printed_mm, whole)` is called when a ticket, or what the roll still held, is out."""

    __slots__ = ("_env", "mechanism", "printer_id")

    def __init__(self, env: Environment, printer_id: int, profile: Profile) -> None:
        self._env = env
        self.printer_id = printer_id
        self.mechanism = Mechanism(profile)

    def trouble(self) -> PrinterFault | None:
        """What stands in the way of the next ticket, as a status request before sending would show it."""
        if self.mechanism.fault() is not None:
            return PrinterFault.OFFLINE
        if self.mechanism.paper_end(self._env.now):
            return PrinterFault.PAPER_END
        return None

    def meet(self, fault: PrinterFault, repair_run_s: float) -> None:
        """The fault begins; somebody will have repaired it after `repair_run_s`. A lost answer needs no repair."""
        if fault is PrinterFault.PAPER_END:
            self.mechanism.remove_paper(self._env.now)
            self._later(repair_run_s, self._new_roll)
        elif fault is PrinterFault.OFFLINE:
            self.mechanism.set_online(False)
            self._later(repair_run_s, lambda _: self.mechanism.set_online(True))

    def put_out(self, length_mm: float, repair_run_s: float, paper_out: Callable[[float, bool], None]) -> float:
        """Print `length_mm` of ticket, or as much as the roll holds (then a new roll is in after `repair_run_s`).

        Returns the instant at which the paper is out. The caller has seen that there is no trouble.
        """
        now = self._env.now
        outcome = self.mechanism.start(length_mm, now)
        if isinstance(outcome, Printed):
            self._later(outcome.done_at - now, lambda _: paper_out(length_mm, True))
            return outcome.done_at
        printed_mm = outcome.printed_mm
        self._later(outcome.at - now, lambda _: paper_out(printed_mm, False))
        self._later(outcome.at - now + repair_run_s, self._new_roll)
        return outcome.at

    def _new_roll(self, _: Event) -> None:
        self.mechanism.refill()

    def _later(self, delay_s: float, callback: Callable[[Event], None]) -> None:
        self._env.timeout(delay_s).callbacks.append(callback)
