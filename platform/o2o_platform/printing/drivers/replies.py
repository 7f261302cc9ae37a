"""What a raw TCP printer sends back, read byte by byte (no I/O).

Two kinds of answers come on one unframed stream: a status byte (answer to DLE EOT n: fixed bits 0**1**10) and the
process id (answer to GS ( H fn 48: `37 22 d1 d2 d3 d4 00`). Everything else (automatic status, answers to commands
that we do not send) is passed over.
"""

from __future__ import annotations

from dataclasses import dataclass

_STATUS_MASK, _STATUS_BITS = 0b1001_0011, 0b0001_0010
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


class Replies:
    """Resumable at any byte: feed what came, get what is complete."""

    def __init__(self) -> None:
        self._frame = bytearray()

    def feed(self, data: bytes) -> list[Status | Done]:
        """The answers that `data` completes."""
        found: list[Status | Done] = []
        for byte in data:
            if self._frame:
                self._frame.append(byte)
                self._in_frame(found)
            elif byte == _HEAD[0]:
                self._frame.append(byte)
            elif byte & _STATUS_MASK == _STATUS_BITS:
                found.append(Status(byte))
        return found

    def _in_frame(self, found: list[Status | Done]) -> None:
        frame = self._frame
        if len(frame) == 2 and frame[1] != _HEAD[1]:
            if frame[1] & _STATUS_MASK == _STATUS_BITS:
                found.append(Status(frame[1]))
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
