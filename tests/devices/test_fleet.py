"""Many printers in one loop (A14)."""

import asyncio
import gc
import socket
import time
import tracemalloc
from collections.abc import Callable

import pytest

from o2o_devices.errors import FleetError
from o2o_devices.faults import TicketFault
from o2o_devices.fleet import Fleet, PrinterSpec
from o2o_devices.mechanism import GENERIC_58, Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

FAST = Profile(mm_s=50_000.0, cut_s=0.0)


async def send(fleet: Fleet, printer_id: int, text: str) -> bytes:
    reader, writer = await asyncio.open_connection(*fleet.address(printer_id))
    writer.write(text.encode("gb18030") + b"\n\x1dVA\x00" + b"\x1d(H\x06\x0000%04d" % printer_id)
    answer = await reader.read(7)
    writer.close()
    await writer.wait_closed()
    return answer


def test_a_hundred_printers_print_at_once() -> None:
    papers: list[tuple[int, Receipt, float]] = []

    async def main() -> None:
        specs = [PrinterSpec(n, FAST) for n in range(100)]
        async with Fleet(specs, on_paper=lambda *paper: papers.append(paper)) as fleet:
            before = time.time()
            answers = await asyncio.gather(*(send(fleet, n, f"订单 {n}") for n in range(100)))
            after = time.time()
            assert answers == [b"\x37\x22%04d\x00" % n for n in range(100)]
            assert {(n, receipt.text) for n, receipt, _ in papers} == {(n, f"订单 {n}") for n in range(100)}
            assert all(before - 1.0 <= at <= after + 1.0 for _, _, at in papers)  # unix time, not the loop's
            counters = fleet.counters()
            assert (counters.receipts, counters.acks, counters.torn, counters.connections) == (100, 100, 0, 100)
            assert len(set(fleet.ports.values())) == 100
            assert fleet.idle

    asyncio.run(main())


def test_one_dead_printer_does_not_keep_the_others_waiting() -> None:
    """itpp-labs/pos-addons PR 682."""

    async def main() -> None:
        async with Fleet([PrinterSpec(0, FAST), PrinterSpec(1, GENERIC_58)], on_paper=lambda *paper: None) as fleet:
            fleet.control(1).paper_end()
            stuck = asyncio.create_task(send(fleet, 1, "卡住"))
            assert await send(fleet, 0, "好") == b"\x37\x220000\x00"
            assert not stuck.done()
            stuck.cancel()

    asyncio.run(main())


def test_planned_faults_by_printer_and_ticket() -> None:
    torn: list[tuple[int, str | None]] = []

    def plan(printer_id: int, ticket: int) -> TicketFault | None:
        return TicketFault("power_off", 2.0, 0.0) if (printer_id, ticket) == (1, 0) else None

    async def main() -> None:
        specs = [PrinterSpec(n, FAST) for n in range(2)]
        async with Fleet(
            specs, on_paper=lambda n, receipt, at: torn.append((n, receipt.stopped_by)), plan=plan
        ) as fleet:
            assert await send(fleet, 0, "一") == b"\x37\x220000\x00"
            with pytest.raises(ConnectionResetError):
                await send(fleet, 1, "二")
            assert torn == [(0, None), (1, "power_off")]

    asyncio.run(main())


def test_unknown_and_double_printers_are_refused() -> None:
    with pytest.raises(FleetError, match="twice"):
        Fleet([PrinterSpec(3), PrinterSpec(3)], on_paper=lambda *paper: None)
    with pytest.raises(FleetError, match="no printer 4"):
        Fleet([PrinterSpec(3)], on_paper=lambda *paper: None).address(4)


def test_ports_are_free_again_after_the_fleet_is_stopped() -> None:
    async def main() -> None:
        async with Fleet([PrinterSpec(0, FAST)], on_paper=lambda *paper: None) as fleet:
            port = fleet.ports[0]
            assert await send(fleet, 0, "一") == b"\x37\x220000\x00"
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        async with Fleet([PrinterSpec(0, FAST, port=port)], on_paper=lambda *paper: None) as fleet:
            assert await send(fleet, 0, "二") == b"\x37\x220000\x00"

    asyncio.run(main())


def test_an_idle_printer_is_small() -> None:
    """Ten thousand are to fit: under 3 kB each, also when each has printed a ticket."""
    count = 10_000
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        fleet = Fleet([PrinterSpec(n) for n in range(count)], on_paper=lambda *paper: None)
        fresh = (tracemalloc.get_traced_memory()[0] - before) / count
        stream = "\x1b@宫保鸡丁 x2\n".encode("gb18030") * 20 + b"\x1dVA\x00" + b"\x1d(H\x06\x0000A001"
        for n in range(500):
            printer = fleet.printer(n)
            printer.receive(stream, 0.0)
            assert printer.advance(60.0) == b"\x37\x22A001\x00"
            printer.end_job(61.0)
        gc.collect()
        used = (tracemalloc.get_traced_memory()[0] - before - fresh * count) / 500 + fresh
    finally:
        tracemalloc.stop()
    assert fresh < 1_500
    assert used < 2_000  # of its interpreter only what it has to remember is left


def test_an_idle_connection_is_small() -> None:
    """With its printer, port included, under 3 kB (A14)."""
    count = 200

    async def main() -> float:
        fleet = Fleet([PrinterSpec(n, FAST) for n in range(count)], on_paper=lambda *paper: None)
        await fleet.start()
        here = [socket.socket() for _ in range(count)]
        gc.collect()
        tracemalloc.start()
        try:
            for n, sock in enumerate(here):
                sock.connect(fleet.address(n))
            for _ in range(1000):
                if fleet.connections() == count:
                    break
                await asyncio.sleep(0)
            assert fleet.connections() == count
            gc.collect()
            return tracemalloc.get_traced_memory()[0] / count
        finally:
            tracemalloc.stop()
            for sock in here:
                sock.close()
            await fleet.stop()

    assert asyncio.run(main()) < 600


def test_a_fleet_holds_any_front_end() -> None:
    acted: list[str] = []

    class Pocket:
        """A front end without a network."""

        def __init__(self, number: int, printer: VirtualPrinter) -> None:
            self.printer = printer
            self.number = number

        async def start(self) -> None:
            acted.append(f"start {self.number}")

        async def stop(self) -> None:
            acted.append(f"stop {self.number}")

        def act(self, change: Callable[[VirtualPrinter, float], object]) -> None:
            change(self.printer, 0.0)

    async def main() -> None:
        specs = [PrinterSpec(0, FAST), PrinterSpec(7, FAST, front=Pocket, address="pocket://seven")]
        async with Fleet(specs, on_paper=lambda *paper: None) as fleet:
            assert list(fleet.ports) == [0]
            assert fleet.where(7) == "pocket://seven"
            assert fleet.where(0) == f"tcp://127.0.0.1:{fleet.ports[0]}"
            with pytest.raises(FleetError, match="printer 7 has no port"):
                fleet.address(7)
            fleet.control(7).open_cover()
            assert fleet.printer(7).mechanism.cover_open
            assert await send(fleet, 0, "好") == b"\x37\x220000\x00"
        assert acted == ["start 7", "stop 7"]

    asyncio.run(main())
