"""A whole printer without sockets: bytes in, answers and paper out, on a given clock (A14).

Decides what happens when: bytes are interpreted on arrival, their paper is booked on the mechanism, and whatever stands
behind that paper in the stream (the receipt of a cut, the answer to a process id, a status) happens at the instant the
paper is out. Times are seconds on the caller's clock and must not go back. Transports (tcp9100) move the bytes and call
`advance` when `next_at` says so; they decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from o2o_devices.counters import Counters
from o2o_devices.escpos import status as status_bytes
from o2o_devices.escpos.events import AutoStatus, ClearBuffers, Cut, Event, ProcessId, TransmitId, TransmitStatus
from o2o_devices.escpos.events import Unknown as UnknownCommand
from o2o_devices.escpos.interpreter import Interpreter
from o2o_devices.escpos.status import Status
from o2o_devices.faults import FaultPlan, Kind, TicketFault
from o2o_devices.mechanism import GENERIC_80, FaultCode, Mechanism, Printed, Profile
from o2o_devices.receipt import Receipt
from o2o_devices.spoiled import SPOIL

OnPaper = Callable[[Receipt, float], None]
"""Called with each piece of paper and the instant at which it was out."""

_SLACK_MM = 1e-6
_NEVER = float("inf")
SLOW_BYTES_S = 200.0
"""What a slow link carries (assumed: a mobile link at the edge of its cell)."""
_FLAPS = 3


class _Mark(NamedTuple):
    """Something to do when the stream's paper up to `mm` is out."""

    mm: float
    event: Event
    job: int
    begun: bool = False
    """A cut whose ticket has begun to print, so that its fault is known."""
    effect: Kind | None = None
    """What its ticket meets when it comes out."""


def _no_faults(ticket: int) -> None:
    return None


