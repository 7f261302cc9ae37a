"""The platform's driver on a virtual printer: what the printer tells by itself keeps tickets from it (A14)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from o2o_devices.fleet import Fleet, PrinterSpec
from o2o_devices.receipt import Receipt
from o2o_domain.ticket_layout import TicketOrder, parse
from o2o_domain.tickets import PrintOutcome
from o2o_platform.kit.clock import SystemClock
from o2o_platform.printing.drivers.tcp9100 import PrinterConnection
from o2o_platform.printing.media.escpos import render

pytestmark = pytest.mark.anyio


def ticket(number: int) -> bytes:
    order = TicketOrder(f"W{number}", "店", (), 0, 0, 300, 300)
    return render(order, 48, "http://x/1")


async def trouble_is(line: PrinterConnection, wanted: PrintOutcome | None) -> None:
    for _ in range(200):
        if await line.trouble(2.0) == wanted:
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"the printer never said {wanted}")


async def test_paper_cover_and_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not asked once it tells: its first answers are the only ones."""
    paper: list[Receipt] = []

    def on_paper(printer_id: int, receipt: Receipt, at: float) -> None:
        paper.append(receipt)

    async with Fleet([PrinterSpec(0)], on_paper=on_paper) as fleet:
        line = await PrinterConnection.open(*fleet.address(0), SystemClock(), 2.0, lambda ticket: None)
        await trouble_is(line, None)
        asked: list[Any] = []
        monkeypatch.setattr(line, "_ask", asked.append)
        monkeypatch.setattr("o2o_platform.printing.drivers.tcp9100.FRESH_S", 60.0)
        await (await line.send(1, ticket(1)))
        control = fleet.control(0)
        control.paper_end()
        await trouble_is(line, PrintOutcome.PAPER_END)
        control.refill(10_000.0)
        await trouble_is(line, None)
        control.open_cover()
        await trouble_is(line, PrintOutcome.COVER_OPEN)
        control.close_cover()
        await trouble_is(line, None)
        await (await line.send(2, ticket(2)))
        assert asked == []
        await line.close()
    assert [parse(receipt.text.split("\n")).order_no for receipt in paper] == ["W1", "W2"]
