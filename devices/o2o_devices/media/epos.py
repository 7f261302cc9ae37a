"""ePOS-Print XML as ESC/POS: what the firmware of an Epson printer does with an <epos-print> element (A14).

Decides what each element and attribute looks like on paper, and what is no ePOS-Print at all (DecodeError with the
printer's own code, SchemaError: the firmware checks a job against its schema before it prints any of it). An attribute
of <text> holds until it is changed, within one job. Elements that exist and are not modelled (page, logo, layout,
hline, vline-begin, vline-end, recovery of labels) are refused as well, which is seen; they are never passed over.

Sources: Epson's sample data for Server Direct Print 5.0.0E (which elements, how attributes hold); ePOS-Print XML User's
Manual for values (<symbol>: TM-T20II-i page 81, <image>: TM-m50II page 81). <command> with raw ESC/POS in hexadecimal,
and that a job begins with ESC @, are from memory.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Container, Mapping
from typing import TypeVar
from xml.etree import ElementTree as Tree
from xml.etree.ElementTree import Element

from o2o_devices.errors import DecodeError

_T = TypeVar("_T")
NAMESPACE = "http://www.epson-pos.com/schemas/2011/03/epos-print"
SCHEMA_ERROR = "SchemaError"

_INIT = b"\x1b@"
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
"""Of the control characters only HT and LF mean something in a text."""
_WIDE_LANGS = ("zh", "ja", "ko", "mul")
"""Beginnings of the languages whose text goes out in the printer's multi-byte code."""
_LANGS = frozenset(
    {"en", "de", "fr", "it", "es", "ja", "ja-jp", "ko", "ko-kr", "zh-hans", "zh-cn", "zh-hant", "zh-tw", "th", "mul"}
    | {"ar", "hi", "vi"}
)
_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_ALIGN = {"left": 0, "center": 1, "right": 2}
_FONTS = {"font_a": 0, "font_b": 1, "font_c": 1, "font_d": 1, "font_e": 1}
_LEVELS = {"level_l": 48, "level_m": 49, "level_q": 50, "level_h": 51, "default": 49}
_QR = {"qrcode_model_1": 49, "qrcode_model_2": 50}
_CUTS = {"no_feed": b"\x1dV\x01", "feed": b"\x1dVB\x00", "reserve": b"\x1dVB\x00"}
_BARCODES = {
    "upc_a": 65, "upc_e": 66, "ean13": 67, "jan13": 67, "ean8": 68, "jan8": 68, "code39": 69, "itf": 70, "codabar": 71,
    "code93": 72, "code128": 73,
}  # fmt: skip
_COLORS = dict.fromkeys(("none", "color_1", "color_2", "color_3", "color_4"), 0)
_HRI = {"none": 0, "above": 1, "below": 2, "both": 3}


