"""From a ticket to the bytes that a Chinese ESC/POS printer takes.

Decides codes, not layout (that is `o2o_domain.ticket_layout`): GB18030 with FS & (two-byte mode is off on some models
after ESC @), sizes by GS ! for our letters and FS ! for Chinese characters (ESC ! alone leaves those small), a native
QR code (an image takes a hundred times as long), feed and cut.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from o2o_domain.ticket_layout import TicketOrder, layout

INIT = b"\x1b@\x1c&"  # ESC @, FS &
_ALIGN = {"left": b"\x1ba\x00", "center": b"\x1ba\x01"}
_BIG = b"\x1d!\x11\x1c!\x0c"  # double width and height, for both kinds of characters
_NORMAL = b"\x1d!\x00\x1c!\x00"
_BOLD, _NOT_BOLD = b"\x1bE\x01", b"\x1bE\x00"
FEED_AND_CUT = b"\x1dVB\x03"  # GS V 66 3: feed to the blade, partial cut
QR_MODULE = 4
"""Dots per module of the QR code."""
LOGO_DOTS = (256, 160)
"""Of the picture at the head of tickets that have one: 32 mm wide and 20 mm high at 8 dots/mm."""


def render(order: TicketOrder, width_cols: Literal[32, 48], qr: str) -> bytes:
    """The ticket as bytes; `qr` is the text of the code at its foot, left out when empty."""
    out = bytearray(INIT)
    style, align = "plain", "left"
    for line in layout(order, width_cols):
        if line.align != align:
            out += _ALIGN[line.align]
            align = line.align
        if line.style != style:
            if style == "big":
                out += _NORMAL
            elif style == "bold":
                out += _NOT_BOLD
            if line.style == "big":
                out += _BIG
            elif line.style == "bold":
                out += _BOLD
            style = line.style
        out += line.text.encode("gb18030")
        out += b"\n"
    out += _NORMAL + _NOT_BOLD
    if qr:
        out += _ALIGN["center"] + qr_code(qr) + b"\n" + _ALIGN["left"]
    out += FEED_AND_CUT
    return bytes(out)


def with_logo(ticket: bytes) -> bytes:
    """The ticket with a picture at its head: some platforms want one, and paper ends in the middle of it."""
    return INIT + _ALIGN["center"] + logo() + _ALIGN["left"] + ticket.removeprefix(INIT)


@lru_cache(maxsize=1)
def logo() -> bytes:
    """A framed picture as raster (GS v 0), LOGO_DOTS wide and high; no byte of it looks like a command."""
    width, height = LOGO_DOTS[0] // 8, LOGO_DOTS[1]
    frame, inside = b"\xff" * width, b"\xff" + b"\xaa" * (width - 2) + b"\xff"
    rows = b"".join(frame if row < 8 or row >= height - 8 else inside for row in range(height))
    return b"\x1dv0\x00" + width.to_bytes(2, "little") + height.to_bytes(2, "little") + rows


def qr_code(text: str) -> bytes:
    """A QR code that the printer draws itself: GS ( k, model 2, error correction M."""
    data = text.encode("ascii")
    store = len(data) + 3
    return (
        b"\x1d(k\x04\x001A2\x00"
        b"\x1d(k\x03\x001C"
        + bytes([QR_MODULE])
        + b"\x1d(k\x03\x001E1"
        + b"\x1d(k"
        + bytes([store & 0xFF, store >> 8])
        + b"1P0"
        + data
        + b"\x1d(k\x03\x001Q0"
    )
