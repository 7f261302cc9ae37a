"""What a raw TCP printer sends back, read byte by byte (no I/O).

Three kinds of answers come on one unframed stream: a status byte (answer to DLE EOT n: fixed bits 0**1**10), the
process id (answer to GS ( H fn 48: `37 22 d1 d2 d3 d4 00`), and automatic status (after GS a n: four bytes, the first
with fixed bits 0**1**00, the others 0**0****), which the printer sends by itself whenever its state changes. Everything
else (answers to commands that we do not send) is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass

_STATUS_MASK, _STATUS_BITS = 0b1001_0011, 0b0001_0010
_AUTO_BITS, _AUTO_LENGTH = 0b0001_0000, 4
_REST_MASK = 0b1001_0000  # of the second to fourth byte: both bits are 0
_HEAD = b"\x37\x22"
_LENGTH = 7  # head, four characters of the id, NUL

_LOW, _BASE = 0x20, 95  # an id's characters are 0x20..0x7E
IDS = _BASE**4
"""Ticket ids that can be told apart on one connection."""


@dataclass(frozen=True, slots=True)
class Status:
    """A status byte."""

    bits: int


@dataclass(frozen=True, slots=True)
class Done:
    """All that was sent before this process id has been processed: the ticket is on paper."""

    process_id: bytes


@dataclass(frozen=True, slots=True)
class Auto:
    """Automatic status: the printer's state from now on, until the next one."""

    cover_open: bool
    error: bool
    paper_end: bool


Reply = Status | Done | Auto


class Replies:
    """Resumable at any byte: feed what came, get what is complete."""

    def __init__(self) -> None:
        self._frame = bytearray()

    def feed(self, data: bytes) -> list[Reply]:
        """The answers that `data` completes."""
        found: list[Reply] = []
        frame = self._frame
        for byte in data:
            if frame:
                self._in_frame(byte, found)
            else:
                self._first(byte, found)
        return found

    def _first(self, byte: int, found: list[Reply]) -> None:
        if byte == _HEAD[0] or byte & _STATUS_MASK == _AUTO_BITS:
            self._frame.append(byte)
        elif byte & _STATUS_MASK == _STATUS_BITS:
            found.append(Status(byte))

    def _in_frame(self, byte: int, found: list[Reply]) -> None:
        frame = self._frame
        framed = frame[0] == _HEAD[0]
        fits = (len(frame) > 1 or byte == _HEAD[1]) if framed else byte & _REST_MASK == 0
        if not fits:  # that was something else, and this begins anew
            frame.clear()
            self._first(byte, found)
            return
        frame.append(byte)
        if not framed:
            if len(frame) == _AUTO_LENGTH:
                found.append(Auto(bool(frame[0] & 0x20), bool(frame[1] & 0x68), bool(frame[2] & 0x0C)))
                frame.clear()
        elif len(frame) == _LENGTH:
            if frame[-1] == 0:
                found.append(Done(bytes(frame[2:6])))
            frame.clear()


def process_id(ticket_id: int) -> bytes:
    """Four printable characters that stand for the ticket."""
    rest, out = ticket_id % IDS, bytearray()
    for _ in range(4):
        rest, digit = divmod(rest, _BASE)
        out.append(_LOW + digit)
    return bytes(out)


def ticket_id(process_id: bytes) -> int:
    """The ticket that four characters stand for."""
    number = 0
    for char in reversed(process_id):
        number = number * _BASE + (char - _LOW)
    return number
