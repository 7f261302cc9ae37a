"""A printer's state as the bytes of ESC/POS status answers.

Decides the bit patterns only; who asks and when is left to the interpreter and the printer. Fixed bits tell the classes
apart: DLE EOT 0**1**10, GS r 0**0****, first ASB byte 0**1**00 (Epson ESC/POS reference: dle_eot, gs_lr, gs_la).
"""

from __future__ import annotations

from typing import NamedTuple

CLEAR_RESPONSE = b"\x37\x25\x00"
"""Answer to DLE DC4 8 (Epson reference, dle_dc4_fn8)."""


class Status(NamedTuple):
    """Sensors and switches at one instant."""

    online: bool = True
    cover_open: bool = False
    paper_end: bool = False
    near_end: bool = False
    error: bool = False
    """A mechanical or cutter error that waits for recovery."""
    overheated: bool = False
    """The head is too hot: an error that passes by itself."""

    @property
    def offline(self) -> bool:
        """Not able to print, for whatever reason."""
        return not self.online or self.cover_open or self.paper_end or self.error or self.overheated


def realtime(n: int, status: Status) -> bytes:
    """Answer to DLE EOT n: one byte for n = 1 (printer), 2 (offline cause), 3 (error), 4 (roll paper), else none."""
    byte = 0x12
    if n == 1:
        byte |= 0x08 * status.offline
    elif n == 2:
        byte |= 0x04 * status.cover_open | 0x20 * status.paper_end | 0x40 * (status.error or status.overheated)
    elif n == 3:
        byte |= 0x08 * status.error | 0x40 * status.overheated
    elif n == 4:
        byte |= 0x0C * (status.near_end or status.paper_end) | 0x60 * status.paper_end
    else:
        return b""
    return bytes((byte,))


def transmit(n: int, status: Status) -> bytes:
    """Answer to GS r n: 1 or 49 paper sensor, 2 or 50 drawer (kept shut), else none."""
    if n in (1, 49):
        return bytes((0x03 * (status.near_end or status.paper_end) | 0x0C * status.paper_end,))
    return b"\x00" if n in (2, 50) else b""


def automatic(status: Status) -> bytes:
    """The four bytes of Automatic Status Back (GS a)."""
    first = 0x10 | 0x08 * status.offline | 0x20 * status.cover_open
    second = 0x08 * status.error | 0x40 * status.overheated
    third = 0x03 * (status.near_end or status.paper_end) | 0x0C * status.paper_end
    return bytes((first, second, third, 0x00))


def printer_id(n: int, model: str) -> bytes:
    """Answer to GS I n: model id, type id (bit 0: multi-byte characters, bit 1: cutter), ROM version, or a name."""
    single = {1: 0x20, 49: 0x20, 2: 0x03, 50: 0x03, 3: 0x01, 51: 0x01}.get(n)
    if single is not None:
        return bytes((single,))
    names = {65: "1.00", 66: "o2o", 67: model, 68: "", 69: "GB18030"}
    if n in names:
        return b"\x5f" + names[n].encode("ascii", "replace")[:80] + b"\x00"
    return b""


def process_id(ident: bytes) -> bytes:
    """Answer to GS ( H function 48, sent when the printing before it is completed (Epson reference, gs_lparen_ch)."""
    return b"\x37\x22" + ident + b"\x00"
