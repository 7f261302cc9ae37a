"""The ESC/POS interpreter: golden receipts, any split of the stream, any bytes."""

import itertools
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.commands import COMMANDS, table
from o2o_devices.escpos.events import (
    AutoStatus,
    Beep,
    Cut,
    Drawer,
    Event,
    ProcessId,
    TransmitId,
    TransmitStatus,
    Unknown,
)
from o2o_devices.escpos.status import Status
from o2o_devices.mechanism import GENERIC_58, GENERIC_80, Mechanism
from o2o_devices.receipt import Receipt, Span, Style

SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "escpos"
CUT = b"\x1dV\x00"


def gb(text: str) -> bytes:
    return text.encode("gb18030")


def run(*parts: bytes, kanji: bool = True) -> list[Event]:
    interpreter = Interpreter(GENERIC_80, kanji=kanji)
    events: list[Event] = []
    for part in parts:
        events += interpreter.feed(part)[1]
    return events


def receipt(data: bytes, *, kanji: bool = True) -> Receipt:
    (cut,) = [event for event in run(data + CUT, kanji=kanji) if isinstance(event, Cut)]
    return cut.receipt


TICKET = (
    b"\x1b@\x1ba\x01\x1d!\x11" + gb("饿了吗外卖 #12\n") + b"\x1d!\x00\x1ba\x00"
    + gb("老王家的川菜馆\n") + b"\x1bE\x01" + gb("宫保鸡丁          x2   ￥56.00\n") + b"\x1bE\x00"
    + gb("𠮷野家牛肉饭      x1   ￥28.50\n") + b"\x1b!\x30" + gb("合计 84.50\n") + b"\x1b!\x00"
    + b"\x1d(k\x04\x001A2\x00\x1d(k\x03\x001C\x06\x1d(k\x03\x001E0\x1d(k\x0b\x001P0o2o:1234\x1d(k\x03\x001Q0"
    + b"\x1dVA\x00\x1d(H\x06\x000000A7"
)  # fmt: skip


def test_golden_ticket() -> None:
    events = run(TICKET)
    assert [type(event) for event in events] == [Cut, ProcessId]
    assert isinstance(events[0], Cut)
    paper = events[0].receipt
    assert paper.text_lines == (
        "饿了吗外卖 #12",
        "老王家的川菜馆",
        "宫保鸡丁          x2   ￥56.00",
        "𠮷野家牛肉饭      x1   ￥28.50",
        "合计 84.50",
    )
    assert [(line.size, line.bold, line.align) for line in paper.lines[:4]] == [
        ((2, 2), False, "center"),
        ((1, 1), False, "left"),
        ((1, 1), True, "left"),
        ((1, 1), False, "left"),
    ]
    assert paper.qr == ("o2o:1234",)
    assert paper.cut == "full"
    assert paper.complete
    assert paper.unknown == 0
    # big line 48 dots, 3 lines of 30, the last 48 high (ESC ! doubles the digits), QR version 1 of 6-dot modules: 126,
    # feed to the cutter 96: 408 dots of 1/8 mm
    assert paper.length_mm == (48 + 3 * 30 + 48 + 126 + 96) / 8
    assert events[1] == ProcessId(paper.length_mm, b"00A7")


def test_esc_exclamation_is_not_fs_exclamation() -> None:
    line = receipt(b"\x1b!\x30" + gb("合计 8") + b"\n").lines[0]
    assert line.spans == (Span("合计", Style()), Span(" 8", Style(2, 2)))
    line = receipt(b"\x1c!\x0c" + gb("合计 8") + b"\n").lines[0]
    assert line.spans == (Span("合计", Style(2, 2)), Span(" 8", Style()))
    line = receipt(b"\x1d!\x11" + gb("合计 8") + b"\n").lines[0]
    assert (line.size, line.spans) == ((2, 2), ())


def test_lengths_agree_with_the_mechanism_the_model_uses() -> None:
    for profile in (GENERIC_80, GENERIC_58):
        interpreter = Interpreter(profile)
        interpreter.feed(b"a\n" * 7 + b"\x1d!\x01" + b"b\n" * 2 + b"\x1dVB\x00")
        assert interpreter.fed_mm == Mechanism(profile).length_mm(7, 2)


@pytest.mark.parametrize("text", ["汉字", "𠮷㐂", "a汉b𠮷c", "€￥·…—", "ｱ全角"])
def test_gb18030_of_one_two_and_four_bytes(text: str) -> None:
    assert receipt(gb(text) + b"\n").text == text


