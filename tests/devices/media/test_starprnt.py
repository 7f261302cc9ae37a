"""StarPRNT as a Star printer reads it (A14): each command by the bytes that its specification gives."""

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from o2o_devices.errors import DecodeError
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut, Drawer
from o2o_devices.mechanism import GENERIC_80
from o2o_devices.media.starprnt import to_escpos
from o2o_devices.media.starprnt_commands import CONTROLS, GROUPS, PLAIN, table
from o2o_devices.receipt import Receipt, ReceiptLine
from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder
from o2o_platform.printing.media.escpos import render as escpos_ticket
from o2o_platform.printing.media.starprnt import render as star_ticket

UTF8 = b"\x1b\x1d)U\x02\x000\x01"
CUT = b"\x1bd\x03"


def printed(star: bytes) -> Receipt:
    """What is on paper after a job and a cut."""
    cuts = [event for event in Interpreter(GENERIC_80).feed(to_escpos(star + CUT))[1] if isinstance(event, Cut)]
    assert len(cuts) == 1
    return cuts[0].receipt


def line(star: bytes) -> ReceiptLine:
    (only,) = printed(star + b"\n").lines
    return only


def test_text_is_utf8_after_its_command_else_the_printers_own_code() -> None:
    assert line(UTF8 + "宫保鸡丁 𠮷 ￥18 é".encode()).text == "宫保鸡丁 𠮷 ￥18 é"
    assert line("宫保鸡丁 𠮷".encode("gb18030")).text == "宫保鸡丁 𠮷"
    assert line(b"\x1b\x1dt\x80" + "微辣".encode()).text == "微辣", "ESC GS t 128 is UTF-8 too"
    assert line(UTF8 + b"\x1b\x1d)U\x02\x000\x00" + "回".encode("gb18030")).text == "回"
    ambiguous = b"\x1b\x1d)U\x02\x00@\x01\x1b\x1d)U\x05\x00A\x02\x03\x01\x04"
    assert line(UTF8 + ambiguous + "饭".encode()).text == "饭"


@pytest.mark.parametrize(
    ("page", "codec", "text"),
    [
        (1, "cp437", "─ñ"),
        (4, "cp858", "€"),
        (5, "cp852", "ő"),
        (10, "cp866", "Ж"),
        (32, "cp1252", "€"),
        (34, "cp1251", "Ж"),
    ],
)
def test_code_pages_are_one_column_a_character(page: int, codec: str, text: str) -> None:
    run = text * 48
    got = printed(b"\x1b\x1dt" + bytes([page]) + (run[:48] + "x").encode(codec) + b"\n")
    assert got.text_lines == (run[:48], "x"), "48 columns, then the next line"
    assert line(b"\x1b\x1dt" + bytes([page]) + b"\x1b\x1dt\x00" + "饭".encode("gb18030")).text == "饭"


def test_sizes_and_styles() -> None:
    assert line(b"\x1bi\x01\x02big").size == (3, 2), "height first, then width"
    assert line(b"\x1bi\x01\x01\x1bi\x00\x00x").size == (1, 1)
    assert line(b"\x1bi11x").size == (2, 2), "figures as characters are taken too"
    assert line(b"\x1bW\x01x").size == (2, 1)
    assert line(b"\x1bh\x01x").size == (1, 2)
    assert line(b"\x1bh\x01\x0ex").size == (2, 2), "SO leaves the height"
    assert line(b"\x1b\x0ex").size == (1, 2)
    assert line(UTF8 + b"\x1bi\x01\x01" + "大".encode()).size == (2, 2), "Chinese as well"
    assert line(b"\x1bEx").bold
    assert not line(b"\x1bE\x1bFx").bold
    (span,) = line(b"\x1b-\x01\x1b4x").spans
    assert span.style.underline
    assert span.style.invert
    (wide,) = line(UTF8 + b"\x1b-1" + "饭".encode()).spans
    assert wide.style.underline
    assert line(b"\x1bi\x01\x01\x1bE\x1b@x").size == (1, 1)


@pytest.mark.parametrize(("n", "align"), [(0, "left"), (1, "center"), (2, "right"), (49, "center")])
def test_alignment(n: int, align: str) -> None:
    assert line(b"\x1b\x1da" + bytes([n]) + b"x").align == align


@pytest.mark.parametrize(
    ("n", "how", "fed"),
    [(0, "full", False), (1, "partial", False), (2, "full", True), (3, "partial", True), (50, "full", True)],
)
def test_cuts(n: int, how: str, fed: bool) -> None:
    (cut,) = [e for e in Interpreter(GENERIC_80).feed(to_escpos(b"x\n\x1bd" + bytes([n])))[1] if isinstance(e, Cut)]
    assert cut.receipt.cut == how
    assert (cut.receipt.length_mm > GENERIC_80.line_mm + 1.0) == fed


