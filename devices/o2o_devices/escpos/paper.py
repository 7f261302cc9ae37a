"""Lines of characters on paper: style, position, wrapping, line spacing, page mode, and what a cut closes.

Decides what is printed where, in dots, as the commands say so; finding the commands in the bytes is left to the
interpreter, moving the paper to the mechanism. Characters of one byte and of several have sizes and underlines of their
own: ESC ! is not FS ! (the lost formatting of mike42/escpos-php#931), GS ! sets both.
"""

from __future__ import annotations

import codecs
from functools import cache
from itertools import groupby
from typing import Literal

from o2o_devices.dots import Picture, composed
from o2o_devices.escpos.page import Page
from o2o_devices.mechanism import Profile
from o2o_devices.receipt import Align, Kind, Receipt, ReceiptLine, Span, Style

_LONG_RUN = 4096
"""Bytes of text without a line feed after which they are set, so that an endless line needs no endless memory."""
_MOST_BANDS = 1024
"""Bit images in a line; a line has no more columns."""
_TABS = tuple(range(8, 256, 8))
_ALIGN: dict[int, Align] = {0: "left", 1: "center", 2: "right", 48: "left", 49: "center", 50: "right"}


@cache
def _style(size: tuple[int, int], bold: bool, underline: bool, invert: bool, small: bool) -> Style:
    return Style(*size, bold, underline, invert, small)


