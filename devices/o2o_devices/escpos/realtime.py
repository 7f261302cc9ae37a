"""Real-time commands: found in the raw bytes on receipt, ahead of the buffer, whatever the stream is in the middle of.

Decides where DLE EOT, DLE ENQ and DLE DC4 sequences begin and end; the effect is the interpreter's. Like the real ones
it also finds them inside image data ("if print data includes a character string containing this command, the printer
performs the command", TM-T90 specification, DLE DC4).
"""

from __future__ import annotations

DLE = 0x10
_EOT_LONG = (0x00, 0x07, 0x08, 0x12)
_DC4_LENGTH = {0x01: 5, 0x02: 5, 0x03: 8, 0x07: 4, 0x08: 10}


def length(data: bytes, at: int) -> int | None:
    """Bytes of the real-time command at `at` (a DLE); 0 if it is none, None if too little has come to tell."""
    have = len(data) - at
    if have < 2:
        return None
    kind = data[at + 1]
    if kind not in (0x04, 0x05, 0x14):
        return 0
    if have < 3:
        return None
    n = data[at + 2]
    if kind == 0x04:
        needed = 4 if n in _EOT_LONG else 3
    elif kind == 0x05:
        needed = 3
    else:
        needed = _DC4_LENGTH.get(n, 3)
    return needed if have >= needed else None


class Scanner:
    """Finds real-time commands in a stream that comes in pieces."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The commands completed by `data`, in order."""
        if not self._tail and DLE not in data:
            return []
        data = self._tail + data
        self._tail = b""
        found: list[bytes] = []
        at = data.find(DLE)
        while at >= 0:
            size = length(data, at)
            if size is None:
                self._tail = data[at:]
                break
            if size:
                found.append(data[at : at + size])
            at = data.find(DLE, at + max(size, 1))
        return found

    @property
    def waits(self) -> bool:
        """Half a command has come."""
        return bool(self._tail)

    def reset(self) -> None:
        self._tail = b""
