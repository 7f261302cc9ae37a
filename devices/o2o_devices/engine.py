"""What a printer does with a stream that is read: its paper is booked, and what stands behind that paper waits for it.

Decides which paper a ticket is (where it begins, what of it is lost when the paper ends or the power goes, which fault
of its plan it meets) and books it on the mechanism as far as the printer can print. When things happen, and what stops
and mends the printer, is `troubles`'; bytes in and answers out are `printer`'s.
"""

from __future__ import annotations

from typing import Literal

from o2o_devices.counters import Counters
from o2o_devices.escpos.events import AutoStatus, ClearBuffers, Cut, Event, ProcessId, TransmitId, TransmitStatus
from o2o_devices.escpos.events import Unknown as UnknownCommand
from o2o_devices.escpos.interpreter import Interpreter
from o2o_devices.escpos.rest import Rest
from o2o_devices.escpos.status import Status
from o2o_devices.faults import FaultPlan, Kind, Met, OnMet, TicketFault
from o2o_devices.marks import NEVER, Mark, OnPaper
from o2o_devices.mechanism import GENERIC_80, FaultCode, Mechanism, Printed, Profile
from o2o_devices.receipt import SLACK_MM, Receipt
from o2o_devices.spoiled import SPOIL


def _no_faults(ticket: int) -> None:
    return None


