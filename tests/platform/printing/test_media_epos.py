"""What Epson's printers on the web take, byte by byte (A14). The elements' sources stand in `media/epos.py`."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal
from xml.etree import ElementTree as Tree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder, layout, parse
from o2o_platform.printing.media import epos

ORDER = TicketOrder(
    order_no="W0000017",
    merchant_name="老王",
    lines=(Line(1, "米饭", 2, 200),),
    items_fen=400,
    discount_fen=0,
    delivery_fee_fen=300,
    total_fen=700,
)
LINK = "https://o2o.example/o/17?a=1&b=2"
WIDTHS: tuple[Literal[32], Literal[48]] = (32, 48)
NS = "{http://www.epson-pos.com/schemas/2011/03/epos-print}"


def printed(document: bytes) -> list[str]:
    """The lines of text that a document prints."""
    root = Tree.fromstring(document)
    return "".join(element.text or "" for element in root.iter(f"{NS}text")).split("\n")


def test_every_byte_of_a_ticket() -> None:
    expected = (
        '<epos-print xmlns="http://www.epson-pos.com/schemas/2011/03/epos-print">'
        '<text lang="zh-cn" font="font_a" smooth="false" align="left" width="1" height="1" ul="false" em="false"/>'
        '<text align="center" width="2" height="2">O2O 外卖&#10;</text>'
        "<text>#W0000017&#10;</text>"
        '<text align="left" width="1" height="1" em="true">商家：老王&#10;</text>'
        '<text em="false">--------------------------------&#10;</text>'
        "<text>菜品               数量     金额&#10;</text>"
        '<text em="true">米饭               x2     ￥4.00&#10;</text>'
        '<text em="false">--------------------------------&#10;</text>'
        "<text>小计 1种2份               ￥4.00&#10;</text>"
        "<text>配送费                    ￥3.00&#10;</text>"
        '<text width="2" height="2">合计      ￥7.00&#10;</text>'
        '<text align="center" width="1" height="1">完 END #W0000017&#10;</text>'
        '<text align="center" width="1" height="1" em="false"/>'
        '<symbol type="qrcode_model_2" level="level_m" width="4">https://o2o.example/o/17?a=1&amp;b=2</symbol>'
        '<cut type="feed"/></epos-print>'
    )
    assert epos.render(ORDER, 32, LINK).decode() == expected


def test_without_a_link_there_is_no_code() -> None:
    assert b"<symbol" not in epos.render(ORDER, 48, "")


@pytest.mark.parametrize("width", WIDTHS)
@given(text=st.text(max_size=60), note=st.text(max_size=40))
def test_whatever_people_type_the_lines_of_the_layout_come_back(width: Literal[32, 48], text: str, note: str) -> None:
    order = replace(ORDER, merchant_name=text, note=note, lines=(Line(1, text, 2, 200),))
    lines = printed(epos.render(order, width, LINK))
    assert lines == [line.text for line in layout(order, width)] + [""]
    assert parse(lines).complete


@given(st.text())
def test_what_xml_cannot_carry_is_replaced_and_the_rest_comes_back(text: str) -> None:
    document = f'<a b="{epos.escaped(text)}">{epos.escaped(text)}</a>'
    root = Tree.fromstring(document)
    assert root.text == root.get("b") or (root.text is None and root.get("b") == "")
    assert len(root.text or "") == len(text)
    assert all(mine == theirs or mine == "〓" for mine, theirs in zip(root.text or "", text, strict=True))


@pytest.mark.parametrize(
    ("typed", "carried"),
    [
        ('<b>&"x"</b>', '<b>&"x"</b>'),
        ("]]>", "]]>"),
        ("&#10;&amp;", "&#10;&amp;"),
        ("a\x00\x1b\x7f\x85b", "a〓〓〓〓b"),
        ("\ud800\ufffe\uffff", "〓〓〓"),
        ("𠮷鱻", "𠮷鱻"),
    ],
)
def test_characters_that_mean_something_to_xml(typed: str, carried: str) -> None:
    assert Tree.fromstring(f"<a>{epos.escaped(typed)}</a>").text == carried
