"""A picture at the head of a ticket: raster that interpreters pass over, and that cheap printers trip over (A14)."""

from __future__ import annotations

import pytest

import golden_tickets
from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.events import Cut
from o2o_devices.faults import TicketFault
from o2o_devices.mechanism import GENERIC_80, Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt
from o2o_domain.ticket_layout import parse
from o2o_platform.printing.media.escpos import LOGO_DOTS, logo, render, with_logo

ASK = b"\x1d(H\x06\x0000"


def ticket() -> bytes:
    return render(golden_tickets.order(), 48, "http://x/1")


@pytest.mark.parametrize("piece", [1, 7, 64, 4096])
def test_the_ticket_is_read_below_its_picture(piece: int) -> None:
    data = with_logo(ticket())
    interpreter = Interpreter(GENERIC_80)
    events = [event for at in range(0, len(data), piece) for event in interpreter.feed(data[at : at + piece])[1]]
    (paper,) = [event.receipt for event in events if isinstance(event, Cut)]
    assert paper.images == (LOGO_DOTS,)
    assert paper.unknown == 0
    read = parse(paper.text_lines)
    assert (read.order_no, read.complete) == ("W0000005", True)


def test_no_byte_of_the_picture_is_a_real_time_command() -> None:
    """DLE in raster data would be answered by printers that look for it everywhere."""
    assert set(logo()[8:]) == {0xFF, 0xAA}


def test_paper_that_ends_in_the_picture_leaves_a_cheap_printer_astray_until_its_power_is_cycled() -> None:
    papers: list[Receipt] = []
    cheap = Profile(on_paper_end="garbage")
    fault = TicketFault("paper_end", 10.0, 5.0)
    printer = VirtualPrinter(
        cheap, on_paper=lambda receipt, at: papers.append(receipt), plan=lambda number: None if number else fault
    )

    def send(at: float, ident: bytes) -> bytes:
        said, data = b"", with_logo(ticket()) + ASK + ident
        while data:
            room = max(printer.room(), 1)
            said += printer.receive(data[:room], at)
            data, at = data[room:], at + 0.05
        return said + printer.advance(at + 30.0)

    assert ident_of(send(0.0, b"A001")) == b""
    assert printer.astray
    assert ident_of(send(60.0, b"A002")) == b""  # the roll is new; what comes is garbage, and no answer
    printer.power_off(120.0)
    printer.end_job(120.0)
    printer.power_on()
    assert not printer.astray
    assert ident_of(send(130.0, b"A003")) == b"A003"
    assert [parse(paper.text_lines).complete for paper in papers].count(True) == 1
    assert parse(papers[-1].text_lines).complete


def ident_of(said: bytes) -> bytes:
    at = said.find(b"\x37\x22")
    return b"" if at < 0 else said[at + 2 : at + 6]
