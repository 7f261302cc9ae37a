"""From a ticket to StarPRNT, the language of Star's printers (A14; `application/vnd.star.starprnt` of CloudPRNT).

Decides codes, not layout (that is `o2o_domain.ticket_layout`). Their source is Star's "StarPRNT Command
Specifications" (rev. 2.13 and 2.25), and for ESC GS y "STAR Line Mode Command Specifications" 3-119 to 3-122, which
agree on them:

    ESC GS ) U 02 00 30 01      1B 1D 29 55 02 00 30 01       text is UTF-8
    ESC GS ) U 02 00 40 01      1B 1D 29 55 02 00 40 01       characters of ambiguous width are two columns wide
    ESC GS ) U 05 00 41 n1..n4  1B 1D 29 55 05 00 41 02 03 01 04  whose Han shapes first: GB 2312, Big5, JIS, KS X 1001
    ESC GS a n                  1B 1D 61 n                    alignment: 0 left, 1 centre
    ESC i n1 n2                 1B 69 n1 n2                   height and width, each less one: 0 0 normal, 1 1 double
    ESC E, ESC F                1B 45, 1B 46                  emphasised, and not
    ESC GS y S 0 n, 1 n, 2 n    1B 1D 79 53 30 n ..           QR code: model, correction (1 = M), dots of a cell (1..8)
    ESC GS y D 1 m nL nH data   1B 1D 79 44 31 00 nL nH ..    its data
    ESC GS y P                  1B 1D 79 50                   print it
    ESC d 3                     1B 64 03                      feed to the blade, partial cut

There is no ESC @ at the head: a CloudPRNT job must not reset the printer (receiptline's CloudPRNT example and
woocommerce-pos, which serve real ones, take it out); what a former job may have left is set instead. A CJK character
has no size of its own here: ESC i is for all of them. What the fonts lack is `text`'s to decide.

No `image/png`, which CloudPRNT's printers take too: it would need Chinese fonts where the platform runs, which are not
there everywhere, and a hundred times the bytes on a merchant's line.
"""

from __future__ import annotations

from typing import Literal

from o2o_domain.ticket_layout import TicketOrder, layout
from o2o_platform.printing.media.text import utf8

UTF8 = b"\x1b\x1d)U\x02\x000\x01"
WIDE = b"\x1b\x1d)U\x02\x00@\x01"
SIMPLIFIED_FIRST = b"\x1b\x1d)U\x05\x00A\x02\x03\x01\x04"
_ALIGN = {"left": b"\x1b\x1da\x00", "center": b"\x1b\x1da\x01"}
_BIG, _NORMAL = b"\x1bi\x01\x01", b"\x1bi\x00\x00"
_BOLD, _NOT_BOLD = b"\x1bE", b"\x1bF"
INIT = UTF8 + WIDE + SIMPLIFIED_FIRST + _ALIGN["left"] + _NORMAL + _NOT_BOLD
FEED_AND_CUT = b"\x1bd\x03"
QR_CELL = 4
"""Dots per module of the QR code."""


def render(order: TicketOrder, width_cols: Literal[32, 48], qr: str) -> bytes:
    """The ticket as bytes; `qr` is the text of the code at its foot (ASCII), left out when empty."""
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
        out += utf8(line.text)
        out += b"\n"
    out += _NORMAL + _NOT_BOLD
    if qr:
        out += _ALIGN["center"] + qr_code(qr) + b"\n"
    out += _ALIGN["left"] + FEED_AND_CUT
    return bytes(out)


def qr_code(text: str) -> bytes:
    """A QR code that the printer draws itself: model 2, error correction M."""
    data = text.encode("ascii")
    return (
        b"\x1b\x1dyS0\x02\x1b\x1dyS1\x01\x1b\x1dyS2"
        + bytes([QR_CELL])
        + b"\x1b\x1dyD1\x00"
        + len(data).to_bytes(2, "little")
        + data
        + b"\x1b\x1dyP"
    )