class Paper:
    """The print buffer and the paper below the head. Dots are the profile's, both ways."""

    __slots__ = (
        "_band",
        "_band_left",
        "_bands",
        "_lines",
        "_page_y",
        "_run",
        "_spans",
        "_top_dots",
        "_x",
        "_x0",
        "align",
        "area",
        "bold",
        "char_space",
        "codec",
        "fed_dots",
        "invert",
        "kanji",
        "kanji_default",
        "kanji_size",
        "kanji_space",
        "kanji_style",
        "kanji_underline",
        "margin",
        "motion_x",
        "motion_y",
        "page",
        "profile",
        "size",
        "small",
        "spacing",
        "style",
        "tabs",
        "translate",
        "underline",
        "unknown",
        "wide_line",
        "width",
    )

    def __init__(self, profile: Profile, *, kanji: bool = True) -> None:
        self.profile = profile
        self.kanji_default = kanji
        self.fed_dots = 0
        """Paper fed since the beginning."""
        self.unknown = 0
        self._top_dots = 0
        self._lines: list[ReceiptLine] = []
        self.reset()

    def reset(self) -> None:
        """ESC @: modes as at power-on, the print buffer is cleared. Paper already fed stays fed."""
        profile = self.profile
        self.kanji = self.kanji_default
        self.codec = "cp437"
        self.translate: dict[int, str] | None = None
        self.size = (1, 1)
        self.kanji_size = (1, 1)
        self.bold = self.underline = self.kanji_underline = self.invert = self.small = False
        self.style = self.kanji_style = _style((1, 1), False, False, False, False)
        self.align: Align = "left"
        self.spacing = profile.line_dots
        self.char_space = 0
        self.kanji_space = 0
        self.margin = 0
        self.area = profile.dots
        self.width = profile.dots
        self.motion_x = self.motion_y = 1.0
        self.tabs: tuple[int, ...] = _TABS
        self.wide_line = False
        self.page: Page | None = None
        self._page_y = 0
        self._clear()

    def _clear(self) -> None:
        self._run = b""
        self._spans: list[tuple[str, Style, int, int]] = []  # text, style, dots of a narrow and of a wide character
        self._x = 0
        self._x0 = 0  # page mode: where the line's present part begins
        self._band = 0  # height of the bit images on this line
        self._band_left = 0
        self._bands: list[tuple[int, Picture]] = []  # and where each begins

    @property
    def fed_mm(self) -> float:
        return self.fed_dots / self.profile.dots_per_mm

    @property
    def blank(self) -> bool:
        """Nothing on the paper since the last cut, and nothing in the print buffer."""
        return not (self._lines or self._run or self._spans or self._band)

    # --- characters --------------------------------------------------------------------------------

    def text(self, raw: bytes) -> None:
        """Characters in the current modes; bytes of one character may come in pieces."""
        self._run = self._run + raw if self._run else raw
        while len(self._run) >= _LONG_RUN:
            decoder = codecs.getincrementaldecoder("gb18030" if self.kanji else self.codec)("replace")
            text = decoder.decode(self._run[:_LONG_RUN])
            self._run = decoder.getstate()[0] + self._run[_LONG_RUN:]
            self._set(text)

    def settle(self) -> None:
        """Set the characters that have come so far: before any change of mode or position."""
        if self._run:
            text = self._run.decode("gb18030" if self.kanji else self.codec, "replace")
            self._run = b""
            self._set(text)

    def _set(self, text: str) -> None:
        if self.translate is not None:
            text = text.translate(self.translate)
        if not self.kanji or text.isascii():
            self._place(text, self.style, self._cell(self.style))
        elif self.style is self.kanji_style and not (self.small or self.char_space or self.kanji_space):
            cell = self.profile.column_dots * self.style.width
            self._place(text, self.style, cell, 2 * cell)
        else:
            wide = 2 * self.profile.column_dots * self.kanji_style.width + self.kanji_space
            for is_narrow, chars in groupby(text, str.isascii):
                if is_narrow:
                    self._place("".join(chars), self.style, self._cell(self.style))
                else:
                    self._place("".join(chars), self.kanji_style, wide)

    def _cell(self, style: Style) -> int:
        dots = self.profile.column_dots * 3 // 4 if style.small else self.profile.column_dots
        return dots * style.width + self.char_space

    def _place(self, text: str, style: Style, narrow: int, wide: int = 0) -> None:
        """Characters of `narrow` dots each; where `wide` is given, the non-ASCII ones among them of `wide` dots."""
        dots = narrow * len(text)
        if wide:
            dots += (wide - narrow) * (len(text) - len(text.encode("ascii", "ignore")))
        self._spans.append((text, style, narrow, wide or narrow))
        self._x += dots
        if self._x > self.width:
            self._wrap()

    def _wrap(self) -> None:
        """Print the full lines of an over-long one, as a printer does on its own; keep the rest."""
        spans, self._spans, self._x = self._spans, [], 0
        for text, style, narrow, wide in spans:
            start = 0
            for at, char in enumerate(text):
                dots = narrow if char.isascii() else wide
                if self._x + dots > self.width and self._x:
                    if at > start:
                        self._spans.append((text[start:at], style, narrow, wide))
                    self._print_line()
                    start = at
                self._x += dots
            if start < len(text):
                self._spans.append((text[start:], style, narrow, wide))

    def _marked(self, text: str, style: Style) -> tuple[Span, ...]:
        """The style of a line of one style, where size and boldness do not say it all."""
        return (Span(text, style),) if style.underline or style.invert or style.small else ()

    def restyle(self) -> None:
        """Bring the styles in line with the modes; characters before stay as they were."""
        self.settle()
        self.style = _style(self.size, self.bold, self.underline, self.invert, self.small)
        self.kanji_style = _style(self.kanji_size, self.bold, self.kanji_underline, self.invert, False)

    def bound(self) -> None:
        """Bring the line's width in line with margin and print area; the area keeps to the paper."""
        self.settle()
        if self.page is not None:
            self.width = max(self.page.line_dots, self.profile.column_dots)
            return
        most = self.profile.dots - self.margin
        self.width = max(min(self.area, most), self.profile.column_dots)

    # --- position ----------------------------------------------------------------------------------

    def move_to(self, dots: int) -> None:
        """Go right to `dots` from the left margin, as spaces.

        Beyond the print area: ignored. To the left: the new characters come after the old instead of on top of them.
        On a page any place will do.
        """
        self.settle()
        if self.page is not None:
            if 0 <= dots <= self.width:
                if self._spans or self._band:
                    at = self._page_y
                    self._print_line()
                    self._page_y = at
                self._x = self._x0 = dots
            return
        if self._x < dots <= self.width:
            cell = self.profile.column_dots
            self._spans.append((" " * round((dots - self._x) / cell), Style(), cell, cell))
            self._x = dots

    def move_by(self, dots: int) -> None:
        self.settle()
        self.move_to(self._x + dots)

    def tab(self) -> None:
        """To the next tab stop; none left: nothing (HT is ignored then)."""
        self.settle()
        cell = self._cell(self.style)
        for column in self.tabs:
            if column * cell > self._x:
                self.move_to(column * cell)
                return

    def justify(self, n: int) -> None:
        """ESC a: only at the beginning of a line."""
        if not (self._run or self._spans) and n in _ALIGN:
            self.align = _ALIGN[n]

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
                text, (style.width, style.height), style.bold, self._marked(text, style), "text", "", advance, used
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
