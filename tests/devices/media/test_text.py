"""text/plain on a cloud printer (A14)."""

from typing import Any

import pytest

from o2o_devices.errors import DecodeError
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_80
from o2o_devices.media.text import to_escpos


def receipts(data: bytes, **options: Any) -> list[Any]:
    return [e.receipt for e in Interpreter(GENERIC_80).feed(to_escpos(data, **options))[1] if isinstance(e, Cut)]


def test_lines_come_out_and_the_paper_is_cut() -> None:
    (paper,) = receipts("老王川菜馆\r\n宫保鸡丁 x1\n\t￥18".encode())
    assert [text.strip() for text in paper.text_lines] == ["老王川菜馆", "宫保鸡丁 x1", "￥18"]
    assert paper.cut == "partial"
    assert paper.unknown == 0


@pytest.mark.parametrize(("cut", "feed"), [("full", True), ("full", False), ("partial", False)])
def test_the_server_may_choose_the_cut(cut: Any, feed: bool) -> None:
    (paper,) = receipts(b"x", cut=cut, feed=feed)
    assert paper.cut == cut
    assert (paper.length_mm > 5.0) == feed


def test_no_cut() -> None:
    assert receipts(b"x", cut="none") == []


def test_a_text_makes_no_printer_do_things() -> None:
    (paper,) = receipts(b"a\x1b@\x1dV\x00b\x10\x04\x01c\x07")
    assert paper.text == "a@Vbc"
    assert paper.unknown == 0


def test_a_byte_order_mark_is_no_character() -> None:
    (paper,) = receipts("饭".encode("utf-8-sig"))
    assert paper.text == "饭"


@pytest.mark.parametrize("bad", [b"", b"\xef\xbb\xbf", "饭".encode("gb18030"), b"\xff\xfe"])
def test_what_is_no_text_is_511(bad: bytes) -> None:
    with pytest.raises(DecodeError) as told:
        to_escpos(bad)
    assert told.value.code == "511"
