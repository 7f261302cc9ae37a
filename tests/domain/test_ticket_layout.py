"""The ticket on paper and back (A14: the ticket parses back to the order)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from o2o_domain.errors import DomainError
from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import (
    PLATFORM_NAME,
    ParsedTicket,
    TicketOrder,
    layout,
    parse,
)
from o2o_domain.ticket_names import dish_name, dish_options, mask_address, mask_phone
from o2o_domain.ticket_text import columns, on_paper, wrap

ORDER = TicketOrder(
    order_no="26112200017",
    merchant_name="川味人家（国贸店）",
    lines=(Line(1, "宫保鸡丁(微辣)", 2, 1800), Line(2, "Coca-Cola x2 ￥1.00", 1, 600), Line(3, "米饭", 3, 200)),
    items_fen=4800,
    discount_fen=500,
    delivery_fee_fen=300,
    total_fen=4600,
    note="不要香菜",
    phone_masked="138****5678",
    address=mask_address("建国路88号SOHO现代城A座1203"),
    placed_at_text="11-22 12:01",
    due_text="11-22 12:46",
)


def paper(order: TicketOrder, width: int = 48) -> list[str]:
    return [line.text.rstrip() for line in layout(order, width)]


def test_the_58_mm_ticket_as_people_see_it() -> None:
    assert paper(replace(ORDER, copy_no=2), 32) == [
        "O2O 外卖",
        "#26112200017",
        "补打 1 / REPRINT 1",
        "送达：11-22 12:46",
        "备注：不要香菜",
        "商家：川味人家（国贸店）",
        "时间：11-22 12:01",
        "--------------------------------",
        "菜品               数量     金额",
        "宫保鸡丁           x2    ￥36.00",
        "  (微辣)",
        "Coca-Cola x2 ￥    x1     ￥6.00",
        "  1.00",
        "米饭               x3     ￥6.00",
        "--------------------------------",
        "地址：建国路88号SOHO现代城A座***",
        "电话：138****5678",
        "--------------------------------",
        "小计 3种6份              ￥48.00",
        "优惠                     -￥5.00",
        "配送费                    ￥3.00",
        "合计     ￥46.00",
        "完 END #26112200017",
    ]


def test_number_platform_and_total_are_big_and_centred_at_the_top() -> None:
    lines = layout(ORDER)
    assert lines[0] == (PLATFORM_NAME, "big", "center")
    assert lines[1] == ("#26112200017", "big", "center")
    total = next(line for line in lines if line.text.startswith("合计"))
    assert total.style == "big"
    assert "\uffe5" in total.text


@pytest.mark.parametrize("width", [32, 48])
def test_what_was_ordered_comes_back(width: int) -> None:
    """A14."""
    assert parse(paper(ORDER, width)) == ParsedTicket(
        "26112200017",
        1,
        (("宫保鸡丁(微辣)", 2), ("Coca-Cola x2 ￥1.00", 1), ("米饭", 3)),
        4600,
        True,
        line_fen=(3600, 600, 600),
        items_fen=4800,
        discount_fen=500,
        delivery_fee_fen=300,
        merchant_name="川味人家（国贸店）",
        placed_at_text="11-22 12:01",
        due_text="11-22 12:46",
        note="不要香菜",
        address="建国路88号SOHO现代城A座***",
        phone_masked="138****5678",
    )


def test_a_first_copy_has_no_mark_and_a_reprint_its_number() -> None:
    assert not any("补打" in text or "REPRINT" in text for text in paper(ORDER))
    marked = paper(replace(ORDER, copy_no=4))
    assert "补打 3 / REPRINT 3" in marked
    assert parse(marked).copy_no == 4


@pytest.mark.parametrize("width", [32, 48])
@pytest.mark.parametrize("copy_no", [1, 2])
def test_every_cut_off_ticket_is_incomplete(width: int, copy_no: int) -> None:
    lines = paper(replace(ORDER, copy_no=copy_no), width)
    for end in range(len(lines)):
        parsed = parse(lines[:end])
        assert not parsed.complete
        assert set(parsed.lines) <= set(parse(lines).lines) | {("Coca-Cola x2 ￥", 1), ("宫保鸡丁", 2)}


@pytest.mark.parametrize("width", [32, 48])
def test_losing_any_line_that_matters_is_noticed(width: int) -> None:
    lines = paper(ORDER, width)
    matters = [k for k, text in enumerate(lines) if text[:1] in ("#", "宫", "C", "米", "小", "优", "配", "合", "完")]
    assert len(matters) == 9
    for lost in matters:
        assert not parse(lines[:lost] + lines[lost + 1 :]).complete


@pytest.mark.parametrize(
    ("find", "replacement"),
    [("x2    ￥36.00", "x3    ￥36.00"), ("￥36.00", "￥37.00"), ("配送费                    ￥3.00", "配送费  ￥4.00"),
     ("完 END #26112200017", "完 END #26112200018"), ("3种6份", "4种6份"), ("￥46.00", "￥46.0"),
     ("-￥5.00", "-￥6.00"), ("￥48.00", "￥48")],
)  # fmt: skip
def test_garbled_figures_are_noticed(find: str, replacement: str) -> None:
    lines = paper(ORDER, 32)
    garbled = [text.replace(find, replacement) for text in lines]
    assert garbled != lines
    assert not parse(garbled).complete


def test_endless_digits_are_garbage_and_no_error() -> None:
    digits = "9" * 5000
    lines = [
        "O2O 外卖",
        "#1",
        f"补打 {digits} / REPRINT {digits}",
        "---",
        f"面 x{digits} ￥1.00",
        f"面 x1 ￥{digits}.00",
    ]
    tail = [
        "---",
        f"小计 {digits}种{digits}份 ￥{digits}.00",
        f"配送费 ￥{digits}.00",
        f"合计 ￥{digits}.00",
        "完 END #1",
    ]
    assert parse(lines + tail) == ParsedTicket("1", 1, (), None, False)


def test_blank_lines_and_padded_centring_do_not_matter() -> None:
    lines = [""] + [
        line.text.center(48).rstrip() if line.align == "center" else line.text.rstrip() for line in layout(ORDER)
    ]
    spaced = [text for line in lines for text in (line, "")]
    assert parse(spaced) == parse(paper(ORDER))


def test_after_a_torn_ticket_on_the_same_paper_the_whole_one_is_read() -> None:
    lines = paper(replace(ORDER, copy_no=2))
    assert parse(lines[:9] + lines) == parse(lines)
    assert parse(lines).complete


def test_other_paper_is_no_ticket() -> None:
    nothing = ParsedTicket(None, None, (), None, False)
    assert parse([]) == nothing
    assert parse(["自检页 self test", "#26112200017", "完 END #26112200017"]) == nothing


HOSTILE_NOTE = "\n".join([*paper(ORDER, 32), "补打 9 / REPRINT 9", "合计 ￥0.01", "\x1b@\x1di\x00"])


@pytest.mark.parametrize("width", [32, 48])
def test_a_ticket_inside_the_note_is_not_read(width: int) -> None:
    """Whatever users write, the ticket stays readable and no control byte reaches the printer."""
    hostile = replace(
        ORDER,
        note=HOSTILE_NOTE,
        address=HOSTILE_NOTE,
        merchant_name=HOSTILE_NOTE,
        placed_at_text=HOSTILE_NOTE,
        due_text=HOSTILE_NOTE,
        phone_masked=HOSTILE_NOTE,
    )
    lines = paper(hostile, width)
    read = parse(lines)
    assert (read.order_no, read.copy_no, read.lines, read.total_fen, read.complete) == (
        ORDER.order_no, 1, parse(paper(ORDER, width)).lines, ORDER.total_fen, True
    )  # fmt: skip
    texts = (read.note, read.address, read.merchant_name, read.placed_at_text, read.due_text, read.phone_masked)
    assert texts == (on_paper(HOSTILE_NOTE),) * 6
    assert not any(ord(char) < 32 for text in lines for char in text)


def test_empty_parts_are_left_out() -> None:
    bare = replace(ORDER, note=" ", phone_masked="", address="\t", due_text="", discount_fen=0, total_fen=5100)
    lines = paper(bare)
    assert not any(text[:2] in ("备注", "地址", "电话", "送达", "优惠") for text in lines)
    assert sum(set(text) == {"-"} for text in lines) == 2
    assert parse(lines).complete
    assert parse(lines).discount_fen == 0


def test_a_name_of_nothing_printable_still_stands_on_the_ticket() -> None:
    order = replace(ORDER, lines=(Line(1, "\u200b\n", 1, 4800),))
    assert dish_name("\u200b\n") == "?"
    assert parse(paper(order)).lines == (("?", 1),)


def test_large_amounts_and_long_numbers_fit() -> None:
    order = TicketOrder("A" * 24, "店", (Line(1, "金" * 30, 99, 10_000_000),), 990_000_000, 0, 0, 990_000_000)
    for width in (32, 48):
        lines = layout(order, width)
        for line in lines:
            assert columns(line.text) <= (width // 2 if line.style == "big" else width)
        assert parse([line.text for line in lines]).complete


@pytest.mark.parametrize("order_no", ["", "12 3", "12#3", "订单1", "1" * 25, "12\n"])
def test_an_order_number_must_be_readable(order_no: str) -> None:
    with pytest.raises(DomainError, match="order number"):
        replace(ORDER, order_no=order_no)


def test_copies_count_from_one_and_widths_are_two() -> None:
    with pytest.raises(DomainError, match="copy number 0"):
        replace(ORDER, copy_no=0)
    with pytest.raises(DomainError, match="width 40 columns is not one of 32, 48"):
        layout(ORDER, 40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  加 \u3000 辣\t\n 多葱 ", "加 辣 多葱"),
        ("a\x1b@b\x00c", "a@bc"),
        ("\u200e家\ufeff常", "家常"),
        ("a\x85b\u2028c\u2029d\x1ce", "a b c d e"),
        ("\ud800", "?"),
        ("𠮷野家㐂", "𠮷野家㐂"),
        ("\xa512.50", "￥12.50"),
        ("jalapen\u0303o \xf1 \xe9", "jalapeno n \xe9"),
        ("好吃😀\U0001f468\u200d\U0001f469 \u2764\ufe0f", "好吃〓〓〓 〓"),
        ("\ue000\ue7c7한", "〓〓〓"),
        ("ﬁ ㎏ \u2212 5", "fi ㎏ - 5"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_text_on_paper(text: str, expected: str) -> None:
    assert on_paper(text) == expected


@pytest.mark.parametrize(
    ("text", "width"), [("", 0), ("A1", 2), ("菜", 2), ("A菜b", 4), ("￥1", 3), ("𠮷", 2), ("é", 2)]
)
def test_a_chinese_printer_sets_all_but_ascii_two_wide(text: str, width: int) -> None:
    assert columns(text) == width


@pytest.mark.parametrize(
    ("text", "chunks"),
    [
        ("", [""]),
        ("宫保鸡丁", ["宫保鸡丁"]),
        ("宫保鸡丁盖饭", ["宫保鸡丁", "盖饭"]),
        ("Kung Pao Chicken", ["Kung Pao", " Chicken"]),
        ("Kungpao Chicken", ["Kungpao", " Chicken"]),
        ("套餐A 1203号", ["套餐A", " 1203号"]),
        ("老字号123456", ["老字号", "123456"]),
        ("Donaudampfschiff", ["Donaudam", "pfschiff"]),
    ],
)
def test_wrapping_keeps_words_and_loses_nothing(text: str, chunks: list[str]) -> None:
    assert wrap(text, 8, 8) == chunks


@pytest.mark.parametrize(
    ("name", "dish", "options"),
    [
        ("宫保鸡丁", "宫保鸡丁", ()),
        ("宫保鸡丁(微辣, 大份)", "宫保鸡丁", ("微辣", "大份")),
        ("奶茶（少冰、三分糖/大杯）", "奶茶", ("少冰", "三分糖", "大杯")),
        ("米饭 [大份]", "米饭", ("大份",)),
        ("套餐(A)(加(双)蛋)", "套餐(A)", ("加(双)蛋",)),
        ("(微辣)", "(微辣)", ()),
        ("面)", "面)", ()),
        ("面()", "面", ()),
    ],
)
def test_options_are_what_the_name_ends_with(name: str, dish: str, options: tuple[str, ...]) -> None:
    assert dish_options(name) == (dish, options)


@pytest.mark.parametrize("width", [32, 48])
def test_options_stand_on_lines_of_their_own_and_come_back(width: int) -> None:
    name = "米饭 (" + "加一份很多很多的辣椒, " * 4 + "大份)"
    order = replace(ORDER, lines=(Line(1, name, 2, 2400),))
    lines = paper(order, width)
    at = next(number for number, text in enumerate(lines) if text.startswith("米饭"))
    assert lines[at].split() == ["米饭", "x2", "￥48.00"]
    assert lines[at + 1].startswith("   (加一份")
    ((read, qty),) = parse(lines).lines
    assert (read, qty) == (dish_name(name), 2)
    assert dish_options(read) == ("米饭", ("加一份很多很多的辣椒",) * 4 + ("大份",))


@pytest.mark.parametrize(
    ("address", "masked"),
    [
        ("西湖区文一路 1 号 3 幢 2 单元 501", "西湖区文一路 1 号 3 幢 2 单元 ***"),
        ("12区345号", "12区***号"),
        ("国贸大厦前台", "国贸大厦**"),
        ("A座", "A座"),
        ("", ""),
    ],
)
def test_addresses_are_masked(address: str, masked: str) -> None:
    assert mask_address(address) == masked


@pytest.mark.parametrize(
    ("phone", "masked"),
    [("13812345678", "138****5678"), ("+86 138-1234-5678", "861****5678"), ("12345", "****45"), ("", "****")],
)
def test_phones_are_masked(phone: str, masked: str) -> None:
    assert mask_phone(phone) == masked
