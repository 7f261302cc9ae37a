"""A14: the vendors' markup on paper, in the engine that prints everything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_80
from o2o_devices.media.markup import Dialect, to_escpos
from o2o_devices.receipt import Receipt


def printed(text: str | bytes, dialect: Dialect = "feie") -> list[Receipt]:
    data = text.encode() if isinstance(text, str) else text
    return [
        event.receipt for event in Interpreter(GENERIC_80).feed(to_escpos(data, dialect))[1] if isinstance(event, Cut)
    ]


def test_feie_tags_are_looks_and_no_text() -> None:
    (paper,) = printed(
        "<CB>大</CB><BR>小<BR><B>合计</B><BR><BOLD>粗</BOLD><BR><C>中</C><BR><QR>http://x/1</QR><BR><CUT>"
    )
    assert [text for text in paper.text_lines if text] == ["大", "小", "合计", "粗", "中"]
    big, small, total, bold, middle = (line for line in paper.lines if line.text != "" and line.kind == "text")
    assert (big.size, big.align) == ((2, 2), "center")
    assert (small.size, small.align, small.bold) == ((1, 1), "left", False)
    assert (total.size, total.align) == ((2, 2), "left")
    assert bold.bold
    assert middle.align == "center"
    assert paper.qr == ("http://x/1",)
    assert paper.complete


def test_yilianyun_tags_nest_and_the_printer_cuts_by_itself() -> None:
    (paper,) = printed("<center><FS2>大</FS2></center>\n<FB>粗</FB>\n平\n<QR>http://x/1</QR>\n", "yilianyun")
    assert [text for text in paper.text_lines if text] == ["大", "粗", "平"]
    assert (paper.lines[0].size, paper.lines[0].align) == ((2, 2), "center")
    assert paper.lines[1].bold
    assert not paper.lines[2].bold
    assert paper.qr == ("http://x/1",)
    assert paper.complete


def test_each_cut_is_a_piece_of_paper() -> None:
    assert [paper.text for paper in printed("甲<BR><CUT>乙<BR><CUT>")] == ["甲", "乙"]
    assert [paper.text for paper in printed("甲<BR>乙")] == ["甲\n乙"]


def test_what_is_no_tag_of_the_dialect_is_printed() -> None:
    (paper,) = printed("<FS2>甲</FS2> <3 a<b <x><BR><CUT>")
    assert paper.text == "<FS2>甲</FS2> <3 a<b <x>"
    (paper,) = printed("<BR>甲<CUT>\n", "yilianyun")
    assert paper.text == "<BR>甲<CUT>"


@pytest.mark.parametrize("dialect", ["feie", "yilianyun"])
@given(data=st.binary(max_size=80) | st.text(st.sampled_from("<>/CBQRUTFS2\x1b\x10菜 \n"), max_size=60).map(str.encode))
def test_any_job_is_printed_and_none_reaches_the_engine_as_a_command(dialect: Dialect, data: bytes) -> None:
    for paper in printed(data, dialect):
        assert paper.unknown == 0
