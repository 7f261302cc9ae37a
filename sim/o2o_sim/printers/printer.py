"""A printer on the simulated clock: takes tickets, puts them on paper in their order, breaks and is repaired (A14).

Decides when paper is out and when a fault begins and ends. Speeds, lengths and the paper left are the mechanism's
(o2o_devices, the same as under the virtual TCP printers); what a failure means for a ticket is the domain's.

How each kind of o2o_devices.faults is modelled, and where the model is simpler than a virtual printer: paper_end and
offline as they are found before sending; paper_end in mid-ticket, cover_open, power_before, power_off, power_after to
the millimetre of paper; backlog takes tickets and prints them when it is back; slow delays what is sent by its bytes;
flapping and half_open cost the answer, though the broken connection is noticed only when the paper is out; duplicate is
a second copy at once. What a ticket says that was spoiled (wrong_codepage, no_print, overrun) is the desk's business,
its paper is as long as ever. A printer that drops bytes by itself, heat, and garbage after an image are not modelled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from typing import TypeAlias

from simpy import Environment, Event

from o2o_devices.mechanism import PROFILES, Mechanism, Printed, Profile
from o2o_devices.printer import SLOW_BYTES_S
from o2o_scenarios.schema import PrintingSpec
from o2o_sim.printers.faults import PrinterFault


def profile_of(spec: PrintingSpec) -> Profile:
    """The mechanism's profile that the scenario asks for."""
    return replace(PROFILES[spec.width], mm_s=spec.speed_mm_s, roll_mm=spec.roll_mm)


PaperOut: TypeAlias = Callable[[float, bool], None]
"""Called with (printed_mm, whole) when a ticket, or what came out of it, is out; printed_mm may be 0."""
_SLACK_MM = 1e-6
_FLAPS = 5
"""Changes of a link that goes down and up three times, after the first."""


@dataclass(slots=True, eq=False)
class _Job:
    """A ticket under way: how much of it will be out, and whether that is all of it."""

    mm: float
    whole: bool
    paper_out: PaperOut
    lost: bool = False
    left_mm: float = inf
    """Not out yet when it was booked last."""
    turn: int = 0
    """Counts bookings: what was to happen by an earlier one does not."""
    power_after: float | None = None
    """When it is out the power goes, for so long."""


