"""Raw TCP 9100 on real sockets (A14), with python-escpos as an independent sender."""

import asyncio
import contextlib
import itertools
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
from escpos.exceptions import DeviceNotFoundError
from escpos.printer import Network

from o2o_devices.control import Control
from o2o_devices.errors import FleetError
from o2o_devices.faults import KINDS, Kind
from o2o_devices.mechanism import Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt
from o2o_devices.tcp9100 import PrinterServer

FAST = Profile(mm_s=50_000.0, cut_s=0.0)
ASK = b"\x1d(H\x06\x0000"
STATUS = b"\x10\x04\x01"


class Shop:
    """One printer on a port, and the paper that came out of it, in order with what the sender saw."""

    def __init__(self, profile: Profile = FAST) -> None:
        self.log: list[str] = []
        self.paper: list[Receipt] = []
        self.came = asyncio.Event()
        self.printer = VirtualPrinter(profile, on_paper=self._on_paper)
        self.server = PrinterServer(self.printer)
        self.control = Control(self.server)

    def _on_paper(self, receipt: Receipt, at: float) -> None:
        self.log.append("paper")
        self.paper.append(receipt)
        self.came.set()

    async def papers(self, count: int) -> None:
        while len(self.paper) < count:
            self.came.clear()
            await self.came.wait()

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.server.port)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something is so; `in_shop` limits the wait."""
    for _ in itertools.count():
        if condition():
            return
        await asyncio.sleep(0)


@pytest.fixture(params=["asyncio", "uvloop"], autouse=True)
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything below holds on both event loops."""
    if request.param == "uvloop":
        uvloop = pytest.importorskip("uvloop")

        def run(main: Coroutine[Any, Any, Any]) -> Any:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(main)

        monkeypatch.setattr(asyncio, "run", run)


def in_shop(test: Callable[[Shop], Awaitable[None]], profile: Profile = FAST) -> None:
    async def main() -> None:
        shop = Shop(profile)
        await shop.server.start()
        try:
            await asyncio.wait_for(test(shop), 20.0)
        finally:
            await shop.server.stop()

    asyncio.run(main())


def test_python_escpos_prints_a_chinese_ticket() -> None:
    async def test(shop: Shop) -> None:
        def send() -> None:
            till = Network("127.0.0.1", port=shop.server.port, timeout=10)
            till.set(align="center", double_width=True, double_height=True)
            till.text("美团外卖 #7\n")
            till.set_with_default()
            till._raw("宫保鸡丁 x2 ￥56.00\n𠮷野家 x1\n".encode("gb18030"))
            till.qr("o2o:7", native=True, size=6)
            till.cut()
            till.close()

        await asyncio.to_thread(send)
        await shop.papers(1)
        paper = shop.paper[0]
        assert "美团外卖 #7" in paper.text_lines
        assert "宫保鸡丁 x2 ￥56.00" in paper.text_lines
        assert "𠮷野家 x1" in paper.text_lines
        assert paper.qr == ("o2o:7",)
        assert paper.complete
        assert paper.unknown == 0

    in_shop(test)


def test_python_escpos_asks_for_the_status_in_every_state() -> None:
    async def test(shop: Shop) -> None:
        def ask() -> tuple[bool, int]:
            till = Network("127.0.0.1", port=shop.server.port, timeout=10)
            answer = (till.is_online(), till.paper_status())
            till.close()
            return answer

        assert await asyncio.to_thread(ask) == (True, 2)
        shop.control.refill(100.0)
        assert await asyncio.to_thread(ask) == (True, 1)
        shop.control.paper_end()
        assert await asyncio.to_thread(ask) == (False, 0)
        shop.control.refill()
        shop.control.open_cover()
        assert await asyncio.to_thread(ask) == (False, 2)
        shop.control.close_cover()
        assert await asyncio.to_thread(ask) == (True, 2)
        shop.control.pause()
        assert await asyncio.to_thread(ask) == (False, 2)
        shop.control.go_on()
        shop.control.offline()
        with pytest.raises(DeviceNotFoundError):
            await asyncio.to_thread(ask)
        shop.control.online()
        assert await asyncio.to_thread(ask) == (True, 2)
        shop.control.power_cut()
        with pytest.raises(DeviceNotFoundError):
            await asyncio.to_thread(ask)
        shop.control.power_on()
        assert await asyncio.to_thread(ask) == (True, 2)

    in_shop(test)


