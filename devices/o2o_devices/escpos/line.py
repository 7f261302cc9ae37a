"""The print buffer: characters, their modes, and where on the line they go.

Decides style, width, wrapping and position of what is to be printed, in dots, as the commands say so; printing the
line and moving the paper is `paper`'s. Characters of one byte and of several have sizes and underlines of their own:
ESC ! is not FS ! (the lost formatting of mike42/escpos-php#931), GS ! sets both.
"""

from __future__ import annotations

import codecs
from functools import cache
from itertools import groupby

from o2o_devices.dots import Picture
from o2o_devices.escpos.page import Page
from o2o_devices.mechanism import Profile
from o2o_devices.receipt import Align, ReceiptLine, Span, Style

_LONG_RUN = 4096
"""Bytes of text without a line feed after which they are set, so that an endless line needs no endless memory."""
_TABS = tuple(range(8, 256, 8))
_ALIGN: dict[int, Align] = {0: "left", 1: "center", 2: "right", 48: "left", 49: "center", 50: "right"}


@cache
def _style(size: tuple[int, int], bold: bool, underline: bool, invert: bool, small: bool) -> Style:
    return Style(*size, bold, underline, invert, small)


class PrintBuffer:
    """What is to be printed on the present line, and the modes. Dots are the profile's, both ways."""

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

    @property
    def at_rest(self) -> bool:
        """Blank, not moved since the last cut, and in no mode that holds more than its own value."""
        moved = self.fed_dots != self._top_dots or self._x or self._x0
        return self.blank and not moved and not self.unknown and self.page is None and self.translate is None

    def resume(self, fed_dots: int) -> None:
        """So much has been fed, and all of it is cut off."""
        self.fed_dots = self._top_dots = fed_dots

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

    def _print_line(self) -> None:
        """Print what is in the buffer and move the paper on."""
        raise NotImplementedError
