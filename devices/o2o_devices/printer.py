"""A whole printer without sockets: bytes in, answers and paper out, on a given clock (A14).

Decides what happens when: bytes are interpreted on arrival, their paper is booked on the mechanism, and whatever stands
behind that paper in the stream (the receipt of a cut, the answer to a process id, a status) happens at the instant the
paper is out. Times are seconds on the caller's clock and must not go back. Transports (tcp9100) move the bytes and call
`advance` when `next_at` says so; they decide nothing.
"""

from __future__ import annotations

from o2o_devices.escpos import status as status_bytes
from o2o_devices.escpos.events import ClearBuffers, Cut
from o2o_devices.marks import NEVER, OnPaper
from o2o_devices.receipt import SLACK_MM
from o2o_devices.troubles import SLOW_BYTES_S, Troubled

__all__ = ["SLOW_BYTES_S", "OnPaper", "VirtualPrinter"]


class VirtualPrinter(Troubled):
    """One printer. A job is what is received between two `end_job`; answers go to the job that asked."""

    __slots__ = ()

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

    def advance(self, now: float) -> bytes:
        """Do all that is due by `now`, in the order of time; returns what is to be sent back."""
        self._run(now)
        if not self._halted:
            printed = self._stream_mm - self.mechanism.pending_mm(now) + SLACK_MM
            while self._held and self._held[0][0] <= printed:
                self._held_bytes -= self._held.pop(0)[1]
            if not (self._held or self._booked or self._todo):
                self._leave(now)
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
                at = min(at, NEVER if out is None else out)
        mechanism = self.mechanism
        if self._asb and not mechanism.near_end(self._clock):  # to be told of at its time
            out = mechanism.reach_at(mechanism.total_mm + mechanism.paper_mm - self.profile.near_end_mm)
            at = min(at, NEVER if out is None else out)
        if self._asb:
            change = mechanism.heat_change(self._clock)
            at = at if change is None else min(at, change)
        return None if at == NEVER else at

    def _take(self) -> bytes:
        out, self._out = self._out, b""
        return b"" if self.silent else out
