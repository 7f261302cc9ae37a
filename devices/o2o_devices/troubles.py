"""What happens to a printer at its time: paper comes out, it stops, somebody mends it.

Decides the order of events (`_run`: marks, paper ends, trips and repairs by their instants), what power, cover, link
and paper do to what is under way, and what each planned fault breaks.
"""

from __future__ import annotations

from o2o_devices.engine import Engine
from o2o_devices.errors import ControlError
from o2o_devices.escpos import status as status_bytes
from o2o_devices.escpos.events import AutoStatus, Cut, ProcessId, TransmitId, TransmitStatus
from o2o_devices.faults import Kind
from o2o_devices.marks import NEVER, Mark

SLOW_BYTES_S = 200.0
"""What a slow link carries (assumed: a mobile link at the edge of its cell)."""
_FLAPS = 3


class Troubled(Engine):
    """An engine that meets its faults. Times must not go back."""

    __slots__ = ()

    def _next(self) -> tuple[float, str]:
        best, what = NEVER, ""
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

    def _act(self, at: float, mark: Mark) -> None:
        event, asked = mark.event, mark.job == self._job
        if isinstance(event, Cut):
            self._emit(event.receipt, at, mark.effect, mark.ticket)
            self._last = (mark.ticket, event.receipt if self.acks_to_lose else None)
            if mark.effect == "duplicate":
                self._confess("duplicate", at, mark.ticket, event.receipt)
                self._print_again(at, event, mark.ticket)
            elif mark.effect == "power_after":
                repair_s = NEVER if self._repair_s is None else self._repair_s
                self.power_off(at)
                self._confess("power_after", at, mark.ticket, event.receipt, repair_s)  # its answer went with the power
                self._repair_later(at, "power_off")
        elif isinstance(event, ProcessId):
            if self.acks_to_lose > 0:
                self.acks_to_lose -= 1
                self.counters.acks_lost += 1
                self._confess("lost_ack", at, *self._last)
                self._last = (self._last[0], None)
            elif asked:
                self.counters.acks += 1
                if not self.silent:
                    self._answered(at)
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

    def _print_again(self, at: float, event: Cut, ticket: int) -> None:
        """A second copy, before all that is still to come."""
        length = event.receipt.length_mm
        self._stop(at)
        self._extra_mm += length
        self._lost_mm += length
        self._todo[:] = [mark._replace(mm=mark.mm + length) for mark in self._todo]
        self._held[:] = [(mm + length, size) for mm, size in self._held]
        self._todo.insert(0, Mark(self._stream_mm + length, event, -1, begun=True, ticket=ticket))
        self._book(at)

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
        if self._interpreter is not None or self._rest is not None:
            self._reader.power_cycle()
        self._asb = 0
        self._lost = ""
        self._out = b""
        self.outages += 1
        self.power_cuts += 1
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

    def trip(self, kind: Kind, after_mm: float, now: float, *, repair_s: float = NEVER) -> None:
        """Have a fault when `after_mm` more of what is to come are out (cover_open, power_off or offline)."""
        self._trip = (self.mechanism.odometer_mm(now) + after_mm, kind, repair_s)

    def break_now(self, kind: Kind, now: float, *, repair_s: float = NEVER) -> None:
        """Have a fault at once, whatever is under way, and have it mended after `repair_s`.

        ControlError for one that is a ticket's (wrong_codepage, no_print, overrun, duplicate): order it for the next.
        """
        if kind in ("wrong_codepage", "no_print", "overrun", "duplicate"):
            raise ControlError(f"{kind} is a ticket's: order it for the next one")
        self._run(now)
        self.counters.meet(kind)
        if kind == "lost_ack":
            self.acks_to_lose += 1
        elif kind == "paper_end":
            self.set_paper(now, 0.0)
            self._repair_later(now, kind, repair_s)
        else:
            self._trip = (self.mechanism.odometer_mm(now), "power_off" if kind == "power_after" else kind, repair_s)
            self._meet_trip(now)

    def _meet_paper_end(self, at: float) -> None:
        self._ended_met = True
        self.counters.faults += 1
        self._confess("paper_end", at, *self._under_way(), NEVER if self._repair_s is None else self._repair_s)
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

    def _repair_later(self, at: float, kind: str, after_s: float | None = None) -> None:
        """Somebody comes after `after_s`, or in the time that the ticket's fault has named, if any."""
        if after_s is None:
            after_s, self._repair_s = self._repair_s, None
        if after_s is not None and after_s != NEVER:
            self._repairs = sorted([*(self._repairs or ()), (at + after_s, kind)])

    def _meet_trip(self, at: float) -> None:
        assert self._trip is not None
        _, kind, repair_s = self._trip
        self._trip = None
        self._confess(kind, at, *self._under_way(), repair_s)
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
        if self._flaps > 0 or not self.link_up:  # two that overlap must not leave it down
            self._repair_later(at, kind, float(each))
