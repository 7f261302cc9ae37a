"""How many argument bytes the commands of StarPRNT have. Sources: see `starprnt`."""

from __future__ import annotations

from collections.abc import Callable

Size = int | Callable[[bytes, int], int | None]
"""Argument bytes: a number of them, or a function (data, start) -> stop, None when the data do not reach so far."""


def digit(value: int) -> int:
    """Star takes 0 and "0" alike."""
    return value - 48 if value >= 48 else value


def word(args: bytes, at: int) -> int:
    return args[at] + 256 * args[at + 1]


def up_to(end: bytes, least: int = 0) -> Size:
    """Up to and with a terminator, which stands behind `least` bytes at the earliest."""

    def size(data: bytes, start: int) -> int | None:
        found = data.find(end, start + least)
        return None if found < 0 else found + len(end)

    return size


def group_counted(data: bytes, start: int) -> int | None:
    """A letter, pL pH and so many bytes."""
    return None if start + 3 > len(data) else start + 3 + word(data, start + 1)


def columns(bytes_each: int) -> Size:
    def size(data: bytes, start: int) -> int | None:
        return None if start + 2 > len(data) else start + 2 + bytes_each * word(data, start)

    return size


def raster(data: bytes, start: int) -> int | None:
    """ESC GS S m xL xH yL yH n d...: x bytes a row, y rows."""
    return None if start + 6 > len(data) else start + 6 + word(data, start + 1) * word(data, start + 3)


def strip(data: bytes, start: int) -> int | None:
    """ESC k n 0 d...: n bytes a row, 24 rows."""
    return None if start + 2 > len(data) else start + 2 + 24 * data[start]


def glyph(data: bytes, start: int) -> int | None:
    """ESC & c1 c2 n d1..d48 defines a character, c2 = 0 removes it."""
    if start + 3 > len(data):
        return None
    return start + (3 if digit(data[start + 1]) == 0 else 51)


def two_dimensional(lead: int) -> Size:
    """S k n (x: S 0 has three), D ... with a length, P, I. `lead`: bytes between D and the length."""

    def size(data: bytes, start: int) -> int | None:
        if start >= len(data):
            return None
        function = data[start]
        if function == 0x53:
            wide = not lead and data[start + 1 : start + 2] in (b"0", b"\x00")
            return start + (5 if wide else 3)
        if function == 0x44:
            at = start + 1 + lead
            return None if at + 2 > len(data) else at + 2 + word(data, at)
        return start + 1

    return size


def page(data: bytes, start: int) -> int | None:
    """ESC GS P n ...: page mode."""
    if start >= len(data):
        return None
    return start + 1 + {2: 8, 3: 1, 4: 2, 5: 2}.get(digit(data[start]), 0)


def logos(data: bytes, start: int) -> int | None:
    """ESC FS q n [xL xH yL yH d...] ...: images of 8 x by 8 y dots."""
    if start >= len(data):
        return None
    at = start + 1
    for _ in range(data[start]):
        if at + 4 > len(data):
            return None
        at += 4 + 8 * word(data, at) * word(data, at + 2)
    return at
