"""Benchmarks of the ticket's way: layout, bytes, paper, and back to the order (A14)."""

from __future__ import annotations

from typing import Any

import pytest
from escpos.printer import Dummy

from o2o_devices.escpos.events import Cut
from o2o_devices.escpos.interpreter import Interpreter
from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder, layout, parse
from o2o_platform.printing.media.escpos import render

LINES = tuple(
    Line(number, name, 1 + number % 2, 1800 + 100 * number)
    for number, name in enumerate(("宫保鸡丁(微辣)", "手撕包菜", "米饭(大份)", "酸辣土豆丝", "冰镇酸梅汤 500ml"))
)
ITEMS_FEN = sum(line.qty * line.unit_fen for line in LINES)


def order(number: int) -> TicketOrder:
    """A ticket of five dishes; `number` makes it one that no cache has seen."""
    return TicketOrder(
        order_no=f"261122{number:06d}",
        merchant_name="老王川菜馆（文一路店）",
        lines=LINES,
        items_fen=ITEMS_FEN,
        discount_fen=500,
        delivery_fee_fen=300,
        total_fen=ITEMS_FEN - 200,
        note=f"少放辣, 不要香菜, 放门口 {number}",
        phone_masked="138****5678",
        address="西湖区文一路 1 号 3 幢 2 单元 ***",
        placed_at_text="11-22 11:45",
        due_text="11-22 12:30",
    )


@pytest.fixture(scope="module")
def tickets() -> list[TicketOrder]:
    return [order(number) for number in range(100)]


def test_ticket_layout(bench: Any, tickets: list[TicketOrder]) -> None:
    """Ticket: layout."""
    lines = bench(lambda: [layout(ticket, 48) for ticket in tickets], units=100, unit="tickets")
    assert parse([line.text for line in lines[-1]]).complete


def test_ticket_render(bench: Any, tickets: list[TicketOrder]) -> None:
    """Ticket: ESC/POS rendering.

    Layout included, with a native QR code."""
    pages = bench(
        lambda: [render(ticket, 48, f"https://o2o.example/o/{ticket.order_no}") for ticket in tickets],
        units=100,
        unit="tickets",
    )
    assert len(pages) == 100
    assert "宫保鸡丁".encode("gb18030") in pages[0]


def test_ticket_by_library(bench: Any, tickets: list[TicketOrder]) -> None:
    """Ticket: the same by python-escpos.

    Kept to what it does fast: our layout and GB18030 bytes, its commands for style, code and cut."""
    pages = bench(lambda: [by_library(ticket, encoded=True) for ticket in tickets], units=100, unit="tickets")
    assert texts(pages[7]) == texts(render(tickets[7], 48, link(tickets[7])))


def test_ticket_by_library_text(bench: Any, tickets: list[TicketOrder]) -> None:
    """Ticket: the same by python-escpos, its text().

    It tries code pages character by character."""
    pages = bench(lambda: [by_library(ticket, encoded=False) for ticket in tickets], units=100, unit="tickets")
    assert texts(pages[7]) == texts(render(tickets[7], 48, link(tickets[7])))


def by_library(ticket: TicketOrder, *, encoded: bool) -> bytes:
    """A ticket drawn by python-escpos: lines from our layout."""
    printer = Dummy()
    printer._raw(b"\x1b@\x1c&")
    for line in layout(ticket, 48):
        size = 2 if line.style == "big" else 1
        printer.set(align=line.align, bold=line.style == "bold", custom_size=True, width=size, height=size)
        if encoded:
            printer._raw(line.text.encode("gb18030") + b"\n")
        else:
            printer.text(line.text + "\n")
    printer.set(align="center")
    printer.qr(link(ticket), native=True, size=4)
    printer.cut(mode="PART")
    return bytes(printer.output)


def link(ticket: TicketOrder) -> str:
    """What the code at a ticket's foot says."""
    return f"https://o2o.example/o/{ticket.order_no}"


def texts(stream: bytes) -> list[str]:
    """What is read on the paper."""
    (paper,) = [event.receipt for event in Interpreter().feed(stream)[1] if isinstance(event, Cut)]
    return [text for text in paper.text_lines if text]


def test_escpos_parse(bench: Any, tickets: list[TicketOrder]) -> None:
    """Printer: ESC/POS parsing."""
    stream = b"".join(render(ticket, 48, "https://o2o.example/o/1") for ticket in tickets)

    def read() -> list[Cut]:
        _, events = Interpreter().feed(stream)
        return [event for event in events if isinstance(event, Cut)]

    receipts = bench(read, units=100, unit="tickets")
    assert len(receipts) == 100
    assert "宫保鸡丁" in receipts[-1].receipt.text


def test_ticket_parse(bench: Any, tickets: list[TicketOrder]) -> None:
    """Ticket: text back to order."""
    texts = [[line.text for line in layout(ticket, 48)] for ticket in tickets]
    parsed = bench(lambda: [parse(text) for text in texts], units=100, unit="tickets")
    assert all(ticket.complete for ticket in parsed)
    assert parsed[7].order_no == "261122000007"
