"""Any order, laid out, encoded in GB18030, cut into lines and read again, is the same order (A14)."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from o2o_domain.pricing import MAX_QTY, Line
from o2o_domain.ticket_layout import TicketLine, TicketOrder, layout, parse
from o2o_domain.ticket_names import dish_name, dish_options
from o2o_domain.ticket_text import columns, on_paper, wrap

WORDS = st.sampled_from(
    [
        "x2", "x99", "x", "￥1.00", "￥", "合计", "合计 ￥0.01", "小计 1种1份 ￥1.00", "优惠 -￥9.99", "配送费 ￥0.00",
        "备注：", "地址：", "商家：", "O2O 外卖", "#26112200017", "#A-1", "完 END #A-1", "补打 3 / REPRINT 3",
        "菜品 数量 金额",
        "--------------------------------", "---", "  ", "\n", "\t", "\u3000", "\x1b@", "\x1dV\x00", "\u200b", "\ud83d",
        "宫保鸡丁", "微辣", "㐂", "𠮷", "𪚥", "😀", "ＡＢＣ", "１２", "Coca-Cola", "330ml", "Donaudampfschifffahrt",
        "é", "7", "送达：", "电话：", "(微辣, 大份)", "（少冰）", "(", ")", "[", "]",
        "\xa5", "\u0303", "\ufe0f", "ñ", "\ue000",
    ]
)  # fmt: skip
"""Pieces that look like the ticket's own, control bytes, fullwidth, rare (four bytes in GB18030) and plain ones."""

TEXT = st.one_of(
    st.lists(WORDS, max_size=14).map("".join),
    st.lists(WORDS, max_size=14).map(" ".join),
    st.text(max_size=60),
    st.text(st.characters(codec="gb18030", min_codepoint=0x20000, max_codepoint=0x323AF), max_size=40),
    st.text("0123456789x ￥.-#", max_size=70),
)
LINES = st.lists(
    st.builds(
        Line, st.integers(0, 10**6), TEXT, st.integers(1, MAX_QTY), st.one_of(st.integers(0, 9999), st.just(10**7))
    ),
    min_size=1,
    max_size=8,
)


@st.composite
def orders(draw: st.DrawFn) -> TicketOrder:
    """A priced order with any texts."""
    lines = tuple(draw(LINES))
    items = sum(line.qty * line.unit_fen for line in lines)
    discount = draw(st.integers(0, items))
    fee = draw(st.integers(0, 9999))
    return TicketOrder(
        order_no=draw(st.from_regex(r"[0-9A-Za-z-]{1,24}", fullmatch=True)),
        merchant_name=draw(TEXT),
        lines=lines,
        items_fen=items,
        discount_fen=discount,
        delivery_fee_fen=fee,
        total_fen=items - discount + fee,
        note=draw(TEXT),
        phone_masked=draw(TEXT),
        address=draw(TEXT),
        placed_at_text=draw(TEXT),
        copy_no=draw(st.integers(1, 12)),
        due_text=draw(TEXT),
    )


def off_paper(lines: tuple[TicketLine, ...]) -> list[str]:
    """Through the printer's bytes, and trailing spaces lost."""
    return [line.text.encode("gb18030").decode("gb18030").rstrip() for line in lines]


@given(orders(), st.sampled_from([32, 48]))
@example(TicketOrder("A-1", "", (Line(1, "---", 1, 0),), 0, 0, 0, 0, note="完 END #A-1 " * 9), 32)
def test_what_was_ordered_is_what_is_read(order: TicketOrder, width: int) -> None:
    parsed = parse(off_paper(layout(order, width)))
    assert parsed.order_no == order.order_no
    assert parsed.copy_no == order.copy_no
    assert parsed.lines == tuple((dish_name(line.name), line.qty) for line in order.lines)
    assert parsed.line_fen == tuple(line.qty * line.unit_fen for line in order.lines)
    sums = (parsed.items_fen, parsed.discount_fen, parsed.delivery_fee_fen, parsed.total_fen)
    assert sums == (order.items_fen, order.discount_fen, order.delivery_fee_fen, order.total_fen)
    for text in ("merchant_name", "placed_at_text", "due_text", "note", "address", "phone_masked"):
        assert getattr(parsed, text) == on_paper(getattr(order, text)), text
    assert parsed.complete


@given(orders(), st.sampled_from([32, 48]))
def test_every_line_fits_and_carries_only_text(order: TicketOrder, width: int) -> None:
    for line in layout(order, width):
        assert line.text.strip()
        assert columns(line.text) <= (width // 2 if line.style == "big" else width)
        assert all(byte >= 0x20 and byte != 0x7F for byte in line.text.encode("gb18030"))


@given(orders(), st.sampled_from([32, 48]), st.data())
def test_a_torn_ticket_is_never_complete(order: TicketOrder, width: int, data: st.DataObject) -> None:
    lines = off_paper(layout(order, width))
    end = data.draw(st.integers(0, len(lines) - 1))
    torn = parse(lines[:end])
    assert not torn.complete
    assert torn.order_no in (None, order.order_no)
    assert parse(lines[:end] + lines) == parse(lines)


@given(st.lists(st.one_of(TEXT, st.just("O2O 外卖")), max_size=30))
def test_reading_never_fails(lines: list[str]) -> None:
    parsed = parse(lines)
    assert parsed.order_no is not None or not parsed.complete


@given(TEXT)
def test_options_and_dish_are_the_whole_name(text: str) -> None:
    dish, options = dish_options(text)
    name = dish_name(text)
    assert name.startswith(dish)
    assert dish
    rest = name[len(dish) :]
    for option in options:
        assert option in rest


@given(st.one_of(TEXT, st.text(st.characters())))
def test_only_what_printers_have_a_shape_for_is_printed(text: str) -> None:
    for char in on_paper(text):
        code = char.encode("gb18030")
        ideograph = "\u3400" <= char <= "\u9fff" or "\U00020000" <= char <= "\U000323af"
        assert ideograph or len(code) <= 2, hex(ord(char))


@given(TEXT)
def test_text_on_paper_is_stable_and_survives_the_printer(text: str) -> None:
    printed = on_paper(text)
    assert on_paper(printed) == printed
    assert printed.encode("gb18030").decode("gb18030") == printed
    assert printed == printed.strip()
    assert printed.splitlines() in ([], [printed])


@given(TEXT, st.integers(4, 48), st.integers(4, 48))
def test_wrapping_is_lossless_and_fits(text: str, first: int, rest: int) -> None:
    text = on_paper(text)
    chunks = wrap(text, first, rest)
    assert "".join(chunks) == text
    for index, chunk in enumerate(chunks):
        assert columns(chunk) <= (rest if index else first)
        assert chunk == chunk.rstrip()
        assert chunk or text == ""