def test_feeds() -> None:
    alone = printed(b"x\n").length_mm
    assert printed(b"x\n\x1ba\x03").length_mm == pytest.approx(alone + 3 * GENERIC_80.line_mm)
    assert printed(b"x\n\x1bJ\x14").length_mm == pytest.approx(alone + 5.0), "20 quarters of a millimetre"
    assert printed(b"x\n\x1bJ\xf0").length_mm == pytest.approx(alone + 60.0)
    assert printed(b"x\n\x1bI\x10").length_mm == pytest.approx(alone + 2.0)
    assert printed(b"\x1bz1x\ny\n").length_mm == pytest.approx(printed(b"\x1b0x\ny\n").length_mm + 2.0)
    assert printed(b"a\n\rb\n\r").text_lines == ("a", "b"), "CR is nothing"


def test_qr_and_pdf417() -> None:
    data = b"https://o2o.example/o/42"
    qr = (
        b"\x1b\x1dyS0\x02\x1b\x1dyS1\x01\x1b\x1dyS2\x04\x1b\x1dyD1\x00" + bytes([len(data), 0]) + data + b"\x1b\x1dyP\n"
    )
    got = printed(qr)
    assert got.qr == (data.decode(),)
    small = printed(qr.replace(b"\x1b\x1dyS2\x04", b"\x1b\x1dyS2\x02"))
    assert small.lines[0].size[0] * 2 == got.lines[0].size[0]
    pdf = b"\x1b\x1dxS0\x01\x00\x00\x1b\x1dxS1\x02\x1b\x1dxD\x03\x00abc\x1b\x1dxP"
    assert printed(pdf).barcodes == (("PDF417", "abc"),)
    control = b"\x1b\x1dyD1\x00\x03\x00\x1b\x1b\n\x1b\x1dyP"
    assert printed(b"x\n" + control).unknown == 0, "what is in the data is no command"


@pytest.mark.parametrize(
    ("n1", "data", "name"),
    [
        (3, "400638133393", "EAN13"),
        (4, "ABC-1", "CODE39"),
        (6, "o2o 42", "CODE128"),
        (54, "o2o 42", "CODE128"),
        (5, "1234", "ITF"),
    ],
)
def test_barcodes(n1: int, data: str, name: str) -> None:
    got = printed(b"\x1bb" + bytes([n1, 2, 2, 60]) + data.encode() + b"\x1ex\n")
    ((symbology, text),) = got.barcodes
    assert symbology == name
    assert data in text
    assert got.text_lines == ("x",)


def test_a_barcode_out_of_the_defined_area_is_discarded_up_to_its_end() -> None:
    got = printed(b"\x1bb\x03\x09\x02\x00rubbish\x1ex\n")
    assert got.barcodes == ()
    assert got.text_lines == ("x",)


def test_images() -> None:
    got = printed(b"\x1b\x1dS\x01\x02\x00\x10\x00\x00" + b"\x1b\n" * 16 + b"\x1bX\x03\x00" + b"\x1b@\n" * 3 + b"\nx\n")
    assert got.images[0] == (16, 16)
    assert got.images[1][0] == 3
    assert got.text_lines[-1] == "x"
    assert got.unknown == 0
    assert printed(b"\x1bk\x06\x00" + b"\x0a" * 144).images == ((48, 24),)


@pytest.mark.parametrize("columns", [48, 32])
def test_the_platforms_own_tickets_say_the_same_in_starprnt_as_in_escpos(columns: Any) -> None:
    order = TicketOrder(
        order_no="26112200017",
        merchant_name="老王川菜馆（文一路店）",
        lines=(Line(1, "宫保鸡丁(微辣)", 2, 1800), Line(2, "吉野家牛肉饭", 1, 2600)),
        items_fen=6200,
        discount_fen=500,
        delivery_fee_fen=300,
        total_fen=6000,
        note="少放辣",
        address="西湖区文一路 1 号",
        placed_at_text="11-22 11:45",
    )
    link = "https://o2o.example/o/17"
    star = Interpreter(GENERIC_80).feed(to_escpos(star_ticket(order, columns, link)))[1]
    own = Interpreter(GENERIC_80).feed(escpos_ticket(order, columns, link))[1]
    (in_star,) = [event.receipt for event in star if isinstance(event, Cut)]
    (in_escpos,) = [event.receipt for event in own if isinstance(event, Cut)]
    assert in_star.text == in_escpos.text
    assert in_star.qr == in_escpos.qr == (link,)
    assert [(line.size, line.bold, line.align) for line in in_star.lines if line.text and line.kind == "text"] == [
        (line.size, line.bold, line.align) for line in in_escpos.lines if line.text and line.kind == "text"
    ]
    assert in_star.unknown == 0
    assert in_star.complete