def test_kanji_mode_off_reads_the_code_table() -> None:
    assert receipt(b"\x1c.\x1bt\x10caf\xe9 \x80\n").text == "café €"
    assert receipt(b"\x1bt\x11\x8f\xe0\xa8\xa2\xa5\xe2\n", kanji=False).text == "Привет"
    assert receipt(b"\x1c." + b"\xe9\n" + b"\x1c&" + gb("好\n")).text == "Θ\n好"


def test_international_sets() -> None:
    assert receipt(b"\x1bR\x0f$5 \x1bR\x03#1 \x1bR\x00#$\n").text == "¥5 £1 #$"


def test_long_lines_wrap_at_the_width_of_the_paper() -> None:
    assert receipt(b"x" * 50 + b"\n").text_lines == ("x" * 48, "xx")
    assert receipt(gb("汉" * 25) + b"\n").text_lines == ("汉" * 24, "汉")
    assert receipt(b"\x1d!\x10" + gb("汉" * 13) + b"\n").text_lines == ("汉" * 12, "汉")
    assert receipt(b"x" * 47 + gb("汉字") + b"\n").text_lines == ("x" * 47, "汉字")


def test_a_line_without_end_needs_no_endless_memory() -> None:
    interpreter = Interpreter(GENERIC_80)
    interpreter.feed(gb("汉") * 40_000)
    events = interpreter.end_job()
    assert isinstance(events[0], Cut)
    assert events[0].receipt.text.replace("\n", "") == "汉" * 40_000


def test_tabs_and_positions_become_spaces() -> None:
    assert receipt(b"a\tb\n").text == "a       b"
    assert receipt(b"\x1bD\x04\x0a\x00a\tb\tc\n").text == "a   b     c"
    assert receipt(b"a\x1b$\x78\x00b\n").text == "a" + " " * 9 + "b"
    assert receipt(b"a\x1b\\\x0c\x00b\n").text == "a b"


def test_images_are_skipped_and_known_by_their_size() -> None:
    raster = b"\x1dv0\x00\x02\x00\x04\x00" + b"\x1bAB\nCDEF"
    stored = b"\x1d(L\x12\x000p0\x01\x011\x10\x00\x04\x00" + b"\x1d\x1b\n\x10abcd" + b"\x1d(L\x02\x0002"
    columns = b"\x1b*\x21\x02\x00" + b"abcdef" + b"\n"
    paper = receipt(raster + stored + columns + b"end\n")
    assert paper.text == "end"
    assert paper.images == ((16, 4), (16, 4), (2, 24))
    assert paper.unknown == 0


def test_barcodes() -> None:
    paper = receipt(b"\x1dk\x04ABC\x00" + b"\x1dkI\x07{B12\n\x1b@" + b"\x1dkC\x0c690123456789")
    assert paper.barcodes == (("CODE39", "ABC"), ("CODE128", "12\n\x1b@"), ("EAN13", "690123456789"))


def test_page_mode_prints_from_top_to_bottom() -> None:
    page = b"\x1bL\x1bW\x00\x00\x00\x00\x40\x02\xc8\x00\x1d$\x64\x00low\n\x1d$\x00\x00high\n\x0cafter\n"
    paper = receipt(page)
    assert paper.text_lines == ("high", "low", "after")
    assert paper.length_mm == (200 + 30) / 8
    assert receipt(b"\x1bLgone\n\x18\x1bSstays\n").text == "stays"


def test_requests_keep_their_place_in_the_stream() -> None:
    events = run(b"one\n\x1dr\x01\x1dI\x43two\n\x1da\x0c\x1bp\x00\x19\xfa\x1bB\x03\x01\x1bv")
    assert events == [
        TransmitStatus(3.75, 1),
        TransmitId(3.75, 67),
        AutoStatus(7.5, 12),
        Drawer(7.5, 2),
        Beep(7.5, 3),
        TransmitStatus(7.5, 1),
    ]


def test_unknown_functions_are_skipped_by_their_length_and_unknown_commands_reported() -> None:
    events = run(b"a\x1d(Z\x05\x00\n\x1b@\x1dVb\x1b(Q\x02\x00xxc\x1c(Z\x01\x00yd\x1bz\x1f\n" + CUT)
    assert [event.data for event in events if isinstance(event, Unknown)] == [b"\x1bz", b"\x1f"]
    (cut,) = [event for event in events if isinstance(event, Cut)]
    assert cut.receipt.text == "abcd"
    assert cut.receipt.unknown == 2