def element_of(data: bytes) -> Element:
    """XML as a tree. Raises DecodeError (SchemaError) for what is none, or has a DOCTYPE: no entity is expanded."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DecodeError(SCHEMA_ERROR, f"not UTF-8: {error}") from None
    if "<!DOCTYPE" in text:
        raise DecodeError(SCHEMA_ERROR, "a DOCTYPE")
    try:
        return Tree.fromstring(text)
    except (Tree.ParseError, ValueError) as error:
        raise DecodeError(SCHEMA_ERROR, str(error)) from None


def to_escpos(data: bytes) -> bytes:
    """An <epos-print> element as bytes for the engine inside. Raises DecodeError (SchemaError)."""
    return escpos_of(element_of(data))


def escpos_of(root: Element) -> bytes:
    """The same of an element that has been read."""
    if root.tag != f"{{{NAMESPACE}}}epos-print":
        raise DecodeError(SCHEMA_ERROR, f"{root.tag[:80]} where epos-print is wanted")
    job = _Job()
    if (root.text or "").strip():
        raise DecodeError(SCHEMA_ERROR, "text outside of any element")
    for element in root:
        job.add(element)
    return bytes(job.out)


class _Job:
    """What has been set so far."""

    def __init__(self) -> None:
        self.out = bytearray(_INIT)
        self._width, self._height = 1, 1
        self._wide: bool | None = None  # whether multi-byte mode is on; None: not said yet
        self._lang = "en"
        self._at_start = True
        self._align = 0  # wanted; of the paper:
        self._aligned = 0

    def add(self, element: Element) -> None:
        namespace, _, name = element.tag.rpartition("}")
        if namespace != "{" + NAMESPACE or name not in _ELEMENTS:
            raise DecodeError(SCHEMA_ERROR, f"no such element: {name[:40]}")
        if len(element) or (element.tail or "").strip():
            raise DecodeError(SCHEMA_ERROR, f"{name} has something in or behind it")
        known, handle = _ELEMENTS[name]
        for attribute in element.attrib:
            if attribute not in known:
                raise DecodeError(SCHEMA_ERROR, f"{name} has no attribute {attribute[:40]}")
        handle(self, element)

    # --- text --------------------------------------------------------------------------------------------------------

    def text(self, element: Element) -> None:
        out, get = self.out, element.get
        if (lang := get("lang")) is not None:
            if lang not in _LANGS:
                raise DecodeError(SCHEMA_ERROR, f"no such lang: {lang[:20]}")
            self._lang = lang
        if (align := _choice(element, "align", _ALIGN)) is not None:
            self._align = align
        if (font := _choice(element, "font", _FONTS)) is not None:
            out += b"\x1bM" + bytes([font])
        self._size(element)
        for attribute, code in (("em", b"\x1bE"), ("ul", b"\x1b-"), ("reverse", b"\x1dB"), ("rotate", b"\x1b{")):
            if (on := _choice(element, attribute, _BOOLS)) is not None:
                out += code + bytes([on])
                if attribute == "ul":
                    out += b"\x1c-" + bytes([on])  # of Chinese characters
        if (linespc := _number(element, "linespc", 0, 255)) is not None:
            out += b"\x1b3" + bytes([linespc])
        if (x := _number(element, "x", 0, 65535)) is not None:
            out += b"\x1b$" + x.to_bytes(2, "little")
        _number(element, "y", 0, 65535)  # for page mode
        _choice(element, "smooth", _BOOLS)  # neither can be seen on this paper
        _choice(element, "color", _COLORS)
        if element.text:
            self._write(_CONTROL.sub("", element.text))

    def _size(self, element: Element) -> None:
        width = _number(element, "width", 1, 8)
        height = _number(element, "height", 1, 8)
        double_width, double_height = _choice(element, "dw", _BOOLS), _choice(element, "dh", _BOOLS)
        if double_width is not None:
            width = 2 if double_width else 1
        if double_height is not None:
            height = 2 if double_height else 1
        if width is None and height is None:
            return
        self._width, self._height = width or self._width, height or self._height
        chinese = (0x04 if self._width > 1 else 0) | (0x08 if self._height > 1 else 0)
        self.out += bytes([0x1D, 0x21, (self._width - 1) << 4 | (self._height - 1), 0x1C, 0x21, chinese])

    def _write(self, text: str) -> None:
        self._begin_line()
        wide = self._lang.startswith(_WIDE_LANGS)
        if wide != self._wide:
            self._wide = wide
            self.out += b"\x1c&" if wide else b"\x1c.\x1bt\x10"
        self.out += text.encode("gb18030" if wide else "cp1252", "replace")
        self._at_start = text[-1:] == "\n"

    def _begin_line(self) -> None:
        """Alignment counts at the beginning of a line only."""
        if self._at_start and self._align != self._aligned:
            self._aligned = self._align
            self.out += b"\x1ba" + bytes([self._align])

    # --- the rest ----------------------------------------------------------------------------------------------------

    def feed(self, element: Element) -> None:
        if (linespc := _number(element, "linespc", 0, 255)) is not None:
            self.out += b"\x1b3" + bytes([linespc])
        lines, units = _number(element, "line", 0, 255), _number(element, "unit", 0, 255)
        if lines is not None:
            self.out += b"\x1bd" + bytes([lines])
        if units is not None:
            self.out += b"\x1bJ" + bytes([units])
        if lines is None and units is None and linespc is None:
            self.out += b"\n"
        self._at_start = True

    def cut(self, element: Element) -> None:
        self.out += _CUTS[_one_of(element, "type", _CUTS, "feed")]
        self._at_start = True

    def symbol(self, element: Element) -> None:
        model = _QR[_one_of(element, "type", _QR, "")]
        level = _LEVELS[_one_of(element, "level", _LEVELS, "default")]
        module = _number(element, "width", 1, 16) or 3
        for attribute in ("height", "size"):
            _number(element, attribute, 0, 255)  # of other symbols
        self._aligned_by(element)
        data = (element.text or "").encode()
        self.out += (
            b"\x1d(k\x04\x001A" + bytes([model]) + b"\x00"
            b"\x1d(k\x03\x001C" + bytes([module]) + b"\x1d(k\x03\x001E" + bytes([level])
        )
        self.out += b"\x1d(k" + (len(data) + 3).to_bytes(2, "little") + b"1P0" + data + b"\x1d(k\x03\x001Q0"
        self._at_start = True

    def barcode(self, element: Element) -> None:
        kind = _BARCODES[_one_of(element, "type", _BARCODES, "")]
        hri = _HRI[_one_of(element, "hri", _HRI, "none")]
        font = _FONTS[_one_of(element, "font", _FONTS, "font_a")]
        self._aligned_by(element)
        self.out += b"\x1dH" + bytes([hri]) + b"\x1df" + bytes([font])
        self.out += b"\x1dw" + bytes([_number(element, "width", 2, 6) or 3])
        self.out += b"\x1dh" + bytes([_number(element, "height", 1, 255) or 162])
        try:
            data = (element.text or "").encode("ascii")
        except UnicodeEncodeError:
            raise DecodeError(SCHEMA_ERROR, "a barcode of other characters") from None
        if not 1 <= len(data) <= 255:
            raise DecodeError(SCHEMA_ERROR, "a barcode of no length")
        self.out += b"\x1dk" + bytes([kind, len(data)]) + data
        self._at_start = True

    def image(self, element: Element) -> None:
        width, height = _number(element, "width", 1, 65535), _number(element, "height", 1, 65535)
        if width is None or height is None or element.get("mode", "mono") != "mono":
            raise DecodeError(SCHEMA_ERROR, "an image without a size, or with grey")
        try:
            data = base64.b64decode(re.sub(r"\s", "", element.text or ""), validate=True)
        except binascii.Error as error:
            raise DecodeError(SCHEMA_ERROR, f"an image's base64: {error}") from None
        row = (width + 7) // 8
        if len(data) != row * height:
            raise DecodeError(SCHEMA_ERROR, f"an image of {len(data)} bytes, not {row} x {height}")
        _choice(element, "color", _COLORS)
        self._aligned_by(element)
        self.out += b"\x1dv0\x00" + row.to_bytes(2, "little") + height.to_bytes(2, "little") + data
        self._at_start = True

    def pulse(self, element: Element) -> None:
        pin = {"drawer_1": 0, "drawer_2": 1}[_one_of(element, "drawer", ("drawer_1", "drawer_2"), "drawer_1")]
        times = {f"pulse_{ms}": ms // 4 for ms in (100, 200, 300, 400, 500)}
        on = times[_one_of(element, "time", times, "pulse_100")]
        self.out += b"\x1bp" + bytes([pin, on, on])

    def command(self, element: Element) -> None:
        try:
            self.out += bytes.fromhex(element.text or "")
        except ValueError:
            raise DecodeError(SCHEMA_ERROR, "a command that is not hexadecimal") from None
        self._wide = None

    def _aligned_by(self, element: Element) -> None:
        if (align := _choice(element, "align", _ALIGN)) is not None:
            self._align = align
        self._begin_line()


_Handle = Callable[[_Job, Element], None]
_ELEMENTS: dict[str, tuple[frozenset[str], _Handle]] = {
    name: (frozenset(attributes.split()), handle)
    for name, attributes, handle in (
        ("text", "lang font smooth dw dh width height reverse ul em color x y linespc rotate align", _Job.text),
        ("feed", "unit line linespc", _Job.feed),
        ("cut", "type", _Job.cut),
        ("symbol", "type level width height size align", _Job.symbol),
        ("barcode", "type hri font width height align", _Job.barcode),
        ("image", "width height color align mode", _Job.image),
        ("pulse", "drawer time", _Job.pulse),
        ("command", "", _Job.command),
    )
}


def _number(element: Element, name: str, least: int, most: int) -> int | None:
    """A whole number; None: not said."""
    value = element.get(name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) < 10 and least <= int(value) <= most):
        raise DecodeError(SCHEMA_ERROR, f"{name}={value[:20]!r}: a number from {least} to {most} is wanted")
    return int(value)


def _choice(element: Element, name: str, choices: Mapping[str, _T]) -> _T | None:
    """What an attribute's value stands for; None: not said."""
    value = element.get(name)
    if value is None:
        return None
    if value not in choices:
        raise DecodeError(SCHEMA_ERROR, f"no such {name}: {value[:20]}")
    return choices[value]


def _one_of(element: Element, name: str, choices: Container[str], default: str) -> str:
    """An attribute's value, or its default; a default that is no choice says that it must be there."""
    value = element.get(name, default)
    if value not in choices:
        raise DecodeError(SCHEMA_ERROR, f"no such {name}: {value[:20]}")
    return value