def test_python_escpos_sees_a_head_that_is_too_hot_and_a_link_that_is_silent() -> None:
    hot = Profile(mm_s=1e9, cut_s=0.0, heat_mm=50.0, cool_s=3600.0)

    async def test(shop: Shop) -> None:
        def online(timeout: float) -> bool:
            till = Network("127.0.0.1", port=shop.server.port, timeout=timeout)
            try:
                return bool(till.is_online())
            finally:
                till.close()

        reader, writer = await shop.connect()
        writer.write(b"\x1bJ\xff\x1bJ\xff" + STATUS)
        await reader.readexactly(1)
        writer.close()
        # uvloop's clock has whole milliseconds: the head is hot from some nanoseconds after the last of them.
        await until(lambda: shop.printer.mechanism.overheated(asyncio.get_running_loop().time()))
        assert not await asyncio.to_thread(online, 10)
        shop.control.silent()
        with pytest.raises((TimeoutError, OSError, DeviceNotFoundError)):
            await asyncio.to_thread(online, 0.2)

    in_shop(test, hot)


def test_acknowledged_only_after_the_paper_is_out() -> None:
    async def test(shop: Shop) -> None:
        reader, writer = await shop.connect()
        shop.control.open_cover()
        writer.write("好吃\n".encode("gb18030") + b"\x1dVA\x00" + ASK + b"T001" + STATUS)
        assert await reader.readexactly(1) == b"\x1a"  # the status overtakes; nothing is out, nothing acknowledged
        assert shop.log == []
        shop.control.close_cover()
        assert await reader.readexactly(7) == b"\x37\x22T001\x00"
        shop.log.append("acknowledged")
        assert shop.log == ["paper", "acknowledged"]
        writer.close()

    in_shop(test)


def test_lost_acknowledgement() -> None:
    """wcpos/woocommerce-pos PR 1790: the paper is out, the sender is not told."""

    async def test(shop: Shop) -> None:
        reader, writer = await shop.connect()
        shop.control.lose_acks(1)
        writer.write(b"one\n\x1dV\x00" + ASK + b"T001" + b"two\n\x1dV\x00" + ASK + b"T002")
        assert await reader.readexactly(7) == b"\x37\x22T002\x00"
        assert [paper.text for paper in shop.paper] == ["one", "two"]
        writer.close()

    in_shop(test)


def test_one_sender_at_a_time_the_others_wait() -> None:
    async def test(shop: Shop) -> None:
        reader_a, writer_a = await shop.connect()
        writer_a.write(STATUS)
        assert await reader_a.readexactly(1) == b"\x12"
        reader_b, writer_b = await shop.connect()
        writer_b.write(b"b\n\x1dV\x00" + STATUS)
        writer_a.write(b"a1\n" + STATUS)
        assert await reader_a.readexactly(1) == b"\x12"
        assert shop.paper == []
        writer_a.write(b"a2\n\x1dV\x00")
        writer_a.close()
        assert await reader_b.readexactly(1) == b"\x12"
        await shop.papers(2)
        assert [paper.text for paper in shop.paper] == ["a1\na2", "b"]
        writer_b.close()

    in_shop(test)


def test_a_sender_that_says_all_and_waits_is_answered_then_closed() -> None:
    async def test(shop: Shop) -> None:
        reader, writer = await shop.connect()
        writer.write(b"all\n\x1dV\x00" + ASK + b"T001")
        writer.write_eof()
        assert await reader.read() == b"\x37\x22T001\x00"

    in_shop(test)


def test_a_full_buffer_makes_the_sender_wait_and_nothing_is_lost() -> None:
    """lukevp/ESC-POS-.NET#227, a good printer: it stalls the connection instead of dropping bytes."""
    small = Profile(mm_s=2_000.0, cut_s=0.0, buffer_bytes=512)

    async def test(shop: Shop) -> None:
        reader, writer = await shop.connect()
        lines = [f"line {n:04d} ".ljust(40, "x") for n in range(400)]
        writer.write("".join(line + "\n" for line in lines).encode() + b"\x1dV\x00" + ASK + b"T001")
        assert await reader.readexactly(7) == b"\x37\x22T001\x00"
        assert list(shop.paper[0].text_lines) == lines
        assert shop.printer.counters.stalls > 10
        writer.close()

    in_shop(test, small)


