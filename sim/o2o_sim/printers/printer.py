"""A printer on the simulated clock: takes one ticket at a time, puts it on paper, breaks and is repaired (A14).

Decides when paper is out and when a fault begins and ends. Speeds, lengths and the paper left are the mechanism's
(o2o_devices, the same as under the virtual TCP printers); what a failure means for a ticket is the domain's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

from simpy import Environment, Event

from o2o_devices.mechanism import PROFILES, Mechanism, Printed, Profile
from o2o_scenarios.schema import PrintingSpec
from o2o_sim.printers.faults import PrinterFault


def profile_of(spec: PrintingSpec) -> Profile:
    """The mechanism's profile that the scenario asks for."""
    return replace(PROFILES[spec.width], mm_s=spec.speed_mm_s, roll_mm=spec.roll_mm)


PaperOut: TypeAlias = Callable[[float, bool], None]
"""Called with (printed_mm, whole) when a ticket, or what came out of it, is out; printed_mm may be 0."""
_SLACK_MM = 1e-6


@dataclass(slots=True, eq=False)
class _Job:
    """A ticket under way: how much of it will be out, and whether that is all of it."""

    mm: float
    whole: bool
    paper_out: PaperOut
    lost: bool = False


class Printer:
    """One printer."""

    __slots__ = ("_env", "_jobs", "mechanism", "outages", "printer_id")

    def __init__(self, env: Environment, printer_id: int, profile: Profile) -> None:
        self._env = env
        self._jobs: deque[_Job] = deque()
        self.printer_id = printer_id
        self.mechanism = Mechanism(profile)
        self.outages = 0
        """Times that the link went down: an answer to what was sent before never arrives."""

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
            stopped = self.mechanism.remove_paper(self._env.now)
            if stopped is not None:
                self._tear(stopped.printed_mm)
            self._later(repair_run_s, self._new_roll)
        elif fault is PrinterFault.OFFLINE:
            self.outages += 1
            self.mechanism.set_online(False)
            self._later(repair_run_s, lambda _: self.mechanism.set_online(True))

    def put_out(self, length_mm: float, repair_run_s: float, paper_out: PaperOut) -> float:
        """Print `length_mm` of ticket, or as much as the roll holds (then a new roll is in after `repair_run_s`).

        Returns the instant at which the paper is out. The caller has seen that there is no trouble.
        """
        now = self._env.now
        outcome = self.mechanism.start(length_mm, now)
        if isinstance(outcome, Printed):
            self._begin(_Job(length_mm, True, paper_out), outcome.done_at - now)
            return outcome.done_at
        self._begin(_Job(outcome.printed_mm, False, paper_out), outcome.at - now)
        self._later(outcome.at - now + repair_run_s, self._new_roll)
        return outcome.at

    def _begin(self, job: _Job, out_in_s: float) -> None:
        self._jobs.append(job)
        self._later(out_in_s, partial(self._out, job))

    def _out(self, job: _Job, _: Event) -> None:
        if not job.lost:
            self._jobs.remove(job)
            job.paper_out(job.mm, job.whole)

    def _tear(self, printed_mm: float) -> None:
        """The paper is gone: the ticket under way ends after `printed_mm`, those behind it in the buffer are lost."""
        whole = self._jobs[0] if self._jobs and printed_mm > self._jobs[0].mm - _SLACK_MM else None
        lost = [job for job in self._jobs if job is not whole]  # what needs no more paper is still cut
        self._jobs = deque(() if whole is None else (whole,))
        for number, job in enumerate(lost):
            job.lost = True
            job.paper_out(printed_mm if number == 0 and whole is None else 0.0, False)

    def _new_roll(self, _: Event) -> None:
        self.mechanism.refill()

    def _later(self, delay_s: float, callback: Callable[[Event], None]) -> None:
        self._env.timeout(delay_s).callbacks.append(callback)
