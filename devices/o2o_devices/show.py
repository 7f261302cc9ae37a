"""A receipt as text for a terminal: the paper's width, alignment, character sizes and a tear-off edge.

Decides how it looks only. Wide characters keep the columns they have on paper (a double-width letter takes two), so
that columns of prices stay in line; codes and images are named, not drawn. Control characters are shown as a box: what
strangers print must not steer the reader's terminal.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from o2o_devices.mechanism import GENERIC_80, Profile
from o2o_devices.receipt import Receipt, ReceiptLine, Span, Style

_BOX = "\N{REPLACEMENT CHARACTER}"


def columns_of(text: str) -> int:
    """Columns in a terminal, as on paper: multi-byte characters take two."""
    return sum(1 if char.isascii() else 2 for char in text)


def _safe(text: str) -> str:
    return "".join(_BOX if unicodedata.category(char)[0] == "C" else char for char in text)


def _stretch(span: Span, colour: bool) -> str:
    """Characters at the columns they take on paper, marked up if `colour`."""
    style = span.style
    text = _safe(span.text)
    if style.width > 1:
        text = "".join(char + " " * (columns_of(char) * (style.width - 1)) for char in text)
    if not colour:
        return text
    marks = "".join(
        code for code, on in (("\x1b[1m", style.bold or style.height > 1), ("\x1b[4m", style.underline)) if on
    )
    marks += "\x1b[7m" if style.invert else ""
    return f"{marks}{text}\x1b[0m" if marks else text


def _spans(line: ReceiptLine) -> tuple[Span, ...]:
    return line.spans or (Span(line.text, Style(line.size[0], line.size[1], line.bold)),)


def _content(line: ReceiptLine, colour: bool, width: int) -> list[tuple[str, int]]:
    """What to show of a line, and the columns it takes; what is only named goes on in the next row if it must."""
    if line.kind == "text":
        spans = _spans(line)
        shown = "".join(_stretch(span, colour) for span in spans)
        return [(shown, sum(columns_of(_safe(span.text)) * span.style.width for span in spans))]
    what = {
        "qr": f"[QR {line.text}]",
        "barcode": f"[{line.symbology} {line.text}]",
        "image": f"[{line.symbology} {line.size[0]} x {line.size[1]} dots]",
    }[line.kind]
    pieces = [""]
    for char in _safe(what):
        if columns_of(pieces[-1]) + columns_of(char) > width:
            pieces.append("")
        pieces[-1] += char
    return [(piece, columns_of(piece)) for piece in pieces]


def rows(receipt: Receipt, profile: Profile = GENERIC_80, *, colour: bool = False) -> Iterator[str]:
    """The receipt line by line, framed to the paper's width."""
    width = profile.columns
    yield "┌" + "─" * (width + 2) + "┐"
    for line in receipt.lines:
        for content, used in _content(line, colour, width):
            space = max(width - used, 0)
            left = {"left": 0, "center": space // 2, "right": space}[line.align]
            yield "│ " + " " * left + content + " " * (space - left) + " │"
    yield _edge(receipt, width)


def _edge(receipt: Receipt, width: int) -> str:
    """The lower end: cut, torn (with the reason), or still in the printer."""
    if receipt.stopped_by is not None:
        label = f" {receipt.stopped_by} at {receipt.length_mm:.0f} mm "
        return "╎" + label.center(width + 2, "~") + "╎"
    label = f" {receipt.length_mm:.0f} mm, {receipt.cut + ' cut' if receipt.cut else 'not cut'} "
    return "└" + label.center(width + 2, "┄" if receipt.cut else "─") + "┘"


def as_text(receipt: Receipt, profile: Profile = GENERIC_80, *, colour: bool = False) -> str:
    """The whole receipt as one string."""
    return "\n".join(rows(receipt, profile, colour=colour))