def test_initialize_clears_the_print_buffer_and_the_modes() -> None:
    paper = receipt(b"\x1bE\x01\x1c.lost\x1b@" + gb("好\n"))
    assert (paper.text, paper.lines[0].bold) == ("好", False)


def test_realtime_status_is_answered_on_receipt_even_inside_an_image() -> None:
    interpreter = Interpreter(GENERIC_80, status=lambda now: Status(paper_end=now > 5))
    assert interpreter.feed(b"\x1dv0\x00\x08\x00\x01\x00ab\x10", 1.0)[0] == b""
    assert interpreter.feed(b"\x04", 1.0)[0] == b""
    assert interpreter.feed(b"\x01", 1.0)[0] == b"\x12"
    assert interpreter.feed(b"\x10\x04\x01\x10\x04\x02\x10\x04\x04", 6.0)[0] == b"\x1a\x32\x7e"


def test_the_printer_is_deaf_while_another_device_is_selected() -> None:
    assert receipt(b"a\x1b=\x02display\n\x1b@\x1b=\x01b\n").text == "ab"


def test_paper_left_uncut_comes_out_at_the_end_of_the_job() -> None:
    interpreter = Interpreter(GENERIC_80)
    interpreter.feed(b"half a tick" + b"\x1dv0\x00\x09")
    (event,) = interpreter.end_job()
    assert isinstance(event, Cut)
    assert (event.receipt.text, event.receipt.cut, event.receipt.complete) == ("half a tick", None, False)
    assert interpreter.end_job() == []


def test_torn_paper_has_whole_lines_only() -> None:
    paper = receipt(b"a\nb\nc\n").torn(8.0, "paper_end")
    assert (paper.text, paper.complete, paper.length_mm) == ("a\nb", False, 8.0)


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(c % (len(data) + 1) for c in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def everything(parts: list[bytes]) -> tuple[bytes, list[Event], float]:
    interpreter = Interpreter(GENERIC_80)
    replies, urgent, in_order = b"", [], []
    for part in parts:  # the two halves of `feed`: what is acted on when received, and what waits for its turn
        answer, found = interpreter.scan(part, 0.0)
        replies += answer
        urgent += found
        in_order += interpreter.interpret(part)
    return replies, in_order + urgent + interpreter.end_job(), interpreter.fed_mm


COMMAND = st.sampled_from([row.opcode for row in COMMANDS])
STREAM = st.lists(
    st.one_of(
        st.binary(max_size=12),
        st.builds(lambda op, args: op + args, COMMAND, st.binary(max_size=10)),
        st.text(max_size=8).map(lambda text: text.encode("gb18030", "ignore")),
        st.sampled_from([b"\n", CUT, b"\x10\x04\x01", b"\x1d(H\x06\x0000abcd", b"\x10\x05\x02"]),
    ),
    max_size=25,
).map(b"".join)


@settings(max_examples=400, deadline=None)
@given(STREAM, st.lists(st.integers(0, 10_000), max_size=6))
@example(TICKET, list(range(len(TICKET))))
def test_any_split_gives_the_same_paper(data: bytes, cuts: list[int]) -> None:
    assert everything(split(data, cuts)) == everything([data])


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=600))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    _replies, events, fed = everything([data])
    assert fed >= 0.0
    assert all(event.mm <= fed for event in events if isinstance(event, Cut))


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"optional samples of other programs are not in {SAMPLES}")
def test_streams_of_other_programs_leave_no_unknown_bytes() -> None:
    files = sorted(SAMPLES.glob("*.bin"))
    assert files
    for path in files:
        data = path.read_bytes()
        _replies, events, _ = everything([data[at : at + 7] for at in range(0, len(data), 7)])
        receipts = [event.receipt for event in events if isinstance(event, Cut)]
        assert receipts, path.name
        assert not [event for event in events if isinstance(event, Unknown)], path.name
        for paper in receipts:
            assert not [char for char in paper.text if unicodedata.category(char) == "Cc" and char != "\n"], path.name


def test_the_documented_commands_are_the_interpreters() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "escpos.md"
    assert table() in page.read_text(encoding="utf-8")