def test_drawer() -> None:
    events = Interpreter(GENERIC_80).feed(to_escpos(b"\x1b\x07\x14\x14\x07\x1a"))[1]
    assert [event.pin for event in events if isinstance(event, Drawer)] == [2, 5]


def test_what_changes_nothing_leaves_nothing() -> None:
    quiet = (
        b"\x1bM\x1bP\x1b:\x1bg\x1b/1\x1bR\x08\x1b%\x00\x1b_1\x1bl\x02\x1bQ\x30\x1bC\x10\x1bp\x1bq\x1b$1\x1bs\x01\x01"
        b"\x1bt\x01\x01\x1b\x06\x01\x1b\x1eA\x00\x1b\x1ed\x03\x1b\x1er\x00\x1b\x1ei\x00\x1b\x1d#\x2c\x31\x30\x30\x30\x30\n\x00"
        b"\x1b\x1d\x07\x01\x02\x03\x1b\x1d\x19\x11\x01\x02\x03\x1b\x1dP0\x1b\x1dP1\x1b\x1dP2\x00\x00\x00\x00\x40\x02\x80\x00"
        b"\x1b\x1dP3\x00\x1b\x1d(L\x04\x00abcd\x1b&\x01\x01A" + b"A" * 48 + b"\x1b&\x01\x00A\x1cp\x18\x05\x04\x17\x00"
    )
    got = printed(quiet.replace(b"\x1cp", b"") + b"x\n")
    assert got.text_lines == ("x",)
    assert got.unknown == 0


def test_logos_are_skipped_by_their_size() -> None:
    logo = b"\x1b\x1cq\x01\x01\x00\x02\x00" + b"A" * 16
    assert printed(logo + b"\x1b\x1cp\x01\x00x\n").text_lines[-1] == "x"


@pytest.mark.parametrize("unknown", [b"\x1b~", b"\x1b\x1dz\x05\x01", b"\x1b\x1eZ", b"\x1b\x1cz"])
def test_an_unknown_command_is_counted_and_does_not_become_text(unknown: bytes) -> None:
    got = printed(b"a\n" + unknown + b"arguments?\nb\n")
    assert got.unknown >= 1
    assert [text for text in got.text_lines if text] == ["a", "b"]


def test_an_unknown_control_character_is_counted() -> None:
    got = printed(b"a\x03b\n")
    assert got.unknown == 1
    assert got.text_lines == ("ab",)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"x\x1b",
        b"x\x1b\x1d",
        b"x\x1bi\x01",
        b"\x1b\x1dyD1\x00\xff\xffshort",
        b"\x1bb\x03\x02\x02\x3c1234",
        b"\x1b\x1dS\x01\x02\x00\x10\x00\x00abc",
        UTF8 + "饭".encode("gb18030"),
        UTF8 + b"\xc3",
        b"\xff\xff",
    ],
)
def test_what_is_no_starprnt_is_511(bad: bytes) -> None:
    with pytest.raises(DecodeError) as told:
        to_escpos(bad)
    assert told.value.code == "511"


def test_every_command_takes_its_arguments_and_nothing_else() -> None:
    """With plausible arguments no command of the table swallows the text behind it."""
    commands = [(b"\x1b" + bytes([op]), c) for op, c in PLAIN.items()]
    commands += [(b"\x1b" + bytes([g, op]), c) for g, group in GROUPS.items() for op, c in group.items()]
    for opcode, command in commands:
        if not isinstance(command.size, int) or command.name == "ESC d n":
            continue
        got = printed(b"a\n" + opcode + b"\x01" * command.size + b"\nZZ\n")
        assert got.text_lines[-1] == "ZZ", command.name
        assert got.unknown == 0, command.name
    for code in CONTROLS:
        assert printed(b"a\n" + bytes([code]) + b"\nZZ\n").text_lines[-1] == "ZZ"


STARTS = [
    b"\x1b",
    b"\x1b\x1d",
    b"\x1b\x1dy",
    b"\x1b\x1d)U",
    b"\x1b\x1eF",
    b"\x1b\x1cq",
    UTF8,
    "饭".encode(),
    b"\n",
    b"x",
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=20), st.sampled_from(STARTS)), max_size=12).map(b"".join))
@example(b"\x1b\x1b\x1b")
@example(b"\x1b\n")
def test_no_job_is_more_than_undecodable(job: bytes) -> None:
    with contextlib.suppress(DecodeError):
        Interpreter(GENERIC_80).feed(to_escpos(job) + b"\x1dV\x00")


def test_the_documentation_lists_every_command() -> None:
    page = Path(__file__).parents[3] / "docs" / "starprnt.md"
    assert table() in page.read_text(encoding="utf-8")
