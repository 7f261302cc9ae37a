"""image/png on a cloud printer (A14): Pillow writes the images, the dots are looked at."""

import io
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from o2o_devices.errors import DecodeError
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_80
from o2o_devices.media.png import to_escpos


def saved(image: Image.Image, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", **options)
    return out.getvalue()


def dots(png: bytes) -> list[list[bool]]:
    """Rows of the raster command, dot by dot."""
    escpos = to_escpos(png)
    at = escpos.index(b"\x1dv0\x00") + 4
    across, down = struct.unpack_from("<HH", escpos, at)
    data = escpos[at + 4 : at + 4 + across * down]
    rows = [data[row * across : (row + 1) * across] for row in range(down)]
    return [[bool(byte >> (7 - bit) & 1) for byte in row for bit in range(8)] for row in rows]


def black(image: Image.Image) -> list[list[bool]]:
    """The same by Pillow, padded to whole bytes."""
    over = Image.new("RGBA", image.size, "white")
    over.alpha_composite(image.convert("RGBA"))
    grey = over.convert("L")
    width, height = image.size
    pad = [False] * (-width % 8)
    return [[grey.getpixel((x, y)) < 128 for x in range(width)] + pad for y in range(height)]  # type: ignore[operator]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("size", [(1, 1), (13, 5), (64, 9)])
def test_every_kind_of_pixel_is_black_where_it_is_dark(mode: str, size: tuple[int, int]) -> None:
    width, height = size
    gradient = Image.new("RGBA", size)
    for x in range(width):
        for y in range(height):
            gradient.putpixel((x, y), (x * 251 % 256, y * 83 % 256, (x + y) * 37 % 256, 255 if x % 3 else 90))
    if mode == "I;16":
        image = Image.new("I;16", size)
        for x in range(width):
            for y in range(height):
                image.putpixel((x, y), (x * 2503 + y * 9001) % 65_536)
        expected = [
            [(x * 2503 + y * 9001) % 65_536 >> 8 < 128 for x in range(width)] + [False] * (-width % 8)
            for y in range(height)
        ]
    else:
        image = gradient.convert(mode)
        expected = black(image)
    got = dots(saved(image))
    wrong = sum(a != b for row, other in zip(got, expected, strict=True) for a, b in zip(row, other, strict=True))
    assert wrong <= width * height // 50, "but for roundings at the threshold"


def test_paper_has_the_image_and_is_cut() -> None:
    events = Interpreter(GENERIC_80).feed(to_escpos(saved(Image.new("1", (576, 80)))))[1]
    (cut,) = [event for event in events if isinstance(event, Cut)]
    assert cut.receipt.images == ((576, 80),)
    assert cut.receipt.cut == "partial"
    assert cut.receipt.unknown == 0
    assert cut.receipt.length_mm >= 80 / GENERIC_80.dots_per_mm


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _png(width: int, height: int, depth: int, colour: int, interlaced: int, data: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced)
    packed = _chunk(b"IDAT", zlib.compress(data))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", head) + packed + _chunk(b"IEND", b"")


GOOD = saved(Image.new("L", (20, 20), 7))


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"GIF89a",
        GOOD[:40],
        GOOD.replace(b"IDAT", b"IDAX"),
        GOOD[:50] + b"\x00" + GOOD[51:],
        _png(8, 2, 1, 0, 1, b"\x00\xff\x00\xff"),
        _png(8, 2, 3, 0, 0, b"\x00\xff\x00\xff"),
        _png(8, 2, 1, 5, 0, b"\x00\xff\x00\xff"),
        _png(8, 2, 1, 0, 0, b"\x00\xff"),
        _png(8, 1, 1, 0, 0, b"\x09\xff"),
        _png(0, 0, 1, 0, 0, b""),
        _png(4_000_000_000, 4_000_000_000, 1, 0, 0, b""),
        _png(8, 1, 8, 3, 0, b"\x00" + bytes(range(8))),
    ],
)
def test_what_is_no_such_png_is_511(bad: bytes) -> None:
    with pytest.raises(DecodeError) as told:
        to_escpos(bad)
    assert told.value.code == "511"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(GOOD)), st.binary(max_size=8))
def test_damage_is_found(at: int, rubbish: bytes) -> None:
    broken = GOOD[:at] + rubbish + GOOD[at + len(rubbish) :]
    try:
        assert to_escpos(broken) == to_escpos(GOOD)
    except DecodeError:
        assert broken != GOOD
