"""Page mode: areas, columns and directions, as a reader sees them."""

from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_80
from o2o_devices.receipt import Receipt


def receipt(data: bytes) -> Receipt:
    (cut,) = [event for event in Interpreter(GENERIC_80).feed(data + b"\x1dV\x00")[1] if isinstance(event, Cut)]
    return cut.receipt


def area(x: int, y: int, dx: int, dy: int) -> bytes:
    return b"\x1bW" + b"".join(number.to_bytes(2, "little") for number in (x, y, dx, dy))


def at(x: int, y: int) -> bytes:
    return b"\x1b$" + x.to_bytes(2, "little") + b"\x1d$" + y.to_bytes(2, "little")


def test_columns_of_two_areas_are_lines_from_left_to_right() -> None:
    left = area(0, 0, 288, 90) + "宫保鸡丁\n米饭\n".encode("gb18030")
    right = area(288, 0, 288, 90) + b"18.00\n2.00\n"
    for order in (left + right, right + left):
        paper = receipt(b"\x1bL" + order + b"\x0c")
        assert paper.text_lines == ("宫保鸡丁" + " " * 16 + "18.00", "米饭" + " " * 20 + "2.00")
        assert paper.length_mm == 90 / 8
        assert [(line.left, line.top) for line in paper.lines] == [(0, 0), (0, 30)]


def test_places_in_any_order() -> None:
    paper = receipt(
        b"\x1bL" + area(0, 0, 576, 200) + at(240, 60) + b"right" + at(0, 60) + b"left" + at(0, 0) + b"top\x0c"
    )
    assert paper.text_lines == ("top", "left" + " " * 16 + "right")


def test_text_turned_by_a_quarter_is_read_in_its_own_direction() -> None:
    turned = b"\x1bT\x01" + b"up one\nup two\n"
    paper = receipt(b"\x1bL" + area(0, 0, 100, 300) + turned + area(100, 0, 400, 300) + b"\x1bT\x00plain\n\x0c")
    assert paper.text_lines == ("plain", "up one", "up two")
    assert [line.turn for line in paper.lines] == [0, 1, 1]
    assert [(line.left, line.top) for line in paper.lines] == [(100, 0), (0, 300), (30, 300)]
    assert paper.length_mm == 300 / 8


def test_a_turned_line_is_as_long_as_its_area_is_high() -> None:
    paper = receipt(b"\x1bL" + area(0, 0, 100, 120) + b"\x1bT\x03" + b"x" * 14 + b"\n\x0c")
    assert paper.text_lines == ("x" * 10, "x" * 4)


def test_upside_down_reads_from_the_lower_right() -> None:
    paper = receipt(b"\x1bL" + area(0, 0, 576, 60) + b"\x1bT\x02first\nsecond\n\x0c")
    assert [(line.text, line.turn, line.top) for line in paper.lines] == [("second", 2, 0), ("first", 2, 30)]
    assert [line.left for line in paper.lines] == [576 - 6 * 12, 576 - 5 * 12]


def test_a_code_beside_text() -> None:
    code = b"\x1d(k\x03\x001C\x04\x1d(k\x06\x001P0abc\x1d(k\x03\x001Q0"
    paper = receipt(b"\x1bL" + area(0, 0, 576, 120) + at(0, 0) + code + b"beside" + b"\x0c")
    assert [(line.kind, line.text, line.left, line.top) for line in paper.lines] == [
        ("qr", "abc", 0, 0),
        ("text", "beside", 84, 0),
    ]
    assert paper.length_mm == 120 / 8


def test_a_page_can_be_printed_again_and_dropped() -> None:
    paper = receipt(b"\x1bL" + area(0, 0, 576, 40) + b"twice\n\x1b\x0c\x0c" + b"after\n")
    assert (paper.text_lines, paper.length_mm) == (("twice", "twice", "after"), (2 * 40 + 30) / 8)
    assert receipt(b"\x1bL" + b"gone\n\x18kept\n\x0c").text_lines == ("kept",)
    assert receipt(b"\x1bLgone\n\x1bSafter" + b"y" * 48 + b"\n").text_lines[0] == "after" + "y" * 43


def test_margins_and_alignment_say_where_a_line_begins() -> None:
    paper = receipt(b"\x1dL\x30\x00a\n\x1ba\x01bb\n\x1ba\x02ccc\n")
    assert [line.left for line in paper.lines] == [48, 48 + (528 - 24) // 2, 576 - 36]
