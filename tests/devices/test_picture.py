"""Receipts as pictures."""

import struct
import xml.etree.ElementTree as ET
import zlib

from o2o_devices.dots import from_rows
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_58, GENERIC_80
from o2o_devices.picture import as_png, as_svg, png
from o2o_devices.receipt import Receipt

SVG = "{http://www.w3.org/2000/svg}"


def receipt(data: bytes) -> Receipt:
    events = Interpreter(GENERIC_80, keep_images=True).feed(data + b"\x1dV\x00")[1]
    (cut,) = [event for event in events if isinstance(event, Cut)]
    return cut.receipt


def test_every_character_stands_in_its_cell() -> None:
    paper = receipt("a宫b\n".encode("gb18030"))
    texts = [(node.get("x"), node.text) for node in ET.fromstring(as_svg(paper, font="Some")).iter(f"{SVG}text")]
    assert texts == [("0 36", "ab"), ("12", "宫")]


def test_without_a_chinese_font_characters_are_boxes() -> None:
    root = ET.fromstring(as_svg(receipt("a宫保\n".encode("gb18030")), font=None))
    assert [node.text for node in root.iter(f"{SVG}text")] == ["a"]
    assert len([node for node in root.iter(f"{SVG}rect") if node.get("fill") == "none"]) == 2


def test_what_strangers_print_is_data() -> None:
    paper = receipt(b"<script>&\x7f\n" + b"\x1d(k\x09\x000P0<a&b>\x1b\x1d(k\x03\x000Q0" + b"\x1dB\x01<i>\n")
    root = ET.fromstring(as_svg(paper))
    assert {node.tag.removeprefix(SVG) for node in root.iter()} == {"svg", "rect", "g", "text", "path"}


def test_the_picture_is_as_wide_as_the_paper() -> None:
    for profile in (GENERIC_58, GENERIC_80):
        events = Interpreter(profile, keep_images=True).feed(b"\x1dv0\x00\x01\x00\x01\x00\xffx\n" * 3 + b"\x1dV\x00")[1]
        (cut,) = [event for event in events if isinstance(event, Cut)]
        data = as_png(cut.receipt, profile)
        assert data.startswith(b"\x89PNG")
        assert struct.unpack(">I", data[16:20])[0] == profile.dots + 48


def test_torn_turned_and_empty_receipts_are_drawn() -> None:
    torn = receipt(b"one\ntwo\n").torn(3.75, "paper_end")
    assert "paper_end at 4 mm" in as_svg(torn)
    page = b"\x1bL\x1bW\x00\x00\x00\x00\x64\x00\x2c\x01" + b"\x1bT\x01up\n\x1bT\x02down\n\x0c"
    assert "rotate(-90)" in as_svg(receipt(page))
    assert "rotate(180)" in as_svg(receipt(page))
    assert ET.fromstring(as_svg(Receipt())).get("width") == str(GENERIC_80.dots + 48)


def test_dots_as_png() -> None:
    data = png(from_rows(9, 2, b"\x80\x80\x00\x00"))
    assert struct.unpack(">II", data[16:24]) == (9, 2)
    size = struct.unpack(">I", data[33:37])[0]
    assert zlib.decompress(data[41 : 41 + size]) == b"\x00\x7f\x7f\x00\xff\xff"
