"""What Star printers take, byte by byte (A14). The codes' sources stand in `media/starprnt.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import pytest

from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder, layout, parse
from o2o_domain.ticket_text import columns
from o2o_platform.printing.media import starprnt, text

ORDER = TicketOrder(
    order_no="W0000017",
    merchant_name="老王",
    lines=(Line(1, "米饭", 2, 200),),
    items_fen=400,
    discount_fen=0,
    delivery_fee_fen=300,
    total_fen=700,
)
LINK = "https://o2o.example/o/17"
WIDTHS: tuple[Literal[32], Literal[48]] = (32, 48)


def test_every_byte_of_a_starprnt_ticket() -> None:
    expected = b"".join(
        [
            bytes.fromhex("1b1d29550200 3001"),  # ESC GS ) U 48: UTF-8
            bytes.fromhex("1b1d29550200 4001"),  # ESC GS ) U 64: ambiguous characters are wide
            bytes.fromhex("1b1d29550500 4102030104"),  # ESC GS ) U 65: simplified Chinese first
            bytes.fromhex("1b1d6100 1b690000 1b46"),  # left, normal size, not emphasised
            bytes.fromhex("1b1d6101 1b690101"),  # centre, double height and width
            "O2O 外卖\n#W0000017\n".encode(),
            bytes.fromhex("1b1d6100 1b690000 1b45"),
            "商家：老王\n".encode(),
            bytes.fromhex("1b46"),
            "--------------------------------\n菜品               数量     金额\n".encode(),
            bytes.fromhex("1b45"),
            "米饭               x2     ￥4.00\n".encode(),
            bytes.fromhex("1b46"),
            "--------------------------------\n小计 1种2份               ￥4.00\n".encode(),
            "配送费                    ￥3.00\n".encode(),
            bytes.fromhex("1b690101"),
            "合计      ￥7.00\n".encode(),
            bytes.fromhex("1b1d6101 1b690000"),
            "完 END #W0000017\n".encode(),
            bytes.fromhex("1b690000 1b46 1b1d6101"),
            bytes.fromhex("1b1d79533002 1b1d79533101 1b1d79533204"),  # model 2, correction M, 4 dots a cell
            bytes.fromhex("1b1d79443100 1800") + LINK.encode(),  # 24 bytes of data
            bytes.fromhex("1b1d7950 0a"),  # print it
            bytes.fromhex("1b1d6100 1b6403"),  # left; feed and partial cut
        ]
    )
    assert starprnt.render(ORDER, 32, LINK) == expected


def test_without_a_link_there_is_no_code() -> None:
    assert b"\x1b\x1dy" not in starprnt.render(ORDER, 48, "")
    assert starprnt.render(ORDER, 48, "").endswith(
        "完 END #W0000017\n".encode() + bytes.fromhex("1b690000 1b46 1b1d6100 1b6403")
    )


def test_a_job_never_resets_the_printer() -> None:
    assert b"\x1b@" not in starprnt.render(ORDER, 48, LINK)


def test_the_length_of_a_code_s_data_is_little_endian() -> None:
    assert b"\x1b\x1dyD1\x00\x2c\x01" + b"x" * 300 + b"\x1b\x1dyP" in starprnt.qr_code("x" * 300)


def test_every_line_of_a_text_ticket() -> None:
    assert text.render(replace(ORDER, copy_no=2), 32, LINK).decode().split("\n") == [
        "            O2O 外卖",
        "           #W0000017",
        "       补打 1 / REPRINT 1",
        "商家：老王",
        "--------------------------------",
        "菜品               数量     金额",
        "米饭               x2     ￥4.00",
        "--------------------------------",
        "小计 1种2份               ￥4.00",
        "配送费                    ￥3.00",
        "合计      ￥7.00",
        "        完 END #W0000017",
        LINK,
        "",
    ]


@pytest.mark.parametrize("width", WIDTHS)
def test_a_text_ticket_reads_back_and_no_line_is_too_long(width: Literal[32, 48]) -> None:
    order = replace(ORDER, merchant_name="老王川菜馆（文一路店）" * 3, note="少放辣 " * 20, address="文一路 1 号" * 9)
    lines = text.render(order, width, "https://o2o.example/" + "a" * 90).decode().split("\n")
    assert max(map(columns, lines)) <= width
    read = parse(lines)
    assert read.complete
    assert (read.order_no, read.lines, read.total_fen) == ("W0000017", (("米饭", 2),), 700)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_no_font_has_is_a_mark_as_wide_as_the_layout_thought(width: Literal[32, 48]) -> None:
    """Beyond the basic plane: a rare Han character and an emoji."""
    order = replace(ORDER, lines=(Line(1, "𠮷野家🍚牛肉饭", 2, 200),), merchant_name="𠮷")
    marked = replace(ORDER, lines=(Line(1, "〓野家〓牛肉饭", 2, 200),), merchant_name="〓")
    assert starprnt.render(order, width, "") == starprnt.render(marked, width, "")
    assert text.render(order, width, "") == text.render(marked, width, "")
    for line in layout(order, width):
        assert columns(text.utf8(line.text).decode()) == columns(line.text)
