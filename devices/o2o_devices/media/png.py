"""image/png as a cloud printer prints it: black where a pixel is darker than half grey on white, and a cut (A14).

Decides which PNG a printer takes (all colour types and depths; not interlaced ones, as firmware with little memory) and
how colours become dots: alpha over white, luminance by ITU-R BT.601, a threshold. Dithering and scaling are the
server's (X-Star-ImageDitherPattern is not heeded). Source: PNG Specification, third edition (W3C, 2025), chapters 4,
7 and 9; MEDIA types of Star's CloudPRNT protocol guide.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from o2o_devices.errors import DecodeError
from o2o_devices.media.text import UNDECODABLE, Cut, cut_bytes

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
MOST_PIXELS = 4_000_000
"""An image of more is refused before it is unpacked: 832 dots by 4.8 m of paper."""
_RED, _GREEN, _BLUE = 299, 587, 114


def to_escpos(data: bytes, *, cut: Cut = "partial", feed: bool = True) -> bytes:
    """An image as bytes for the engine inside. Raises DecodeError ("511") for what is no PNG of this kind."""
    try:
        width, height, rows = _dots(data)
        image = b"".join(rows)
    except (struct.error, zlib.error, IndexError, ValueError) as error:
        raise DecodeError(UNDECODABLE, f"no PNG: {error}") from None
    head = struct.pack("<HH", (width + 7) // 8, height)
    return b"\x1b@\x1c&\x1dv0\x00" + head + image + cut_bytes(cut, feed)


def _dots(data: bytes) -> tuple[int, int, Iterator[bytes]]:
    """(width, height, rows of dots, the left one in the highest bit)."""
    if not data.startswith(_SIGNATURE):
        raise ValueError("another signature")
    header, palette, alpha, packed = b"", b"", b"", []
    for kind, body in _chunks(data):
        if kind == b"IHDR":
            header = body
        elif kind == b"PLTE":
            palette = body
        elif kind == b"tRNS":
            alpha = body
        elif kind == b"IDAT":
            packed.append(body)
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth not in _DEPTHS.get(colour, ()) or interlaced or not 0 < width * height <= MOST_PIXELS or height > 65_535:
        raise ValueError(f"{width} x {height}, depth {depth}, colour type {colour}, interlaced {interlaced}")
    bits = depth * _CHANNELS[colour]
    row_bytes = (width * bits + 7) // 8
    raw = zlib.decompressobj().decompress(b"".join(packed), (row_bytes + 1) * height)
    if len(raw) < (row_bytes + 1) * height:
        raise ValueError("the image breaks off")
    dark = _dark(colour, depth, palette, alpha)
    lines = _unfiltered(raw, row_bytes, max(bits // 8, 1), height)
    return width, height, (_row(line, width, colour, depth, dark) for line in lines)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + 8 + size]
        (check,) = struct.unpack_from(">I", data, at + 8 + size)
        if zlib.crc32(kind + body) != check:
            raise ValueError("a chunk's checksum is wrong")
        yield kind, body
        if kind == b"IEND":
            return
        at += 12 + size


def _unfiltered(raw: bytes, row_bytes: int, step: int, height: int) -> Iterator[bytearray]:
    above = bytearray(row_bytes)
    for row in range(height):
        start = row * (row_bytes + 1)
        kind, line = raw[start], bytearray(raw[start + 1 : start + 1 + row_bytes])
        if kind == 1:
            for i in range(step, row_bytes):
                line[i] = (line[i] + line[i - step]) & 0xFF
        elif kind == 2:
            for i in range(row_bytes):
                line[i] = (line[i] + above[i]) & 0xFF
        elif kind == 3:
            for i in range(row_bytes):
                left = line[i - step] if i >= step else 0
                line[i] = (line[i] + (left + above[i]) // 2) & 0xFF
        elif kind == 4:
            for i in range(row_bytes):
                left, corner = (line[i - step], above[i - step]) if i >= step else (0, 0)
                line[i] = (line[i] + _paeth(left, above[i], corner)) & 0xFF
        elif kind:
            raise ValueError(f"no such filter: {kind}")
        yield line
        above = line


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    far_left, far_above, far_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if far_left <= far_above and far_left <= far_corner:
        return left
    return above if far_above <= far_corner else corner


def _luminance(red: int, green: int, blue: int, alpha: int = 255) -> int:
    """0..255 over white paper."""
    grey = (_RED * red + _GREEN * green + _BLUE * blue + 500) // 1000
    return (grey * alpha + 255 * (255 - alpha) + 127) // 255


def _dark(colour: int, depth: int, palette: bytes, alpha: bytes) -> bytes:
    """For grey and palette images: by sample value, 1 where it prints. Of 16 bits the high byte counts."""
    if colour == 3:
        count = len(palette) // 3
        opaque = alpha + b"\xff" * count
        colours = zip(palette[::3], palette[1::3], palette[2::3], opaque, strict=False)
        shades = [_luminance(red, green, blue, shown) for red, green, blue, shown in colours]
    else:
        most = (1 << min(depth, 8)) - 1
        shades = [255 * value // most for value in range(most + 1)]
        if colour == 0 and len(alpha) == 2:
            clear = struct.unpack(">H", alpha)[0] >> (8 if depth == 16 else 0)
            shades[clear & most] = 255
    return bytes(shade < 128 for shade in shades)


def _row(line: bytearray, width: int, colour: int, depth: int, dark: bytes) -> bytes:
    """One row of dots."""
    wide = depth // 8 if depth >= 8 else 1
    if colour in (0, 3):
        if depth >= 8:
            samples: Iterator[int] | bytearray = line[::wide]
        else:
            per, mask = 8 // depth, (1 << depth) - 1
            shifts = [8 - depth * (i + 1) for i in range(per)]
            samples = (byte >> shift & mask for byte in line for shift in shifts)
        prints = [dark[sample] for sample in samples][:width]
    else:
        high = line[::wide]  # the high bytes
        if colour == 4:
            prints = [_luminance(g, g, g, a) < 128 for g, a in zip(high[::2], high[1::2], strict=True)]
        elif colour == 2:
            prints = [_luminance(r, g, b) < 128 for r, g, b in zip(high[::3], high[1::3], high[2::3], strict=True)]
        else:
            quads = zip(high[::4], high[1::4], high[2::4], high[3::4], strict=True)
            prints = [_luminance(r, g, b, a) < 128 for r, g, b, a in quads]
    out = 0
    for dot in prints:
        out = out << 1 | dot
    size = (width + 7) // 8
    return (out << (8 * size - width)).to_bytes(size, "big")