class VirtualPrinter:
    """One printer. A job is what is received between two `end_job`; answers go to the job that asked."""

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
        "_lost",
        "_lost_mm",
        "_next_faults",
        "_on_paper",
        "_out",
        "_plan",
        "_repair_s",
        "_repairs",
        "_stream_mm",
        "_tickets",
        "_todo",
        "_trip",
        "acks_to_lose",
        "counters",
        "link_bytes_s",
        "link_up",
        "mechanism",
        "outages",
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
        self._on_paper = on_paper
        self._plan = plan
        self._kanji = kanji
        self._interpreter: Interpreter | None = None  # most printers of a large fleet are idle: made at the first byte
        self._todo: list[_Mark] = []  # not booked yet
        self._booked: list[tuple[float, _Mark]] = []
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
        self._clock = -_NEVER  # of the last look

    @property
    def _reader(self) -> Interpreter:
        if self._interpreter is None:
            self._interpreter = Interpreter(self.profile, kanji=self._kanji, status=self.status)
        return self._interpreter

    @property
    def _fed_mm(self) -> float:
        """Paper of all that was read, second copies included."""
        return (0.0 if self._interpreter is None else self._interpreter.fed_mm) + self._extra_mm

    # --- bytes -------------------------------------------------------------------------------------------------------

    def receive(self, data: bytes, now: float) -> bytes:
        """Take bytes; returns what is to be sent back by now."""
        self._run(now)
        self.counters.bytes_in += len(data)
        if self.silent or not self.mechanism.powered:
            self.counters.bytes_dropped += len(data)
            return self._take()
        reader = self._reader
        replies, urgent = reader.scan(data, now)
        self._out += replies
        if self.profile.overrun == "drop" and len(data) > self.room():
            self.counters.bytes_dropped += len(data) - self.room()
            data = data[: self.room()]
        if any(isinstance(event, ClearBuffers) and (not event.recover or self._halted) for event in urgent):
            # "do not transmit data that follows until the Clear response is received": the rest of the piece goes too
            self._stop(now)
            self._abandon("cleared", now)
            reader.clear()
        elif data:
            self._note(reader.interpret(data))
            self._held.append((self._fed_mm, len(data)))
            self._held_bytes += len(data)
            self._book(now)
        return self.advance(now)

    def room(self) -> int:
        """Bytes that the buffer takes; 0: the sender must wait, until `next_at` at least."""
        return max(self.profile.buffer_bytes - self._held_bytes, 0)

    def intake(self) -> int:
        """Bytes that may be received now: the buffer's room and the reserve in which real-time commands still get
        through. A printer that drops what it has no room for takes any number."""
        if self.profile.overrun == "drop":
            return self.profile.buffer_bytes
        return max(self.profile.buffer_bytes + self.profile.reserve_bytes - self._held_bytes, 0)

    def end_input(self, now: float) -> None:
        """The sender has said all; it may still wait for answers."""
        self._run(now)
        if self._interpreter is not None and self.mechanism.powered and not self.silent:
            self._note(self._interpreter.end_job())
            self._book(now)

    def end_job(self, now: float) -> None:
        """The sender is gone: what it sent is still printed, answers to it go nowhere."""
        self.end_input(now)
        self._job += 1
        self._asb = 0
        self._lost = ""
        self._out = b""

    @property
    def idle(self) -> bool:
        """Nothing left to print or to answer."""
        return not (self._booked or self._todo)

    @property
    def owes_answers(self) -> bool:
        """The present job waits for an answer that can still come without somebody's help."""
        if self._halted:
            return False
        marks = (*self._todo, *(mark for _, mark in self._booked))
        return any(mark.job == self._job and not isinstance(mark.event, Cut) for mark in marks)

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

    # --- time --------------------------------------------------------------------------------------------------------

    def advance(self, now: float) -> bytes:
        """Do all that is due by `now`, in the order of time; returns what is to be sent back."""
        self._run(now)
        if not self._halted:
            printed = self._stream_mm - self.mechanism.pending_mm(now) + _SLACK_MM
            while self._held and self._held[0][0] <= printed:
                self._held_bytes -= self._held.pop(0)[1]
        if self._asb:
            status = status_bytes.automatic(self.status(now))
            if status != self._asb_last:
                self._asb_last = status
                self._out += status
        return self._take()

    def next_at(self) -> float | None:
        """The next instant at which `advance` has something to do; None: not before bytes come or somebody acts."""
        at = self._next()[0]
        if self._held_bytes >= self.profile.buffer_bytes and not self._halted:
            behind = self._stream_mm - self._held[0][0]
            if behind >= 0.0:
                out = self.mechanism.reach_at(self.mechanism.total_mm - behind)
                at = min(at, _NEVER if out is None else out)
        mechanism = self.mechanism
        if self._asb and not mechanism.near_end(self._clock):  # to be told of at its time
            out = mechanism.reach_at(mechanism.total_mm + mechanism.paper_mm - self.profile.near_end_mm)
            at = min(at, _NEVER if out is None else out)
        if self._asb:
            change = mechanism.heat_change(self._clock)
            at = at if change is None else min(at, change)
        return None if at == _NEVER else at

    def _next(self) -> tuple[float, str]:
        best, what = _NEVER, ""
        if self._booked:
            best, what = self._booked[0][0], "mark"
        if self._ended_at is not None and not self._ended_met and self._ended_at < best:
            best, what = self._ended_at, "paper_end"
        if self._trip is not None:
            at = self.mechanism.reach_at(self._trip[0])
            if at is not None and at < best:
                best, what = at, "trip"
        if self._repairs and self._repairs[0][0] < best:
            best, what = self._repairs[0][0], "repair"
        return best, what

    def _run(self, now: float) -> None:
        while True:
            at, what = self._next()
            if at > now:
                self._clock = now
                return
            if what == "mark":
                self._act(*self._booked.pop(0))
            elif what == "paper_end":
                self._meet_paper_end(at)
            elif what == "trip":
                self._meet_trip(max(at, self._clock))
            else:
                self._meet_repair(at)

    def _take(self) -> bytes:
        out, self._out = self._out, b""
        return b"" if self.silent else out

    # --- paper -------------------------------------------------------------------------------------------------------

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
                self._todo.append(_Mark(event.mm + extra, event, self._job))

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
                    mark = mark._replace(begun=True, effect=self._effect)
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

    def order_fault(self, fault: TicketFault) -> None:
        """The next ticket that is not in print yet meets this fault, whatever the plan says."""
        self._next_faults = [*(self._next_faults or ()), fault]

    def _act(self, at: float, mark: _Mark) -> None:
        event, asked = mark.event, mark.job == self._job
        if isinstance(event, Cut):
            self._emit(event.receipt, at, mark.effect)
            if mark.effect == "duplicate":
                self._print_again(at, event)
            elif mark.effect == "power_after":
                self.power_off(at)
                self._repair_later(at, "power_off")
        elif isinstance(event, ProcessId):
            if self.acks_to_lose > 0:
                self.acks_to_lose -= 1
                self.counters.acks_lost += 1
            elif asked:
                self.counters.acks += 1
                self._out += status_bytes.process_id(event.id)
        elif not asked:
            return
        elif isinstance(event, TransmitStatus):
            self._out += status_bytes.transmit(event.n, self.status(at))
        elif isinstance(event, TransmitId):
            self._out += status_bytes.printer_id(event.n, self.profile.name)
        elif isinstance(event, AutoStatus):
            self._asb = event.mask
            self._asb_last = b""

    def _print_again(self, at: float, event: Cut) -> None:
        """A second copy, before all that is still to come."""
        length = event.receipt.length_mm
        self._stop(at)
        self._extra_mm += length
        self._lost_mm += length
        self._todo[:] = [mark._replace(mm=mark.mm + length) for mark in self._todo]
        self._held[:] = [(mm + length, size) for mm, size in self._held]
        self._todo.insert(0, _Mark(self._stream_mm + length, event, -1, begun=True))
        self._book(at)

    def _emit(self, receipt: Receipt, at: float, effect: Kind | None) -> None:
        if effect in SPOIL:
            receipt = SPOIL[effect](receipt)
        self.counters.receipts += 1
        self.counters.torn += not receipt.complete
        self._on_paper(receipt, at)

    # --- faults ------------------------------------------------------------------------------------------------------

    def set_paper(self, now: float, mm: float | None = None) -> None:
        """A new roll (None), or `mm` left on this one: 0 is a paper end now, 20 one in mid-ticket."""
        self._run(now)
        self._stop(now)
        self.mechanism.refill(mm)
        self._ended_at = None
        self._book(now)

    def open_cover(self, now: float) -> None:
        """Printing stops; what was not printed waits."""
        self._run(now)
        self._stop(now)
        self.mechanism.open_cover(now)
        self.counters.faults += 1

    def close_cover(self, now: float) -> None:
        self._run(now)
        self.mechanism.close_cover()
        self._book(now)

    def power_off(self, now: float) -> None:
        """All that is not on paper is lost; so are the modes."""
        self._run(now)
        self._stop(now)
        self.mechanism.power_off(now)
        self._abandon("power_off", now)
        if self._interpreter is not None:
            self._interpreter.power_cycle()
        self._asb = 0
        self._lost = ""
        self._out = b""
        self.outages += 1
        self.counters.faults += 1

    def set_link(self, up: bool) -> None:
        """The network cable; what was received is still printed."""
        if self.link_up and not up:
            self.outages += 1
            self.counters.faults += 1
        self.link_up = up

    def power_on(self) -> None:
        self.mechanism.power_on()

    def pause(self, now: float) -> None:
        """The printer's own switch is off: it takes bytes and prints nothing until `go_on`."""
        self._run(now)
        self._stop(now)
        self.mechanism.set_online(False)
        self.counters.faults += 1

    def go_on(self, now: float) -> None:
        """The backlog is printed."""
        self._run(now)
        self.mechanism.set_online(True)
        self._book(now)

    def trip(self, kind: Kind, after_mm: float, now: float, *, repair_s: float = _NEVER) -> None:
        """Have a fault when `after_mm` more of what is to come are out (cover_open, power_off or offline)."""
        self._trip = (self.mechanism.odometer_mm(now) + after_mm, kind, repair_s)

    def _meet_paper_end(self, at: float) -> None:
        self._ended_met = True
        self.counters.faults += 1
        self._repair_later(at, "paper_end")
        if self.profile.on_paper_end != "resume":
            # The rest of the ticket is read and forgotten, and its answer is never given: half a ticket on the next
            # roll would be garbage, an acknowledgement a lie.
            reader = self._reader
            whole = reader.blank
            astray = self.profile.on_paper_end == "garbage" and self._in_image()
            self._abandon("paper_end", at)
            self._ended_at = None
            if astray:
                reader.lose_place()
            elif not reader.astray:
                self._lost, self._lost_mm = "answers" if whole else "ticket", self._stream_mm

    def _in_image(self) -> bool:
        """Whether what is under the head now belongs to an image."""
        if self._reader.in_image:
            return True
        receipt, printed = self._unfinished()
        before = 0.0
        for line in receipt.lines:
            if before - _SLACK_MM <= printed < line.end_mm - _SLACK_MM:
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

    def _repair_later(self, at: float, kind: str, after_s: float | None = None) -> None:
        """Somebody comes after `after_s`, or in the time that the ticket's fault has named, if any."""
        if after_s is None:
            after_s, self._repair_s = self._repair_s, None
        if after_s is not None and after_s != _NEVER:
            self._repairs = sorted([*(self._repairs or ()), (at + after_s, kind)])

    def _meet_trip(self, at: float) -> None:
        assert self._trip is not None
        _, kind, repair_s = self._trip
        self._trip = None
        if kind in ("power_off", "power_before"):
            self.power_off(at)
        elif kind == "cover_open":
            self.open_cover(at)
        elif kind == "backlog":
            self.pause(at)
        elif kind == "slow":
            self.link_bytes_s = SLOW_BYTES_S
        elif kind == "half_open":
            self.silent = True
        else:
            self.set_link(False)
            if kind == "flapping":
                self._flaps = _FLAPS
                repair_s /= 2 * _FLAPS - 1
        self._repair_later(at, f"{kind} {repair_s}" if kind == "flapping" else kind, repair_s)

    def _meet_repair(self, at: float) -> None:
        assert self._repairs
        kind = self._repairs.pop(0)[1]
        if kind == "paper_end":
            self.set_paper(at)
        elif kind == "cover_open":
            self.close_cover(at)
        elif kind in ("power_off", "power_before"):
            self.power_on()
        elif kind == "backlog":
            self.go_on(at)
        elif kind == "slow":
            self.link_bytes_s = None
        elif kind == "half_open":
            self.silent = False
            self.outages += 1
        elif kind.startswith("flapping"):
            self._flap(at, kind)
        else:
            self.set_link(True)

    def _flap(self, at: float, kind: str) -> None:
        """The link's next change; it stays up after the last."""
        _, _, each = kind.partition(" ")
        self.set_link(not self.link_up)
        self._flaps -= self.link_up
        if self._flaps > 0:
            self._repair_later(at, kind, float(each))

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
        self._todo.clear()
        self._reader.forget()
        self._stream_mm = self._fed_mm
        self._held.clear()
        self._held_bytes = 0
        self._in_ticket = False
        self._effect = None
        self._trip = None
        if printed > _SLACK_MM:
            self._emit(receipt.torn(printed, code), at, effect)
