"""Receipts as text for a terminal."""

from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_58
from o2o_devices.receipt import Receipt
from o2o_devices.show import as_text, columns_of


def receipt(data: bytes) -> Receipt:
    (cut,) = [event for event in Interpreter(GENERIC_58).feed(data)[1] if isinstance(event, Cut)]
    return cut.receipt


def test_a_receipt_keeps_its_columns() -> None:
    data = (
        b"\x1ba\x01\x1d!\x11" + "外卖 7\n".encode("gb18030") + b"\x1d!\x00\x1ba\x00"
        + "宫保鸡丁             x2    56.00\n".encode("gb18030") + b"\x1ba\x02" + b"56.00\n"
        + b"\x1ba\x00\x1d(k\x06\x001P0abc\x1d(k\x03\x001Q0" + b"\x1dVA\x00"
    )  # fmt: skip
    shown = as_text(receipt(data), GENERIC_58).split("\n")
    assert shown == [
        "┌──────────────────────────────────┐",
        "│           外  卖    7            │",
        "│ 宫保鸡丁             x2    56.00 │",
        "│                            56.00 │",
        "│ [QR abc]                         │",
        "└┄┄┄┄┄┄┄┄ 29 mm, full cut ┄┄┄┄┄┄┄┄┄┘",
    ]
    assert {columns_of(row) for row in shown[1:-1]} == {2 + 2 + 34}  # the frame's bars count two each here


def test_a_torn_receipt_says_why() -> None:
    torn = receipt(b"one\ntwo\n\x1dV\x00").torn(3.75, "paper_end")
    assert as_text(torn, GENERIC_58).endswith("╎~~~~~~~ paper_end at 4 mm ~~~~~~~~╎")


def test_colour_marks_up_and_strangers_cannot_steer_the_terminal() -> None:
    paper = receipt(b"\x1bE\x01bold\n\x1bE\x00" + "\x9b31m\x7f".encode("gb18030") + b"\n\x1dV\x00")
    shown = as_text(paper, GENERIC_58, colour=True)
    assert "\x1b[1mbold\x1b[0m" in shown
    assert "\x9b" not in shown
    assert "\x7f" not in shown
