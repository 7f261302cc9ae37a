"""Dots of an image: packed rows, most significant bit left, a set bit is black.

Decides how the column formats of ESC *, GS * and FS q become rows. Only interpreters that keep images make such values
(`Interpreter(keep_images=True)`): everybody else counts the bytes and goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Picture(NamedTuple):
    """`width` x `height` dots; `rows` has (width + 7) // 8 bytes a row, or is empty if the dots were not kept."""

    width: int
    height: int
    rows: bytes = b""

    @property
    def stride(self) -> int:
        """Bytes a row."""
        return (self.width + 7) // 8

    def black(self, x: int, y: int) -> bool:
        """Is this dot printed?"""
        at = y * self.stride + (x >> 3)
        return at < len(self.rows) and bool(self.rows[at] >> (7 - (x & 7)) & 1)


def from_rows(width: int, height: int, data: bytes) -> Picture:
    """As GS v 0 sends it."""
    size = (width + 7) // 8 * height
    return Picture(width, height, data[:size].ljust(size, b"\x00") if data else b"")


def from_columns(width: int, height: int, data: bytes) -> Picture:
    """Column by column from the left, each of height / 8 bytes, the top dot in the most significant bit."""
    if not data:
        return Picture(width, height)
    deep, stride = (height + 7) // 8, (width + 7) // 8
    rows = bytearray(stride * height)
    for at, byte in enumerate(data[: width * deep]):
        if byte:
            x, top = at // deep, at % deep * 8
            for bit in range(min(8, height - top)):
                if byte & 0x80 >> bit:
                    rows[(top + bit) * stride + (x >> 3)] |= 0x80 >> (x & 7)
    return Picture(width, height, bytes(rows))


def stretched(picture: Picture, across: int, down: int) -> Picture:
    """Each dot `across` times as wide and `down` times as high."""
    width, height = picture.width * across, picture.height * down
    if (across == 1 and down == 1) or not picture.rows:
        return Picture(width, height, picture.rows)
    stride = (width + 7) // 8
    rows = bytearray()
    for y in range(picture.height):
        row = bytearray(stride)
        for x in range(picture.width):
            if picture.black(x, y):
                for to in range(x * across, (x + 1) * across):
                    row[to >> 3] |= 0x80 >> (to & 7)
        rows += row * down
    return Picture(width, height, bytes(rows))


def composed(width: int, height: int, parts: Iterable[tuple[int, Picture]]) -> Picture:
    """Pictures side by side, each at its distance from the left; what goes beyond is cut off."""
    stride = (width + 7) // 8
    lines = [0] * height
    kept = False
    for left, part in parts:
        if not part.rows:
            continue
        kept = True
        shift = stride * 8 - left - part.stride * 8
        for y in range(min(part.height, height)):
            row = int.from_bytes(part.rows[y * part.stride : (y + 1) * part.stride], "big")
            lines[y] |= row << shift if shift >= 0 else row >> -shift
    mask = (1 << stride * 8) - 1
    return Picture(width, height, b"".join((line & mask).to_bytes(stride, "big") for line in lines) if kept else b"")