class Engine:
    """A printer's state, and the booking of its paper. Times are seconds on the caller's clock."""

    __slots__ = (
        "_asb",
        "_asb_last",
        "_booked",
        "_clock",
        "_effect",
        "_ended_at",
        "_ended_met",
        "_extra_mm",
        "_flaps",
        "_held",
        "_held_bytes",
        "_in_ticket",
        "_interpreter",
        "_job",
        "_kanji",
        "_last",
        "_lost",
        "_lost_mm",
        "_next_faults",
        "_on_paper",
        "_out",
        "_plan",
        "_repair_s",
        "_repairs",
        "_rest",
        "_stream_mm",
        "_tickets",
        "_todo",
        "_trip",
        "_unanswered",
        "acks_to_lose",
        "counters",
        "link_bytes_s",
        "link_up",
        "mechanism",
        "on_met",
        "outages",
        "power_cuts",
        "profile",
        "silent",
    )

    def __init__(
        self,
        profile: Profile = GENERIC_80,
        *,
        on_paper: OnPaper,
        paper_mm: float | None = None,
        kanji: bool = True,
        plan: FaultPlan = _no_faults,
    ) -> None:
        self.profile = profile
        self.mechanism = Mechanism(profile, paper_mm=paper_mm)
        self.counters = Counters()
        self.silent = False
        """Takes bytes, prints nothing of them and answers nothing."""
        self.acks_to_lose = 0
        """So many of the next answers to GS ( H are lost on the way, after their paper is out."""
        self.link_up = True
        self.link_bytes_s: float | None = None
        """What a slow link carries; None: as much as comes. Transports obey."""
        self.outages = 0
        """Times that power or link went down: whatever connection there was is gone."""
        self.power_cuts = 0
        """Of those, the times that the power went: what was received and not printed is gone as well."""
        self.on_met: OnMet | None = None
        """Called with each fault that a ticket meets, at the instant of its effect."""
        self._unanswered: list[Met] | None = None  # confessed, and the ticket's answer may still come
        self._last: tuple[int, Receipt | None] = (
            -1,
            None,
        )  # the ticket that came out last (as it was sent, if that will be asked for)
        self._on_paper = on_paper
        self._plan = plan
        self._kanji = kanji
        # Most printers of a large fleet are idle: the interpreter is made at the first byte, and left after the last.
        self._interpreter: Interpreter | None = None
        self._rest: Rest | None = None
        self._todo: list[Mark] = []  # not booked yet
        self._booked: list[tuple[float, Mark]] = []
        self._stream_mm = 0.0  # of the stream's paper, booked
        self._extra_mm = 0.0  # paper of second copies, which is in the stream's paper and not in the bytes
        self._held: list[tuple[float, int]] = []  # (paper at its end, bytes) of pieces received and not printed
        self._held_bytes = 0
        self._ended_at: float | None = None  # the paper ended (or will) in mid-job; waits for paper
        self._ended_met = False
        self._lost: Literal["", "ticket", "answers"] = ""  # after a paper end: what the sender will not get
        self._lost_mm = 0.0
        self._job = 0
        self._tickets = 0
        self._in_ticket = False
        self._effect: Kind | None = None  # of the ticket that is being printed
        self._next_faults: list[TicketFault] | None = None  # ordered by hand, before the plan's
        self._trip: tuple[float, Kind, float] | None = None  # odometer mm, what, repair_s
        self._repair_s: float | None = None  # of a planned paper end
        self._repairs: list[tuple[float, str]] | None = None
        self._flaps = 0
        self._asb = 0
        self._asb_last = b""
        self._out = b""
        self._clock = -NEVER  # of the last look

    @property
    def _reader(self) -> Interpreter:
        if self._interpreter is None:
            self._interpreter = Interpreter(self.profile, kanji=self._kanji, status=self.status, rest=self._rest)
            self._rest = None
        return self._interpreter

    def _leave(self, now: float) -> None:
        """Nothing is left to print: of the interpreter only what it has to remember stays."""
        if self._interpreter is not None:
            self._rest = self._interpreter.rest()
            if self._rest is not None:
                self._interpreter = None
        self.mechanism.settle(now)

    @property
    def _fed_mm(self) -> float:
        """Paper of all that was read, second copies included."""
        if self._interpreter is not None:
            return self._interpreter.fed_mm + self._extra_mm
        return self._extra_mm if self._rest is None else self._rest.fed_mm(self.profile) + self._extra_mm

    def status(self, now: float) -> Status:
        """Sensors and switches."""
        mechanism = self.mechanism
        return Status(
            mechanism.online,
            mechanism.cover_open,
            mechanism.paper_end(now),
            mechanism.near_end(now),
            error=False,
            overheated=mechanism.overheated(now),
        )

    @property
    def _halted(self) -> bool:
        return self._ended_at is not None or self.mechanism.fault() is not None

    def _note(self, events: list[Event]) -> None:
        extra = self._extra_mm
        for event in events:
            if isinstance(event, UnknownCommand):
                self.counters.unknown += 1
            elif self._lost and self._is_lost(event):
                continue
            elif isinstance(event, Cut | ProcessId | TransmitStatus | TransmitId | AutoStatus):
                self._todo.append(Mark(event.mm + extra, event, self._job))

    def _is_lost(self, event: Event) -> bool:
        """Whether the event belongs to a ticket that the paper end swallowed."""
        if self._lost == "ticket":
            if isinstance(event, Cut):
                self._lost, self._lost_mm = "answers", event.mm + self._extra_mm
                self._stream_mm = self._lost_mm
            return True
        if isinstance(event, ClearBuffers) or event.mm + self._extra_mm <= self._lost_mm:
            return isinstance(event, ProcessId)
        self._lost = ""
        return False

    def _book(self, now: float) -> None:
        """Book all paper that is known of, as far as the printer can print."""
        while self._todo:
            mark = self._todo[0]
            cut = isinstance(mark.event, Cut) and mark.event.receipt.cut is not None
            done = self._feed(mark.mm, now, cut=cut)
            if done is None:
                return
            del self._todo[0]
            if isinstance(mark.event, Cut):
                self._in_ticket = False
                if not mark.begun:
                    mark = mark._replace(begun=True, effect=self._effect, ticket=self._tickets - 1)
                    self._effect = None
            self._booked.append((done, mark))
        fed_mm = self._fed_mm
        if self._lost == "ticket":
            self._stream_mm = fed_mm
        elif fed_mm > self._stream_mm:
            self._feed(fed_mm, now, cut=False)

    def _feed(self, mm: float, now: float, *, cut: bool) -> float | None:
        """Book paper up to `mm` of the stream; when it is out, or None if the printer stops before."""
        if self._halted:
            return None
        length = max(mm - self._stream_mm, 0.0)
        if length > 0.0 and not self._in_ticket:
            self._in_ticket = True
            cut_ahead = next((mark for mark in self._todo if isinstance(mark.event, Cut)), None)
            if cut_ahead is None or not cut_ahead.begun:  # else it goes on, after a stop or as a second copy
                self._begin_ticket()
        outcome = self.mechanism.start(length, now, cut=cut)
        if isinstance(outcome, Printed):
            self._stream_mm += length
            return outcome.done_at
        self._stream_mm += outcome.printed_mm
        self._ended_at, self._ended_met = outcome.at, False
        return None

    def _begin_ticket(self) -> None:
        fault = self._next_faults.pop(0) if self._next_faults else self._plan(self._tickets)
        self._tickets += 1
        if fault is None:
            return
        kind = fault.kind
        self.counters.meet(kind)
        if kind == "lost_ack":
            self.acks_to_lose += 1
        elif kind == "paper_end":
            self.mechanism.paper_mm = min(self.mechanism.paper_mm, fault.after_mm)
            self._repair_s = fault.repair_s
        elif kind in ("wrong_codepage", "no_print", "overrun", "duplicate"):
            self._effect = kind
        elif kind == "power_after":
            self._effect = kind
            self._repair_s = fault.repair_s
        else:
            after = 0.0 if kind == "power_before" else fault.after_mm
            self._trip = (self.mechanism.total_mm + after, kind, fault.repair_s)

    @property
    def astray(self) -> bool:
        """It prints pictures as text, whatever is sent, until its power is cycled."""
        return self._interpreter is not None and self._interpreter.astray

    def order_fault(self, fault: TicketFault) -> None:
        """The next ticket that is not in print yet meets this fault, whatever the plan says."""
        self._next_faults = [*(self._next_faults or ()), fault]

    def _confess(self, kind: Kind, at: float, ticket: int, receipt: Receipt | None, repair_s: float = 0.0) -> None:
        """Say what happened to a ticket."""
        if self.on_met is not None:
            met = Met(kind, at, receipt, ticket, self._job, at + repair_s)
            if ticket >= 0:
                self._unanswered = [*(self._unanswered or ()), met]
            self.on_met(met)

    def _answered(self, at: float) -> None:
        """The ticket that came out last was answered for; those before it will not be."""
        ticket = self._last[0]
        for met in self._unanswered or ():
            if met.ticket == ticket and met.job == self._job:
                met.answered_at = at
        self._unanswered = [met for met in self._unanswered or () if met.ticket > ticket] or None

    def _under_way(self) -> tuple[int, Receipt | None]:
        """The ticket in print, as it was sent and as far as it was read; (-1, None): there is none."""
        marks = (*(mark for _, mark in self._booked), *self._todo)
        cut = next((mark for mark in marks if isinstance(mark.event, Cut)), None)
        if cut is not None and isinstance(cut.event, Cut) and (cut.begun or self._in_ticket):
            return cut.ticket if cut.begun else self._tickets - 1, cut.event.receipt
        if self._in_ticket:
            return self._tickets - 1, self._reader.begun()
        return -1, None

    def _emit(self, receipt: Receipt, at: float, effect: Kind | None, ticket: int) -> None:
        if effect in SPOIL:
            if receipt.complete:  # half a ticket is waste paper anyway
                self._confess(effect, at, ticket, receipt)
            receipt = SPOIL[effect](receipt)
        self.counters.receipts += 1
        self.counters.torn += not receipt.complete
        self._on_paper(receipt, at)

    def _in_image(self) -> bool:
        """Whether what is under the head now belongs to an image."""
        if self._reader.in_image:
            return True
        receipt, printed = self._unfinished()
        before = 0.0
        for line in receipt.lines:
            if before - SLACK_MM <= printed < line.end_mm - SLACK_MM:
                return line.kind == "image"
            before = line.end_mm
        return False

    def _unfinished(self) -> tuple[Receipt, float]:
        """The ticket that is not out, as far as it was read, and how much of it is on paper."""
        first = next((mark for mark in self._todo if isinstance(mark.event, Cut)), None)
        if first is not None and isinstance(first.event, Cut):
            receipt, bottom = first.event.receipt, first.mm
        else:
            receipt, bottom = self._reader.begun(), self._fed_mm
        return receipt, self._stream_mm - (bottom - receipt.length_mm)

    def _stop(self, now: float) -> None:
        """Take back what is booked and not out."""
        if self._ended_at is not None and self._ended_at > now:
            self._ended_at = None
        self._stream_mm -= self.mechanism.pending_mm(now)
        self.mechanism.interrupt("cover_open", now)
        self._todo[:0] = [mark for _, mark in self._booked]
        self._booked.clear()
        first = next((mark for mark in self._todo if isinstance(mark.event, Cut)), None)
        if first is not None and first.begun:
            self._in_ticket = True

    def _abandon(self, code: FaultCode | str, at: float) -> None:
        """Forget all that is not on paper; what is comes out as it is."""
        receipt, printed = self._unfinished()
        first = next((mark for mark in self._todo if isinstance(mark.event, Cut)), None)
        effect = first.effect if first is not None and first.begun else self._effect
        ticket = first.ticket if first is not None and first.begun else self._tickets - 1
        self._todo.clear()
        self._reader.forget()
        self._stream_mm = self._fed_mm
        self._held.clear()
        self._held_bytes = 0
        self._in_ticket = False
        self._effect = None
        self._trip = None
        if printed > SLACK_MM:
            self._emit(receipt.torn(printed, code), at, effect, ticket)
