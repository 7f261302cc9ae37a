"""A printer on a cable beside an app: what the app learns of it (A14)."""

from __future__ import annotations

import pytest

from o2o_devices.cloud.attached import Attached
from o2o_devices.errors import NoAnswer
from o2o_devices.fleet import Fleet, PrinterSpec
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

pytestmark = pytest.mark.anyio

TICKET = "宫保鸡丁 x1\n".encode("gb18030") * 3 + b"\x1dVB\x03"
LIMIT_S = 20.0


class Shop:
    """A fleet of one."""

    def __init__(self) -> None:
        self.papers: list[Receipt] = []
        spec = PrinterSpec(7, front=lambda number, printer: Attached(printer), address="app://counter")
        self.fleet = Fleet([spec], on_paper=lambda number, receipt, at: self.papers.append(receipt))

    @property
    def front(self) -> Attached:
        front = self.fleet.front(7)
        assert isinstance(front, Attached)
        return front


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_a_ticket_is_printed_and_the_app_is_told(anyio_backend: str) -> None:
    shop = Shop()
    async with shop.fleet:
        assert shop.fleet.where(7) == "app://counter"
        assert shop.front.trouble() is None
        assert await shop.front.print(TICKET, LIMIT_S) is None
        assert len(shop.papers) == 1
        assert "宫保鸡丁" in shop.papers[0].text


async def test_the_app_sees_why_it_cannot_print(anyio_backend: str) -> None:
    shop = Shop()
    async with shop.fleet:
        hands = shop.fleet.control(7)
        hands.paper_end()
        assert shop.front.trouble() == "paper_end"
        assert await shop.front.print(TICKET, LIMIT_S) == "paper_end", "nothing waits inside for a new roll"
        hands.refill()
        assert shop.front.trouble() is None
        hands.open_cover()
        assert shop.front.trouble() == "cover_open"
        hands.close_cover()
        hands.offline()
        assert shop.front.trouble() == "offline"
        hands.online()
        assert shop.front.trouble() is None
        assert shop.papers == []


async def test_a_lost_answer_is_no_answer_though_the_paper_is_out(anyio_backend: str) -> None:
    shop = Shop()
    async with shop.fleet:
        shop.fleet.control(7).lose_acks()
        with pytest.raises(NoAnswer):
            await shop.front.print(TICKET, LIMIT_S)
        assert len(shop.papers) == 1
        assert shop.front.trouble() is None


async def test_nobody_waits_for_a_silent_printer_for_ever(anyio_backend: str) -> None:
    shop = Shop()
    async with shop.fleet:
        shop.front.act(lambda printer, now: setattr(printer, "silent", True))
        with pytest.raises(NoAnswer):
            await shop.front.print(TICKET, 0.05)
        assert isinstance(shop.front.printer, VirtualPrinter)
