"""Argument shapes: how many bytes follow an opcode.

A shape is a number of bytes, or a function `shape(buf, at, end)` over the argument bytes that have come so far,
`buf[at:end]`. It answers `Take(head, skip)`: hand `head` bytes to the command, drop the `skip` bytes that follow (image
data, skipped by counting, never walked or held); or `Need(n)`: at least `n` argument bytes must have come to tell.
Sources are named where the command is (`commands`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Take(NamedTuple):
    head: int
    skip: int = 0


class Need(NamedTuple):
    size: int


Shape = int | Callable[[bytes, int, int], Take | Need]

_MAX_TABS = 32
_MAX_BARCODE = 255
_MAX_NV = 4 * 1024 * 1024


def counted(buf: bytes, at: int, end: int) -> Take | Need:
    """X pL pH and pL + 256 pH bytes: all of GS (, ESC ( and FS (."""
    if end - at < 3:
        return Need(3)
    return Take(3 + buf[at + 1] + 256 * buf[at + 2])


def graphics(buf: bytes, at: int, end: int) -> Take | Need:
    """GS ( : as `counted`, but of GS ( L only the 10 bytes that describe an image are handed over."""
    if end - at < 3:
        return Need(3)
    size = buf[at + 1] + 256 * buf[at + 2]
    if buf[at] == 0x4C:
        head = min(size, 10)
        return Take(3 + head, size - head)
    return Take(3 + size)


def long_graphics(buf: bytes, at: int, end: int) -> Take | Need:
    """GS 8 L p1 p2 p3 p4: a GS ( L with a length of four bytes."""
    if end - at < 1:
        return Need(1)
    if buf[at] != 0x4C:
        return Take(1)
    if end - at < 5:
        return Need(5)
    size = int.from_bytes(buf[at + 1 : at + 5], "little")
    head = min(size, 10)
    return Take(5 + head, size - head)


def raster(buf: bytes, at: int, end: int) -> Take | Need:
    """GS v 0 m xL xH yL yH and x * y bytes; GS Q 0 likewise."""
    if end - at < 1:
        return Need(1)
    if buf[at] != 0x30:
        return Take(1)
    if end - at < 6:
        return Need(6)
    return Take(6, (buf[at + 2] + 256 * buf[at + 3]) * (buf[at + 4] + 256 * buf[at + 5]))


def bit_image(buf: bytes, at: int, end: int) -> Take | Need:
    """ESC * m nL nH and n columns of 1 byte (m = 0, 1) or 3 (m = 32, 33)."""
    if end - at < 3:
        return Need(3)
    return Take(3, (buf[at + 1] + 256 * buf[at + 2]) * (3 if buf[at] in (32, 33) else 1))


def download_image(buf: bytes, at: int, end: int) -> Take | Need:
    """GS * x y and 8 x y bytes."""
    if end - at < 2:
        return Need(2)
    return Take(2, 8 * buf[at] * buf[at + 1])


def nv_images(buf: bytes, at: int, end: int) -> Take | Need:
    """FS q n and n times xL xH yL yH with 8 x y bytes; more than any printer's memory: not a definition."""
    if end - at < 1:
        return Need(1)
    size = 1
    for _ in range(buf[at]):
        if end - at < size + 4:
            return Need(size + 4)
        head = buf[at + size : at + size + 4]
        size += 4 + 8 * (head[0] + 256 * head[1]) * (head[2] + 256 * head[3])
        if size > _MAX_NV:
            return Take(1)
    return Take(size)


def glyphs(buf: bytes, at: int, end: int) -> Take | Need:
    """ESC & y c1 c2 and for each character from c1 to c2 a width x with x * y bytes."""
    if end - at < 3:
        return Need(3)
    y, first, last = buf[at : at + 3]
    size = 3
    if y > 8 or not 32 <= first <= last <= 126:
        return Take(size)
    for _ in range(first, last + 1):
        if end - at < size + 1:
            return Need(size + 1)
        size += 1 + y * buf[at + size]
    return Take(size)


def tab_stops(buf: bytes, at: int, end: int) -> Take | Need:
    """ESC D n1 ... nk NUL: ascending, 32 at most; a number that does not ascend is data again."""
    last = 0
    for size in range(_MAX_TABS):
        if at + size >= end:
            return Need(size + 1)
        stop = buf[at + size]
        if stop == 0:
            return Take(size + 1)
        if stop <= last:
            return Take(size)
        last = stop
    return Take(_MAX_TABS)


def cut(buf: bytes, at: int, end: int) -> Take | Need:
    """GS V m, with a feed n for m = 65, 66, 97, 98, 103, 104."""
    if end - at < 1:
        return Need(1)
    return Take(2 if buf[at] in (65, 66, 97, 98, 103, 104) else 1)


def barcode(buf: bytes, at: int, end: int) -> Take | Need:
    """GS k m d1 ... dk NUL for m <= 6, GS k m n d1 ... dn for m >= 65."""
    if end - at < 1:
        return Need(1)
    if buf[at] <= 6:
        stop = buf.find(0, at + 1, min(end, at + 2 + _MAX_BARCODE))
        if stop >= 0:
            return Take(stop - at + 1)
        return Take(1 + _MAX_BARCODE) if end - at > _MAX_BARCODE else Need(end - at + 1)
    if buf[at] < 65:
        return Take(1)
    if end - at < 2:
        return Need(2)
    return Take(2 + buf[at + 1])


def counters(buf: bytes, at: int, end: int) -> Take | Need:
    """GS C 0 n m, GS C 1 and six bytes, GS C 2 nL nH, GS C ; with five numbers that end in a semicolon each."""
    if end - at < 1:
        return Need(1)
    fixed = {0x30: 3, 0x31: 7, 0x32: 3}.get(buf[at])
    if fixed is not None:
        return Take(fixed)
    if buf[at] != 0x3B:
        return Take(1)
    at_most = 36
    seen = 0
    for size in range(1, at_most):
        if at + size >= end:
            return Need(size + 1)
        seen += buf[at + size] == 0x3B
        if seen == 5:
            return Take(size + 1)
    return Take(at_most)


def windows_bmp(buf: bytes, at: int, end: int) -> Take | Need:
    """GS D m fn a kc1 kc2 b c and a BMP file, whose own header says how long it is."""
    if end - at < 13:
        return Need(13)
    return Take(7, max(int.from_bytes(buf[at + 9 : at + 13], "little"), 6))


def nv_user_memory(buf: bytes, at: int, end: int) -> Take | Need:
    """FS g 1 m a1..a4 nL nH and n bytes (write); FS g 2 m a1..a4 nL nH (read)."""
    if end - at < 1:
        return Need(1)
    if buf[at] == 0x32:
        return Take(8)
    if buf[at] != 0x31:
        return Take(1)
    if end - at < 8:
        return Need(8)
    return Take(8, buf[at + 6] + 256 * buf[at + 7])


def maintenance(buf: bytes, at: int, end: int) -> Take | Need:
    """GS g 0 m nL nH and GS g 2 m nL nH."""
    if end - at < 1:
        return Need(1)
    return Take(4 if buf[at] in (0x30, 0x32) else 1)


def check_paper(buf: bytes, at: int, end: int) -> Take | Need:
    """FS a 0 n, FS a 1, FS a 2."""
    if end - at < 1:
        return Need(1)
    return Take(2 if buf[at] == 0x30 else 1)


def realtime(buf: bytes, at: int, end: int) -> Take | Need:
    """DLE DC4 fn and its arguments."""
    if end - at < 1:
        return Need(1)
    return Take({0x01: 3, 0x02: 3, 0x03: 6, 0x07: 2, 0x08: 8}.get(buf[at], 1))


def realtime_status(buf: bytes, at: int, end: int) -> Take | Need:
    """DLE EOT n, with a second byte for n = 0, 7, 8, 18."""
    if end - at < 1:
        return Need(1)
    return Take(2 if buf[at] in (0x00, 0x07, 0x08, 0x12) else 1)
