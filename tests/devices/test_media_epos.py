"""A14: ePOS-Print XML on paper, in the engine that prints everything else."""

from __future__ import annotations

import base64
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_devices.errors import DecodeError
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.mechanism import GENERIC_80
from o2o_devices.media.epos import NAMESPACE, to_escpos
from o2o_devices.receipt import Receipt
from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder, layout, parse
from o2o_platform.printing.media.epos import render


def job(inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="utf-8"?><epos-print xmlns="{NAMESPACE}">{inner}</epos-print>'.encode()


def printed(data: bytes) -> list[Receipt]:
    return [event.receipt for event in Interpreter(GENERIC_80).feed(to_escpos(data))[1] if isinstance(event, Cut)]


MANUAL = """
    <text lang="en"/><text smooth="true"/><text align="center"/><text font="font_b"/><text width="2" height="2"/>
    <text reverse="false" ul="false" em="true" color="color_1"/><text>DELIVERY&#10;</text><feed unit="12"/>
    <text>&#10;</text><text align="left"/><text font="font_a"/><text width="1" height="1"/>
    <text reverse="false" ul="false" em="false" color="color_1"/><text>Order&#9;0001&#10;</text>
    <text>&#9;$6.00  x  2</text><text x="384"/><text>    $12.00&#10;</text>
    <text align="center"/><barcode type="code39" hri="none" font="font_a" width="2" height="60">0001</barcode>
    <feed line="3"/><cut type="feed"/>"""


def test_attributes_hold_until_they_are_changed() -> None:
    """As in Epson's sample data: an empty <text/> sets what the following ones look like."""
    (paper,) = printed(job(MANUAL))
    first, second, third = [line for line in paper.lines if line.text.strip() and line.kind == "text"]
    assert (first.text, first.size, first.bold, first.align) == ("DELIVERY", (2, 2), True, "center")
    assert first.spans[0].style.small
    assert (second.text.split(), second.size, second.bold, second.align) == (["Order", "0001"], (1, 1), False, "left")
    assert third.text.split() == ["$6.00", "x", "2", "$12.00"]
    assert paper.barcodes == (("CODE39", "0001"),)
    assert (paper.complete, paper.unknown) == (True, 0)


def test_sizes_in_both_notations_and_looks() -> None:
    (paper,) = printed(
        job(
            '<text lang="zh-cn" dw="true" dh="true">大&#10;</text><text dw="false" dh="false" ul="true">线&#10;</text>'
            '<text ul="false" reverse="true">反&#10;</text><text reverse="false" width="3">W&#10;</text><cut/>'
        )
    )
    big, line, inverse, wide = paper.lines
    assert (big.text, big.size) == ("大", (2, 2))
    assert line.spans[0].style.underline
    assert inverse.spans[0].style.invert
    assert wide.size == (3, 1)


def test_a_qr_code_its_alignment_and_what_stands_in_it() -> None:
    (paper,) = printed(
        job(
            '<text align="center"/><symbol type="qrcode_model_2" level="level_m" width="4">http://x/?a=1&amp;b=2</symbol>'
            '<symbol type="qrcode_model_2" align="right">2</symbol><text lang="zh-cn">中&#10;</text><cut type="feed"/>'
        )
    )
    assert paper.qr == ("http://x/?a=1&b=2", "2")
    assert [line.align for line in paper.lines] == ["center", "right", "right"]


def test_an_image_and_a_drawer() -> None:
    dots = base64.b64encode(bytes(range(64))).decode()
    (paper,) = printed(
        job(f'<image width="64" height="8">{dots}</image><pulse drawer="drawer_2"/><cut type="no_feed"/>')
    )
    assert paper.images == ((64, 8),)
    assert paper.cut == "partial"


def test_raw_commands() -> None:
    (paper,) = printed(job("<command>48690A</command><cut/>"))
    assert paper.text_lines == ("Hi",)


@pytest.mark.parametrize(
    "inner",
    [
        "<nothing/>",
        '<text colour="red">x</text>',
        '<text width="9"/>',
        '<text width="x"/>',
        '<text align="middle"/>',
        '<text lang="xx"/>',
        '<text em="yes"/>',
        '<text color="red"/>',
        "<text><text/></text>",
        "loose",
        "<text/>loose",
        '<symbol type="nothing">x</symbol>',
        "<symbol>x</symbol>",
        '<barcode type="code39">\u4e2d</barcode>',
        '<barcode type="code39"/>',
        '<image width="8" height="8">AAAA</image>',
        '<image width="8">AAAA</image>',
        '<image width="8" height="3">A</image>',
        "<command>xyz</command>",
        '<cut type="half"/>',
        '<feed line="999"/>',
        "<page/>",
        '<text xmlns="">x</text>',
        "<text>",
        "&undeclared;",
    ],
)
def test_what_the_schema_does_not_have_is_refused_before_anything_is_printed(inner: str) -> None:
    with pytest.raises(DecodeError) as refused:
        to_escpos(job(inner))
    assert refused.value.code == "SchemaError"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text",
        b"\xff\xfe",
        b"<epos-print/>",
        b"<a/>",
        b'<!DOCTYPE a [<!ENTITY b "c">]>' + job("<text>&b;</text>")[38:],
    ],
)
def test_what_is_no_epos_print_at_all(data: bytes) -> None:
    with pytest.raises(DecodeError):
        to_escpos(data)


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), max_size=40))
def test_no_text_brings_the_engine_out_of_step(text: str) -> None:
    legal = "".join(char for char in text if char in "\t\n" or " " <= char <= "\ufffd" or char > "\uffff")
    safe = legal.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "")
    (paper,) = printed(job(f'<text lang="zh-cn">{safe}&#10;end&#10;</text><cut/>'))
    assert paper.unknown == 0
    assert paper.text_lines[-1] == "end"


WIDTHS: tuple[Literal[32], Literal[48]] = (32, 48)


@pytest.mark.parametrize("width", WIDTHS)
@given(name=st.text(max_size=30), note=st.text(max_size=30), copy=st.integers(1, 3))
def test_the_platforms_tickets_come_out_as_they_were_laid_out(
    width: Literal[32, 48], name: str, note: str, copy: int
) -> None:
    order = TicketOrder("W0000017", "老王", (Line(1, name, 2, 200),), 400, 0, 300, 700, note=note, copy_no=copy)
    (paper,) = printed(render(order, width, "https://o2o.example/o/17"))
    lines = [line for line in paper.lines if line.kind == "text"]
    wanted = layout(order, width)
    assert [line.text.rstrip() for line in lines] == [line.text.rstrip() for line in wanted]
    assert [(line.size == (2, 2), line.bold, line.align) for line in lines] == [
        (line.style == "big", line.style == "bold", line.align) for line in wanted
    ]
    assert paper.qr == ("https://o2o.example/o/17",)
    assert parse(paper.text_lines).complete
    assert (paper.complete, paper.unknown) == (True, 0)
