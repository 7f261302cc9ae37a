"""Images: known by their size always, by their dots if an interpreter keeps them."""

import pytest

from o2o_devices.dots import Picture, composed, from_columns, from_rows, stretched
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_80
from o2o_devices.receipt import Receipt

DIAGONAL = bytes((0x80, 0x40, 0x20, 0x10, 0x08, 0x04, 0x02, 0x01))


def receipt(data: bytes, *, keep: bool = True, pieces: int = 10_000) -> Receipt:
    interpreter = Interpreter(GENERIC_80, keep_images=keep)
    data += b"\x1dV\x00"
    events = [event for at in range(0, len(data), pieces) for event in interpreter.feed(data[at : at + pieces])[1]]
    (cut,) = [event for event in events if isinstance(event, Cut)]
    return cut.receipt


def drawn(picture: Picture | None) -> list[str]:
    assert picture is not None
    return ["".join("#" if picture.black(x, y) else "." for x in range(picture.width)) for y in range(picture.height)]


STEPS = ["#" + "." * 7, ".#" + "." * 6, "..#" + "." * 5]
RASTER = b"\x1dv0\x00\x01\x00\x03\x00" + DIAGONAL[:3]
GRAPHICS = b"\x1d(L\x0d\x000p0\x01\x011\x08\x00\x03\x00" + DIAGONAL[:3] + b"\x1d(L\x02\x0002"
LONG = b"\x1d8L\x0d\x00\x00\x000p0\x01\x011\x08\x00\x03\x00" + DIAGONAL[:3] + b"\x1d(L\x02\x0002"
KEPT = b"\x1d(L\x0e\x000C0AB\x01\x08\x00\x03\x001" + DIAGONAL[:3] + b"\x1d(L\x06\x000EAB\x01\x01"


@pytest.mark.parametrize("stream", [RASTER, GRAPHICS, LONG, KEPT], ids=["GS v 0", "GS ( L", "GS 8 L", "NV by key"])
@pytest.mark.parametrize("pieces", [1, 3, 10_000])
def test_rows(stream: bytes, pieces: int) -> None:
    paper = receipt(stream, pieces=pieces)
    assert paper.images == ((8, 3),)
    assert drawn(paper.lines[0].picture) == STEPS
    assert paper.unknown == 0


def test_columns() -> None:
    bits = b"\x1b*\x01\x08\x00" + DIAGONAL + b"\n"
    (line,) = receipt(bits).lines
    assert line.size == (8, 24)
    assert drawn(line.picture)[::3] == ["." * n + "#" + "." * (7 - n) for n in range(8)]
    two = receipt(b"\x1b*\x21\x01\x00\xff\xff\xff\x1b*\x21\x01\x00\x80\x00\x01\n").lines[0]
    assert drawn(two.picture) == ["##"] + ["#."] * 22 + ["##"]
    stored = b"\x1d*\x01\x01" + DIAGONAL + b"\x1d/\x03"
    assert drawn(receipt(stored).lines[0].picture)[0] == "##" + "." * 14


def test_nv_images_stay_after_initialize() -> None:
    define = b"\x1cq\x02" + b"\x01\x00\x01\x00" + DIAGONAL + b"\x01\x00\x01\x00" + b"\xff" * 8
    paper = receipt(define + b"\x1b@" + b"\x1cp\x02\x00" + b"\x1cp\x01\x01" + b"\x1cp\x03\x00")
    assert paper.images == ((8, 8), (16, 8))
    assert drawn(paper.lines[0].picture) == ["#" * 8] * 8
    assert drawn(paper.lines[1].picture)[1] == "..##" + "." * 12


def test_graphics_are_dropped_by_key_and_all() -> None:
    show = b"\x1d(L\x06\x000EAB\x01\x01"
    assert receipt(KEPT + b"\x1d(L\x04\x000BAB" + show + b"end\n").images == ((8, 3),)
    assert receipt(KEPT + b"\x1d(L\x05\x000ACLR" + show + b"end\n").images == ((8, 3),)
    assert receipt(KEPT + b"\x1d(L\x05\x000QCLR" + show).images == ((8, 3), (8, 3))  # that was the other memory


@pytest.mark.parametrize("stream", [RASTER, GRAPHICS, LONG, KEPT, b"\x1b*\x01\x08\x00" + DIAGONAL + b"\n"])
def test_the_paper_is_the_same_whether_dots_are_kept_or_not(stream: bytes) -> None:
    kept, counted = receipt(stream), receipt(stream, keep=False)
    assert [line._replace(picture=None) for line in kept.lines] == list(counted.lines)
    assert kept.length_mm == counted.length_mm


def test_an_image_too_large_to_keep_is_counted() -> None:
    paper = receipt(b"\x1dv0\x00\xff\x00\xff\xff" + bytes(255 * 65535) + b"end\n", pieces=1 << 16)
    assert (paper.images, paper.lines[0].picture, paper.text) == (((2040, 65535),), None, "end")


def test_codes_of_every_symbology() -> None:
    paper = receipt(b"\x1d(k\x07\x000P0data\x1d(k\x03\x000Q0" + b"\x1d(k\x07\x006P0more\x1d(k\x03\x006Q0")
    assert paper.barcodes == (("PDF417", "data"), ("DATAMATRIX", "more"))


def test_pictures() -> None:
    square = from_rows(2, 2, b"\x80\x40")
    assert drawn(stretched(square, 2, 1)) == ["##..", "..##"]
    assert drawn(composed(5, 2, [(0, square), (3, square)])) == ["#..#.", ".#..#"]
    assert drawn(from_columns(2, 8, b"\x80\x01")) == ["#."] + [".."] * 6 + [".#"]
    assert from_rows(8, 4, b"").rows == b""
