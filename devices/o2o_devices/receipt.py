"""A receipt: what is on one piece of paper, as far as a reader (or a scanner of its codes) could tell.

Decides nothing: it is the value that interpreters make and that fleets, audits and viewers read. `Receipt.text` is what
an order is parsed back from, so it holds printed characters only: no padding for alignment, no code contents.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from o2o_devices.dots import Picture

SLACK_MM = 1e-3
"""Lengths that differ by less are equal. A dot is a hundred times as long; and what is out at an instant is known no
better, as clocks of machines that have been up for months have steps of nanoseconds."""
Align = Literal["left", "center", "right"]
Kind = Literal["text", "qr", "barcode", "image"]


class Style(NamedTuple):
    """How characters look. `width` and `height` are 1..8 times the normal cell."""

    width: int = 1
    height: int = 1
    bold: bool = False
    underline: bool = False
    invert: bool = False
    small: bool = False
    """Font B: 9 x 17 dots instead of 12 x 24."""


class Span(NamedTuple):
    """Characters of one style within a line."""

    text: str
    style: Style


class ReceiptLine(NamedTuple):
    """One printed line. For codes and images `text` is the code's data or "" and `size` is in dots (width, height)."""

    text: str
    size: tuple[int, int] = (1, 1)
    """Text: the largest width and height factor on the line."""
    bold: bool = False
    align: Align = "left"
    end_mm: float = 0.0
    """Paper from the top of the receipt to the end of this line's advance."""
    spans: tuple[Span, ...] = ()
    kind: Kind = "text"
    symbology: str = ""
    """Of a barcode: EAN13, CODE128 ...; of an image: where it came from (raster, graphics, bit image, nv)."""
    left: int = 0
    """Dots from the left edge of the printable width to where the line begins, alignment and margin included."""
    top: int = 0
    """Dots from the top of the receipt to the top of the line."""
    turn: int = 0
    """Page mode: quarter turns against the clock (ESC T); the line is read in its own direction."""
    picture: Picture | None = None
    """Dots of an image, if the interpreter keeps them."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """Paper from one cut to the next."""

    lines: tuple[ReceiptLine, ...] = ()
    length_mm: float = 0.0
    cut: Literal["full", "partial"] | None = None
    """None: not cut; the paper ended, the power went, or the sender left without a cut."""
    unknown: int = 0
    """Unknown commands met while printing it: above 0, bytes may have gone astray."""
    stopped_by: str | None = field(default=None)
    """A fault code (paper_end, power_off ...) when the rest of the ticket never came out."""

    @property
    def complete(self) -> bool:
        """Reached its cut."""
        return self.cut is not None and self.stopped_by is None

    @property
    def text_lines(self) -> tuple[str, ...]:
        return tuple(line.text for line in self.lines if line.kind == "text")

    @property
    def text(self) -> str:
        """Printed characters, one printed line a line."""
        return "\n".join(self.text_lines)

    @property
    def qr(self) -> tuple[str, ...]:
        """Data of the QR codes, in order."""
        return tuple(line.text for line in self.lines if line.kind == "qr")

    @property
    def barcodes(self) -> tuple[tuple[str, str], ...]:
        """(symbology, data) of the barcodes, in order."""
        return tuple((line.symbology, line.text) for line in self.lines if line.kind == "barcode")

    @property
    def images(self) -> tuple[tuple[int, int], ...]:
        """(width, height) in dots of the images, in order."""
        return tuple(line.size for line in self.lines if line.kind == "image")

    def torn(self, printed_mm: float, code: str) -> Receipt:
        """What is on paper when printing stopped `printed_mm` from the top: whole lines only.

        A line counts when the head has passed all of its advance; half a line is not readable.
        """
        lines = tuple(line for line in self.lines if line.end_mm <= printed_mm + SLACK_MM)
        return Receipt(lines, printed_mm, None, self.unknown, code)
