"""The Chinese vendors' markup as ESC/POS: what the firmware of their printers does with a job's text (A14).

Decides what each tag looks like on paper. A line is set as a whole: it is centred if any of it is. Text between "<" and
">" that is no tag of the dialect is printed as it stands, so that markup which leaked out of a text can be seen on
paper. The line feed is a new line in either dialect.

Which tags there are: docs/printers.md says which of them the vendors' papers state and which are our choice.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal

Dialect = Literal["feie", "yilianyun"]

_INIT = b"\x1b@\x1c&"  # ESC @, FS &: two-byte characters
_ALIGN = {"left": b"\x1ba\x00", "center": b"\x1ba\x01", "right": b"\x1ba\x02"}
_CUT = b"\x1dVB\x03"
_QR_MODULE = 4
_TAG = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9]*)>|[\x00-\x1f\x7f]")
"""A tag, or a control character: of those only the line feed means anything, and none reaches the engine."""

_Look = tuple[int, int, bool, str]
"""width, height, bold, align"""
_PAIRS: dict[Dialect, dict[str, tuple[int, int, bool, str]]] = {
    "feie": {
        "CB": (2, 2, False, "center"),
        "B": (2, 2, False, ""),
        "C": (1, 1, False, "center"),
        "L": (1, 2, False, ""),
        "W": (2, 1, False, ""),
        "RIGHT": (1, 1, False, "right"),
        "BOLD": (1, 1, True, ""),
    },
    "yilianyun": {
        "FS": (2, 2, False, ""),
        "FS2": (2, 2, False, ""),
        "FH": (1, 2, False, ""),
        "FW": (2, 1, False, ""),
        "FB": (1, 1, True, ""),
        "CENTER": (1, 1, False, "center"),
        "RIGHT": (1, 1, False, "right"),
    },
}
"""Tags that stand around text, by name in capitals: how much wider and higher, bold, aligned."""
_SINGLE: dict[Dialect, frozenset[str]] = {"feie": frozenset({"BR", "CUT"}), "yilianyun": frozenset()}
_QR = "QR"


@dataclass(slots=True)
class _Sheet:
    """What has been set so far."""

    out: bytearray = field(default_factory=lambda: bytearray(_INIT))
    line: bytearray = field(default_factory=bytearray)
    align: str = "left"  # of the line
    aligned: str = "left"  # of the paper
    size: tuple[int, int] = (1, 1)
    bold: bool = False
    loose: bool = False
    """Something has been printed since the last cut."""

    def text(self, text: str, look: _Look) -> None:
        if not text:
            return
        width, height, bold, align = look
        if (width, height) != self.size:
            self.size = (width, height)
            chinese = (0x04 if width > 1 else 0) | (0x08 if height > 1 else 0)
            self.line += bytes([0x1D, 0x21, (width - 1) << 4 | (height - 1), 0x1C, 0x21, chinese])
        if bold != self.bold:
            self.bold = bold
            self.line += b"\x1bE" + bytes([bold])
        self.line += text.encode("gb18030", "replace")
        if align:
            self.align = align

    def new_line(self) -> None:
        if self.align != self.aligned:
            self.aligned = self.align
            self.out += _ALIGN[self.align]
        self.out += self.line + b"\n"
        self.line.clear()
        self.align = "left"
        self.loose = True

    def qr(self, text: str, align: str) -> None:
        if self.line:
            self.new_line()
        data = text.encode("utf-8")
        store = len(data) + 3
        self.align = align or "center"
        self.line += b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C" + bytes([_QR_MODULE]) + b"\x1d(k\x03\x001E1"
        self.line += b"\x1d(k" + store.to_bytes(2, "little") + b"1P0" + data + b"\x1d(k\x03\x001Q0"
        if self.align != self.aligned:
            self.aligned = self.align
            self.out += _ALIGN[self.align]
        self.out += self.line
        self.line.clear()
        self.align = "left"
        self.loose = True

    def cut(self) -> None:
        if self.line:
            self.new_line()
        self.out += _CUT
        self.loose = False


def to_escpos(data: bytes, dialect: Dialect) -> bytes:
    """A job's text (UTF-8) as bytes for the engine inside. What is not UTF-8 is printed as U+FFFD's fallback, "?"."""
    text, sheet, pairs = data.decode("utf-8", "replace").replace("\ufffd", "?"), _Sheet(), _PAIRS[dialect]
    open_tags: list[str] = []
    code: list[str] | None = None  # what stands in a QR code that is open
    at = 0

    def put(piece: str) -> None:
        if code is not None:
            code.append(piece)
        else:
            sheet.text(piece, _look(open_tags, pairs))

    for tag in _TAG.finditer(text):
        put(text[at : tag.start()])
        at = tag.end()
        closing, name = bool(tag[1]), (tag[2] or "").upper()
        if not name:
            if tag[0] == "\n" and code is None:
                sheet.new_line()
        elif name == _QR:
            if not closing:
                code = []
            elif code is not None:
                shown, code = "".join(code), None
                sheet.qr(shown, _look(open_tags, pairs)[3])
        elif name in _SINGLE[dialect] and not closing and code is None:
            if name == "CUT":
                sheet.cut()
            else:
                sheet.new_line()
        elif name in pairs and code is None:
            if not closing:
                open_tags.append(name)
            elif name in open_tags:
                open_tags.reverse()
                open_tags.remove(name)
                open_tags.reverse()
        else:
            put(tag[0])
    put(text[at:])
    if sheet.line or sheet.loose:
        sheet.cut()
    return bytes(sheet.out)


def _look(open_tags: list[str], pairs: dict[str, tuple[int, int, bool, str]]) -> _Look:
    width, height, bold, align = 1, 1, False, ""
    for name in open_tags:
        wider, higher, bolder, aligned = pairs[name]
        width, height, bold, align = max(width, wider), max(height, higher), bold or bolder, aligned or align
    return width, height, bold, align
