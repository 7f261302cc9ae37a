"""Lines on paper: line spacing, images, page mode, and what a cut closes.

Decides how far each line moves the paper and where on it things stand, in dots; what is in a line is the print buffer's
(`line`), finding the commands in the bytes the interpreter's, moving the real paper the mechanism's.
"""

from __future__ import annotations

from typing import Literal

from o2o_devices.dots import Picture, composed
from o2o_devices.escpos.line import PrintBuffer
from o2o_devices.escpos.page import Page
from o2o_devices.receipt import Kind, Receipt, ReceiptLine, Span

_SIZES = tuple(tuple((width, height) for height in range(9)) for width in range(9))
"""Each size once: most lines of most tickets have the same."""
_MOST_BANDS = 1024
"""Bit images in a line; a line has no more columns."""


class Paper(PrintBuffer):
    """The print buffer and the paper below the head. Dots are the profile's, both ways."""

    __slots__ = ()

    # --- lines -------------------------------------------------------------------------------------

    def line_feed(self) -> None:
        """Print the line and advance by the line spacing, or by its tallest character if that is more."""
        self.settle()
        self._print_line()
        if self.wide_line:  # ESC SO ends with its line
            self.wide_line = False
            self.size = (1, self.size[1])
            self.kanji_size = (1, self.kanji_size[1])
            self.restyle()

    def flush(self) -> None:
        """Print the line if there is one."""
        self.settle()
        if self._spans or self._band:
            self._print_line()

    def _print_line(self) -> None:
        spans, used = self._spans, self._x - self._x0
        if self._band:
            if not spans:
                self._print_band(used)
                return
            self._bands.clear()
            self._band = 0
        if not spans:
            self._emit("", (1, 1), False, (), "text", "", self.spacing, 0)
            self._x = self._x0 = 0
            return
        self._spans, self._x = [], 0
        if len(spans) == 1:
            text, style, _, _ = spans[0]
            tall = style.height * (17 if style.small else self.profile.char_dots)
            spacing = self.spacing
            advance = spacing if spacing > tall else tall
            self._emit(
                text,
                _SIZES[style.width][style.height],
                style.bold,
                self._marked(text, style),
                "text",
                "",
                advance,
                used,
            )
            return
        inked = [style for text, style, _, _ in spans if not text.isspace()] or [spans[0][1]]
        tall = max(style.height * (17 if style.small else self.profile.char_dots) for style in inked)
        size = (max(style.width for style in inked), max(style.height for style in inked))
        text = "".join(text for text, _, _, _ in spans)
        parts = tuple(Span(part, style) for part, style, _, _ in spans)
        self._emit(text, size, any(style.bold for style in inked), parts, "text", "", max(self.spacing, tall), used)

    def _print_band(self, used: int) -> None:
        """The bit images of the line, side by side."""
        width = min(max((left + part.width for left, part in self._bands), default=0), self.width) - self._band_left
        parts = ((left - self._band_left, part) for left, part in self._bands)
        picture = composed(width, self._band, parts) if any(part.rows for _, part in self._bands) else None
        left = self._band_left
        size = (width, self._band)
        advance = max(self.spacing, self._band)
        self._bands.clear()
        self._band = 0
        self._emit("", size, False, (), "image", "bit image", advance, width, left, picture)
        self._x = self._x0 = 0

    def _emit(
        self,
        text: str,
        size: tuple[int, int],
        bold: bool,
        spans: tuple[Span, ...],
        kind: Kind,
        symbology: str,
        advance: int,
        used: int,
        left: int = 0,
        picture: Picture | None = None,
    ) -> None:
        """A line of `used` dots, `left` of where lines begin, that moves the paper (or the page's line) on."""
        align = self.align
        if self.page is not None:
            line = ReceiptLine(text, size, bold, align, 0.0, spans, kind, symbology, picture=picture)
            self.page.put(self._x0 + left, self._page_y, used, advance, line)
            self._page_y += advance
            self._x0 = 0
            return
        top = self.fed_dots - self._top_dots
        self.fed_dots += advance
        left += self.margin
        if align != "left":
            space = self.width - used
            if space > 0:
                left += space // 2 if align == "center" else space
        end_mm = (top + advance) / self.profile.dots_per_mm
        self._lines.append(ReceiptLine(text, size, bold, align, end_mm, spans, kind, symbology, left, top, 0, picture))

    def symbol(self, kind: Kind, text: str, size: tuple[int, int], name: str, picture: Picture | None = None) -> None:
        """A code or an image on lines of its own, or where the page's position is; `size` (width, height) in dots."""
        if self.page is not None:
            self.move_to(self._x)
            at, x = self._page_y, self._x
            self._emit(text, size, False, (), kind, name, size[1], size[0], 0, picture)
            self._page_y = at
            self._x = self._x0 = min(x + size[0], self.width)
            return
        self.flush()
        self._emit(text, size, False, (), kind, name, size[1], min(size[0], self.width), 0, picture)

    def image(self, picture: Picture, name: str) -> None:
        """An image on lines of its own."""
        kept = picture if picture.rows else None
        self.symbol("image", "", (picture.width, picture.height), name, kept)

    def bit_image(self, picture: Picture) -> None:
        """A band of ESC * in the line; the line feed prints it."""
        self.settle()
        if not self._bands:
            self._band_left = self._x
        self._band = max(self._band, picture.height)
        if len(self._bands) < _MOST_BANDS:
            self._bands.append((self._x, picture))
        self._x = min(self._x + picture.width, self.width)

    def feed(self, dots: int) -> None:
        """Print the line if there is one and feed `dots` in all (ESC J), at least by its characters."""
        spacing, self.spacing = self.spacing, dots
        self.settle()
        if self._spans or self._band:
            self._print_line()
        elif self.page is not None:
            self._page_y += dots
        else:
            self.fed_dots += dots
        self.spacing = spacing

    def feed_lines(self, lines: int) -> None:
        """ESC d: print the line and feed `lines` spacings in all; what is beyond the first shows as empty lines."""
        self.settle()
        if lines == 0:
            self.feed(0)
            return
        for _ in range(lines):
            self._print_line()

    # --- page mode and cuts ------------------------------------------------------------------------

    def enter_page(self) -> None:
        self.flush()
        if self.page is None:
            self.page = Page(self.profile.dots, self.profile.column_dots)
            self._page_y = 0
            self.bound()

    def turn_page(self, direction: int) -> None:
        """ESC T: what comes begins at the corner from which the direction reads."""
        if self.page is not None:
            self.flush()
            self.page.direction = direction
            self._begin_area()

    def page_area(self, x: int, y: int, dx: int, dy: int) -> None:
        """ESC W: what comes goes there."""
        if self.page is not None:
            self.flush()
            self.page.set_area(x, y, dx, dy)
            self._begin_area()

    def _begin_area(self) -> None:
        self._x = self._x0 = self._page_y = 0
        self.bound()

    def page_to(self, y: int) -> None:
        """GS $ and GS \\: vertical position in the page; nothing in standard mode."""
        if self.page is not None:
            self.settle()
            x = self._x
            if self._spans or self._band:
                self._print_line()
            self._page_y = max(y, 0)
            self._x = self._x0 = x

    def page_by(self, y: int) -> None:
        self.page_to(self._page_y + y)

    def print_page(self, *, leave: bool) -> None:
        """FF (leave) and ESC FF (stay): print the page from top to bottom; its area's height of paper is fed."""
        if self.page is None:
            return
        self.settle()
        if self._spans or self._band:
            self._print_line()
        page, top = self.page, self.fed_dots - self._top_dots
        height = max(page.height, self._page_y if page.direction == 0 else 0)
        self.fed_dots += height
        for end, line in page.lines():
            end_mm = (top + min(end, height)) / self.profile.dots_per_mm
            self._lines.append(line._replace(end_mm=end_mm, top=top + line.top))
        if leave:
            self._leave_page()

    def cancel_page(self, *, leave: bool) -> None:
        """CAN (stay) and ESC S (leave): drop the page's data."""
        if self.page is None:
            return
        self._clear()
        self._page_y = 0
        if leave:
            self._leave_page()
        else:
            self.page.clear()

    def _leave_page(self) -> None:
        self.page = None
        self._x = self._x0 = self._page_y = 0
        self.bound()

    def take(self, cut: Literal["full", "partial"] | None) -> Receipt:
        """The paper since the last cut, which ends here."""
        self.flush()
        length = (self.fed_dots - self._top_dots) / self.profile.dots_per_mm
        receipt = Receipt(tuple(self._lines), length, cut, self.unknown)
        self._lines = []
        self._top_dots = self.fed_dots
        self.unknown = 0
        return receipt

    def drop(self) -> None:
        """Forget the print buffer, the page and the lines since the last cut: torn off, or never come out."""
        self._clear()
        if self.page is not None:
            self._leave_page()
        self._lines = []
        self._top_dots = self.fed_dots
        self.unknown = 0

    def begun(self) -> Receipt:
        """What there is since the last cut; it stays there."""
        length = (self.fed_dots - self._top_dots) / self.profile.dots_per_mm
        return Receipt(tuple(self._lines), length, None, self.unknown)