class Printer:
    """One printer."""

    __slots__ = ("_env", "_jobs", "_paused", "_slow_until", "link_up", "mechanism", "mute", "outages", "printer_id")

    def __init__(self, env: Environment, printer_id: int, profile: Profile) -> None:
        self._env = env
        self._jobs: deque[_Job] = deque()
        self._paused = False
        self._slow_until = -inf
        self.printer_id = printer_id
        self.mechanism = Mechanism(profile)
        self.outages = 0
        """Times that link or power went down: an answer to what was sent before never arrives."""
        self.link_up = True
        self.mute = False
        """Connected, and answers nothing."""

    def trouble(self) -> PrinterFault | None:
        """What stands in the way of the next ticket, as a status request before sending would show it."""
        if not self.link_up:
            return PrinterFault.OFFLINE
        if self.mute:
            return PrinterFault.HALF_OPEN
        fault = self.mechanism.fault()
        if fault is not None and not self._paused:
            return PrinterFault.COVER_OPEN if fault == "cover_open" else PrinterFault.OFFLINE
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

    def put_out(
        self,
        length_mm: float,
        repair_run_s: float,
        paper_out: PaperOut,
        *,
        fault: PrinterFault | None = None,
        after_mm: float = 0.0,
        data_bytes: int = 0,
    ) -> float:
        """Print `length_mm` of ticket, or as much as the roll holds (then a new roll is in after `repair_run_s`).

        Returns the instant at which the paper is out, as far as can be said now (infinity: it waits for somebody). The
        caller has seen that there is no trouble. `fault` is met by this ticket when `after_mm` of it are out.
        """
        job = _Job(length_mm, True, paper_out)
        self._jobs.append(job)
        if self._paused:
            job.left_mm = length_mm
            return inf
        if fault is PrinterFault.PAPER_END:
            self.mechanism.paper_mm = min(self.mechanism.paper_mm, after_mm)
        elif fault is PrinterFault.POWER_AFTER:
            job.power_after = repair_run_s
        begin, mechanism = self._env.now, self.mechanism
        if begin < self._slow_until:
            begin = min(begin + data_bytes / SLOW_BYTES_S, self._slow_until)
        before_mm = mechanism.total_mm
        out_at = self._book(job, length_mm, begin, repair_run_s)
        if fault in _IN_MID_TICKET:
            first = 0.0 if fault is PrinterFault.POWER_BEFORE else min(after_mm, 0.9 * length_mm)
            at = begin if first == 0.0 else mechanism.reach_at(before_mm + first)
            if at is not None:
                self._later(max(at - self._env.now, 0.0), partial(self._met, fault, repair_run_s))
        return out_at

    def _book(self, job: _Job, mm: float, begin: float, repair_run_s: float) -> float:
        """Have `mm` of a job printed from `begin` on; when they are out."""
        job.left_mm = mm
        outcome = self.mechanism.start(mm, begin)
        if isinstance(outcome, Printed):
            out_at = outcome.done_at
        else:
            job.whole, out_at = False, outcome.at
            job.mm += outcome.printed_mm - mm
            job.left_mm = outcome.printed_mm
            self._later(out_at - self._env.now + repair_run_s, self._new_roll)
        self._later(out_at - self._env.now, partial(self._out, job, job.turn))
        return out_at

    def _out(self, job: _Job, turn: int, _: Event) -> None:
        if job.lost or job.turn != turn:
            return
        self._jobs.remove(job)
        if job.whole and job.power_after is not None:
            self._power_off(job.power_after)
        job.paper_out(job.mm, job.whole)

    # --- faults in mid-ticket ----------------------------------------------------------------------------------------

    def _met(self, fault: PrinterFault, repair_s: float, _: Event) -> None:
        """The fault begins now."""
        if fault in (PrinterFault.POWER_BEFORE, PrinterFault.POWER_OFF):
            self._power_off(repair_s)
        elif fault is PrinterFault.COVER_OPEN:
            self._halt()
            self.mechanism.open_cover(self._env.now)
            self._later(repair_s, self._close_cover)
        elif fault is PrinterFault.BACKLOG:
            self._halt()
            self._paused = True
            self.mechanism.set_online(False)
            self._later(repair_s, self._go_on)
        elif fault is PrinterFault.SLOW:
            self._slow_until = self._env.now + repair_s
        elif fault is PrinterFault.HALF_OPEN:
            self.mute = True
            self._later(repair_s, self._speak)
        elif fault is PrinterFault.FLAPPING:
            self._link(False)
            self._later(repair_s / _FLAPS, partial(self._flap, _FLAPS - 1, repair_s / _FLAPS))

    def _power_off(self, repair_s: float) -> None:
        """What is not on paper is lost."""
        self.outages += 1
        stopped = self.mechanism.power_off(self._env.now)
        self._tear(0.0 if stopped is None else stopped.printed_mm)
        self._later(repair_s, lambda _: self.mechanism.power_on())

    def _halt(self) -> None:
        """Nothing more comes out; what was to come is remembered."""
        pending = self.mechanism.pending_mm(self._env.now)
        self.mechanism.interrupt("offline", self._env.now)
        for job in reversed(self._jobs):
            job.turn += 1
            job.left_mm = min(pending, job.left_mm)
            pending -= job.left_mm

    def _close_cover(self, _: Event) -> None:
        self.mechanism.close_cover()
        self._again()

    def _go_on(self, _: Event) -> None:
        self._paused = False
        self.mechanism.set_online(True)
        self._again()

    def _again(self) -> None:
        """Print what was remembered, unless something else still stands in the way."""
        if self.mechanism.fault() is None:
            for job in self._jobs:
                self._book(job, job.left_mm, self._env.now, inf)

    def _speak(self, _: Event) -> None:
        self.mute = False
        self.outages += 1

    def _link(self, up: bool) -> None:
        self.outages += self.link_up and not up
        self.link_up = up

    def _flap(self, left: int, each_s: float, _: Event) -> None:
        self._link(not self.link_up)
        if left > 1 or not self.link_up:
            self._later(each_s, partial(self._flap, left - 1, each_s))

    def _tear(self, printed_mm: float) -> None:
        """The paper is gone: the ticket under way ends after `printed_mm`, those behind it in the buffer are lost."""
        first = self._jobs[0] if self._jobs else None
        out_mm = 0.0 if first is None else printed_mm + first.mm - min(first.left_mm, first.mm)
        whole = first if first is not None and out_mm > first.mm - _SLACK_MM else None
        lost = [job for job in self._jobs if job is not whole]  # what needs no more paper is still cut
        self._jobs = deque(() if whole is None else (whole,))
        for number, job in enumerate(lost):
            job.lost = True
            job.paper_out(out_mm if number == 0 and whole is None else 0.0, False)

    def _new_roll(self, _: Event) -> None:
        self.mechanism.refill()

    def _later(self, delay_s: float, callback: Callable[[Event], None]) -> None:
        if delay_s < inf:
            self._env.timeout(delay_s).callbacks.append(callback)


_IN_MID_TICKET = (
    PrinterFault.POWER_BEFORE,
    PrinterFault.POWER_OFF,
    PrinterFault.COVER_OPEN,
    PrinterFault.BACKLOG,
    PrinterFault.SLOW,
    PrinterFault.HALF_OPEN,
    PrinterFault.FLAPPING,
)
