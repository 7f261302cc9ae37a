"""A ticket as plain text in UTF-8, for printers that set text themselves (A14; Star CloudPRNT's `text/plain`).

Decides what is left of a ticket where there are no sizes and no codes: centred lines are padded, big ones are not big,
and the link that others print as a QR code stands at the foot as text. The printer cuts by itself after a job.

Star's Unicode fonts are those of JIS, GB 2312, Big5 and KS X 1001 (StarPRNT Command Specifications rev. 2.25, "UTF
related commands"), all of them within the basic plane; what a printer does with a character beyond it is not specified.
Such a character is printed as `MISSING`, which every one of the fonts has, as wide as the layout counted it.
"""

from __future__ import annotations

import re
from typing import Literal

from o2o_domain.ticket_layout import TicketOrder, layout
from o2o_domain.ticket_text import MISSING, columns, wrap

_BEYOND = re.compile("[\U00010000-\U0010ffff]")


def utf8(text: str) -> bytes:
    """A line's text as bytes; characters that the printer has no font for are `MISSING`."""
    return (text if text.isascii() else _BEYOND.sub(MISSING, text)).encode()


def render(order: TicketOrder, width_cols: Literal[32, 48], qr: str) -> bytes:
    """The ticket as lines that end in LF; `qr` is the link at its foot, left out when empty."""
    lines = []
    for line in layout(order, width_cols):
        pad = (width_cols - columns(line.text)) // 2 if line.align == "center" else 0
        lines.append(" " * pad + line.text)
    if qr:
        lines += wrap(qr, width_cols, width_cols)
    return utf8("\n".join(lines) + "\n")
