"""A receipt as a picture: dot by dot the width of its paper, every character in the cell that it has on paper.

Decides what a receipt looks like as SVG; vl-convert makes PNG of that with the machine's fonts. No font comes with
this package: Latin text takes any monospaced font, Chinese text any font that fontconfig (`fc-list :lang=zh`)
knows; where there is none, a Chinese character is a box. Images and QR codes are drawn if the receipt has their
dots (`Interpreter(keep_images=True)`), else as a frame; bar codes are always frames with their data in them, for people
to read.
"""

from __future__ import annotations

import base64
import shutil
import struct
import subprocess
import unicodedata
import zlib
from collections.abc import Iterator
from functools import cache
from xml.sax.saxutils import escape

import vl_convert

from o2o_devices.dots import Picture
from o2o_devices.mechanism import GENERIC_80, Profile
from o2o_devices.receipt import Receipt, ReceiptLine, Span, Style

_MARGIN = 24
_LATIN = "DejaVu Sans Mono, Noto Sans Mono, Liberation Mono, monospace"


@cache
def chinese_font() -> str | None:
    """A family that has Chinese characters, sans-serif if there is one; None: there is none on this machine."""
    program = shutil.which("fc-list")
    if program is None:
        return None
    try:
        told = subprocess.run(
            [program, ":lang=zh-cn", "family"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    families = sorted({line.split(",")[0].strip() for line in told.stdout.splitlines() if line.strip()})
    families.sort(key=lambda name: ("Sans" not in name, "SC" not in name, "Mono" in name))
    return families[0] if families else None


def as_svg(receipt: Receipt, profile: Profile = GENERIC_80, *, font: str | None = None) -> str:
    """The receipt as one SVG image, a unit a dot. `font`: a family with Chinese characters; None: boxes for them."""
    height = max(
        round(receipt.length_mm * profile.dots_per_mm), *(_bottom(line, profile) for line in receipt.lines), 40
    )
    width, tall = profile.dots + 2 * _MARGIN, height + 2 * _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{tall}" viewBox="0 0 {width} {tall}">',
        f'<rect width="{width}" height="{tall}" fill="#fdfcf8"/>',
        f'<g transform="translate({_MARGIN} {_MARGIN})">',
    ]
    for line in receipt.lines:
        parts += _line(line, profile, font)
    parts.append("</g>")
    parts += _edge(receipt, width, tall)
    parts.append("</svg>")
    return "".join(parts)


def as_png(receipt: Receipt, profile: Profile = GENERIC_80) -> bytes:
    """The same as PNG, with this machine's fonts."""
    return bytes(vl_convert.svg_to_png(as_svg(receipt, profile, font=chinese_font())))


def _bottom(line: ReceiptLine, profile: Profile) -> int:
    return line.top + (line.size[1] * profile.char_dots if line.kind == "text" else line.size[1])


def _edge(receipt: Receipt, width: int, tall: int) -> Iterator[str]:
    """How the paper ends: cut, or torn where printing stopped."""
    if receipt.stopped_by is not None:
        teeth = " ".join(f"{x},{tall - (8 if n % 2 else 0)}" for n, x in enumerate(range(0, width + 12, 12)))
        yield f'<polyline points="{teeth}" fill="none" stroke="#b00" stroke-width="2"/>'
        why = escape(f"{receipt.stopped_by} at {receipt.length_mm:.0f} mm")
        yield f'<text x="{_MARGIN}" y="{tall - 10}" font-family="{_LATIN}" font-size="14" fill="#b00">{why}</text>'
    elif receipt.cut is not None:
        yield f'<path d="M0 {tall - 1}H{width}" stroke="#888" stroke-width="2" stroke-dasharray="10 6"/>'


def _line(line: ReceiptLine, profile: Profile, font: str | None) -> Iterator[str]:
    x, y = line.left, line.top
    width, height = line.size
    if line.kind != "text":
        if line.picture is not None and line.picture.rows:
            data = base64.b64encode(png(line.picture)).decode()
            yield (
                f'<image x="{x}" y="{y}" width="{width}" height="{height}" image-rendering="optimizeSpeed" '
                f'href="data:image/png;base64,{data}"/>'
            )
        else:
            yield from _framed(line, min(width, profile.dots) or profile.dots // 2, height or 96)
        return
    spans = line.spans or (Span(line.text, Style(width, height, line.bold)),)
    tallest = max(_cell_height(span.style, profile) for span in spans)
    turn = {0: "", 1: " rotate(-90)", 2: "", 3: " rotate(90)"}[line.turn]
    if line.turn == 2:  # (x, y) is the upper left corner of what is written from the lower right
        used = sum(_cell(char, span.style, profile) for span in spans for char in span.text)
        turn = f" translate({used} {tallest}) rotate(180)"
    yield f'<g transform="translate({x} {y}){turn}">'
    at = 0.0
    for span in spans:
        yield from _span(span, at, tallest, profile, font)
        at += sum(_cell(char, span.style, profile) for char in span.text)
    yield "</g>"


def _cell_height(style: Style, profile: Profile) -> int:
    return style.height * (17 if style.small else profile.char_dots)


def _cell(char: str, style: Style, profile: Profile) -> float:
    """Dots that a character takes across."""
    narrow = profile.column_dots * (0.75 if style.small else 1.0) * style.width
    return narrow if char.isascii() else 2 * profile.column_dots * style.width


def _span(span: Span, at: float, tallest: int, profile: Profile, font: str | None) -> Iterator[str]:
    """Characters of one style, bottom-aligned with the tallest of the line."""
    style = span.style
    high = _cell_height(style, profile)
    used = sum(_cell(char, style, profile) for char in span.text)
    ink = "#111"
    if style.invert:
        yield f'<rect x="{at:g}" y="{tallest - high}" width="{used:g}" height="{high}" fill="#111"/>'
        ink = "#fff"
    size = 17 if style.small else profile.char_dots
    scale = f"scale({style.width} {style.height})"
    yield f'<g transform="translate({at:g} {tallest - high}) {scale}" fill="{ink}"'
    yield ' font-weight="bold">' if style.bold else ">"
    latin: list[tuple[float, str]] = []
    wide: list[tuple[float, str]] = []
    x = 0.0
    for char in span.text:
        cell = _cell(char, style, profile) / style.width
        if not char.isspace():
            shown = "\N{REPLACEMENT CHARACTER}" if unicodedata.category(char)[0] == "C" else char
            (latin if cell < 2 * profile.column_dots * 0.99 else wide).append((x, shown))
        x += cell
    base = round(size * 0.82, 1)
    if latin:
        yield _text(latin, base, size * 0.8, _LATIN)
    if wide and font is not None:
        yield _text(wide, base, size * 0.94, f"{font}, {_LATIN}")
    elif wide:
        side = 2 * profile.column_dots - 4
        yield from (
            f'<rect x="{left + 2:g}" y="2" width="{side}" height="{side}" fill="none" stroke="{ink}"/>'
            for left, _ in wide
        )
    yield "</g>"
    if style.underline:
        yield f'<path d="M{at:g} {tallest - 1}h{used:g}" stroke="{ink}" stroke-width="2"/>'


def _text(chars: list[tuple[float, str]], base: float, size: float, family: str) -> str:
    places = " ".join(f"{x:g}" for x, _ in chars)
    text = escape("".join(char for _, char in chars))
    return f'<text x="{places}" y="{base:g}" font-size="{size:g}" font-family="{escape(family)}">{text}</text>'


def _framed(line: ReceiptLine, width: int, height: int) -> Iterator[str]:
    """A code or an image that is not drawn: its frame, its kind, and what a scanner would read."""
    x, y = line.left, line.top
    yield f'<rect x="{x + 1}" y="{y + 1}" width="{width - 2}" height="{height - 2}" fill="#eee" stroke="#111"/>'
    name = "QR" if line.kind == "qr" else line.symbology
    told = f"{name} {line.text}" if line.text else f"{name} {width} x {height}"
    per_row = max(int((width - 8) / 7.3), 4)
    rows = [told[at : at + per_row] for at in range(0, len(told), per_row)][: max((height - 4) // 15, 1)]
    for number, row in enumerate(rows):
        safe = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char)[0] == "C" else char for char in row)
        yield (
            f'<text x="{x + 5}" y="{y + 15 + 15 * number}" font-family="{_LATIN}" font-size="12" '
            f'fill="#111">{escape(safe)}</text>'
        )


def png(picture: Picture) -> bytes:
    """Dots as a PNG of one bit a dot."""
    stride = picture.stride
    rows = b"".join(
        b"\x00" + bytes(byte ^ 0xFF for byte in picture.rows[y * stride : (y + 1) * stride])
        for y in range(picture.height)
    )
    head = struct.pack(">IIBBBBB", picture.width, picture.height, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data)) for name, data in chunks
    )