def test_the_state_is_told_even_while_the_buffer_is_full() -> None:
    small = Profile(mm_s=2_000.0, cut_s=0.0, buffer_bytes=512, reserve_bytes=64)

    async def test(shop: Shop) -> None:
        reader, writer = await shop.connect()
        shop.control.open_cover()
        writer.write(b"x" * 39 + b"\n" + b"y" * 472)
        await until(lambda: shop.printer.room() == 0)
        writer.write(b"\x10\x04\x01\x10\x04\x02")
        assert await reader.readexactly(2) == b"\x1a\x16"
        writer.write(b"z" * 200)  # more than the reserve: the sender waits
        await until(lambda: shop.printer.intake() == 0)
        assert shop.printer.counters.stalls == 1
        shop.control.close_cover()
        writer.write(b"\n\x1dV\x00" + ASK + b"T001")
        assert await reader.readexactly(7) == b"\x37\x22T001\x00"
        assert "".join(shop.paper[0].text_lines) == "x" * 39 + "y" * 472 + "z" * 200
        writer.close()

    in_shop(test, small)


def test_a_cheap_printer_never_stalls_and_loses_bytes() -> None:
    """lukevp/ESC-POS-.NET#227."""
    cheap = Profile(mm_s=100.0, cut_s=0.0, buffer_bytes=512, overrun="drop")

    async def test(shop: Shop) -> None:
        reader, writer = await shop.connect()
        lines = b"".join(b"line %04d\n" % n for n in range(400))
        writer.write(lines + STATUS)
        assert await reader.readexactly(1) == b"\x12"
        assert shop.printer.counters.bytes_in == len(lines) + len(STATUS)
        assert shop.printer.counters.bytes_dropped > 2_000
        assert shop.printer.counters.stalls == 0
        writer.close()

    in_shop(test, cheap)


def test_a_slow_link_takes_its_time_and_loses_nothing() -> None:
    async def test(shop: Shop) -> None:
        reader, writer = await shop.connect()
        shop.control.slow_link(4_000.0)
        begun = asyncio.get_running_loop().time()
        writer.write(b"0123456789\n" * 40 + b"\x1dV\x00" + ASK + b"T001")
        assert await reader.readexactly(7) == b"\x37\x22T001\x00"
        assert asyncio.get_running_loop().time() - begun > 0.09  # 450 bytes, the last piece of which is not waited for
        assert shop.paper[0].text_lines == ("0123456789",) * 40
        shop.control.slow_link(None)
        writer.close()

    in_shop(test)


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_over_a_socket_and_then_the_next_ticket(kind: Kind) -> None:
    async def test(shop: Shop) -> None:
        shop.control.meet(kind, after_mm=5.0, repair_s=0.05)
        reader, writer = await shop.connect()
        writer.write(b"one\ntwo\nthree\n\x1dV\x00" + ASK + b"T001")
        with contextlib.suppress(ConnectionResetError, asyncio.IncompleteReadError, TimeoutError):
            await asyncio.wait_for(reader.readexactly(7), 0.3)
        writer.close()
        for _ in range(50):  # as a spooler does: again, as long as there is no way in
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                reader, writer = await shop.connect()
                writer.write(b"next\n\x1dV\x00" + ASK + b"T002")
                assert await reader.readexactly(7) == b"\x37\x22T002\x00"
                break
            await asyncio.sleep(0.02)
        assert shop.paper[-1].text == "next"
        assert shop.printer.counters.met == {kind: 1}
        writer.close()

    in_shop(test)


def test_power_cut_in_mid_ticket_resets_the_connection() -> None:
    async def test(shop: Shop) -> None:
        reader, writer = await shop.connect()
        shop.control.power_cut(after_mm=8.0)
        writer.write(b"one\ntwo\nthree\nfour\n\x1dV\x00" + ASK + b"T001")
        with pytest.raises(ConnectionResetError):
            await reader.readexactly(7)
        await shop.papers(1)
        assert (shop.paper[0].text, shop.paper[0].stopped_by) == ("one\ntwo", "power_off")
        with pytest.raises(ConnectionRefusedError):
            await shop.connect()
        port = shop.server.port
        shop.control.power_on()
        reader, writer = await shop.connect()
        assert shop.server.port == port
        writer.write(b"again\n\x1dV\x00" + ASK + b"T002")
        assert await reader.readexactly(7) == b"\x37\x22T002\x00"
        assert shop.paper[1].text == "again"

    in_shop(test)


def test_half_a_ticket_of_a_sender_that_broke_off_comes_out_alone() -> None:
    async def test(shop: Shop) -> None:
        _, writer = await shop.connect()
        writer.write(b"one\ntwo\nthr")
        await writer.drain()
        writer.close()
        await shop.papers(1)
        assert (shop.paper[0].text, shop.paper[0].complete) == ("one\ntwo\nthr", False)

    in_shop(test)


def test_a_port_in_use_is_one_clear_line() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            server = PrinterServer(VirtualPrinter(on_paper=lambda receipt, at: None), port=port)
            with pytest.raises(FleetError, match=str(port)):
                await server.start()

    asyncio.run(main())
