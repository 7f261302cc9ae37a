"""An Epson printer at work, against a server written from the manual: polls, results, status, and what breaks (A14)."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qs
from xml.etree import ElementTree as Tree

import pytest

from o2o_devices.cloud.epson import EpsonPrinter
from o2o_devices.cloud.machine import Machine
from o2o_devices.faults import KINDS, Kind, TicketFault
from o2o_devices.fleet import Fleet, PrinterSpec
from o2o_devices.mechanism import Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

FAST = Profile(mm_s=2_000.0, cut_s=0.0, cut_feed_mm=0.0, line_dots=40)  # 5 mm a line, 2.5 ms
NS = "http://www.epson-pos.com/schemas/2011/03/epos-print"
PAUSE = 0.05


def document(*lines: str) -> str:
    texts = "".join(
        f'<text lang="zh-cn">{line}&#10;</text>' for line in lines or ("宫保鸡丁 x1", "米饭 x2", "酸梅汤 x1", "完")
    )
    return f'<epos-print xmlns="{NS}">{texts}<cut type="feed"/></epos-print>'


def job(token: str, data: str | None = None, *, device: str = "local_printer", timeout_ms: int = 10_000) -> str:
    named = f"<printjobid>{token}</printjobid>" if token else ""
    return (
        f"<ePOSPrint><Parameter><devid>{device}</devid><timeout>{timeout_ms}</timeout>{named}</Parameter>"
        f"<PrintData>{document() if data is None else data}</PrintData></ePOSPrint>"
    )


def request(*jobs: str, version: str = "2.00") -> bytes:
    head = f'<?xml version="1.0" encoding="utf-8"?><PrintRequestInfo Version="{version}">'
    return (head + "".join(jobs) + "</PrintRequestInfo>").encode()


class Server:
    """The manual's server: one answer after the other from `answers`, then empty ones; writes down what it hears."""

    def __init__(self, *answers: bytes, secret: str | None = None) -> None:
        self.answers = deque(answers)
        self.forms: list[dict[str, str]] = []
        self.deaf = 0  # so many SetResponses are answered with 503
        self.mute = 0  # so many are heard, and the connection ends without an answer
        self.secret = secret
        self.challenges = 0
        self.port = 0

    async def start(self) -> str:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{self.port}/epson"

    async def stop(self) -> None:
        self._server.close()

    def of(self, kind: str) -> list[dict[str, str]]:
        return [form for form in self.forms if form["ConnectionType"] == kind]

    @property
    def results(self) -> list[tuple[str, bool, str]]:
        """(printjobid, success, code) in the order in which they were heard."""
        found = []
        for form in self.of("SetResponse"):
            for one in Tree.fromstring(form["ResponseFile"]).iter("ePOSPrint"):
                (response,) = one.iter(f"{{{NS}}}response")
                token = one.findtext("Parameter/printjobid") or ""
                found.append((token, response.get("success") == "true", response.get("code") or ""))
        return found

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            body = await reader.readexactly(int(re.search(r"content-length: (\d+)", head, re.I)[1]))  # type: ignore[index]
            assert head.startswith("POST /epson HTTP/1.1")
            assert "content-type: application/x-www-form-urlencoded" in head.lower()
            form = {name: value for name, (value,) in parse_qs(body.decode(), keep_blank_values=True).items()}
            status, answer = self._answer(head, form)
            if status:
                who = 'WWW-Authenticate: Digest realm="r", qop="auth", nonce="n0"\r\n' if status == 401 else ""
                writer.write(
                    f"HTTP/1.1 {status} X\r\nContent-Type: text/xml; charset=utf-8\r\n{who}"
                    f"Content-Length: {len(answer)}\r\n\r\n".encode()
                    + answer
                )
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, head: str, form: dict[str, str]) -> tuple[int, bytes]:
        if self.secret is not None and not self._known(head):
            self.challenges += 1
            return 401, b""
        if form["ConnectionType"] == "SetResponse" and self.deaf:
            self.deaf -= 1
            return 503, b""
        self.forms.append(form)
        if form["ConnectionType"] == "SetResponse" and self.mute:
            self.mute -= 1
            return 0, b""
        if form["ConnectionType"] == "GetRequest" and self.answers:
            return 200, self.answers.popleft()
        return 200, b""

    def _known(self, head: str) -> bool:
        said = dict(re.findall(r'(\w+)="?([^",\r\n]*)"?', head.partition("uthorization: Digest ")[2]))
        if not said:
            return False

        def md5(text: str) -> str:
            return hashlib.md5(text.encode()).hexdigest()

        first, second = md5(f"{said['username']}:r:{self.secret}"), md5(f"POST:{said['uri']}")
        wanted = md5(f"{first}:n0:{said['nc']}:{said['cnonce']}:auth:{second}")
        return said["username"] == "shop-17" and said["response"] == wanted


class Shop:
    """A server and a printer, with what came out of it."""

    def __init__(self, server: Server, *faults: TicketFault, profile: Profile = FAST, **how: Any) -> None:
        self.server = server
        self.paper: list[Receipt] = []
        printer = VirtualPrinter(
            profile, on_paper=lambda receipt, at: self.paper.append(receipt), plan=dict(enumerate(faults)).get
        )
        self._how = {"interval_s": PAUSE, "late_result_s": 0.1, **how}
        self.machine = Machine(printer)
        self.printer: EpsonPrinter

    async def start(self) -> None:
        self.printer = EpsonPrinter(self.machine, "shop-17", await self.server.start(), **self._how)
        await self.printer.start()

    async def stop(self) -> None:
        await self.printer.stop()
        await self.server.stop()

    @property
    def whole(self) -> int:
        return sum(receipt.complete for receipt in self.paper)

    async def polls(self, more: int = 3) -> None:
        """Wait until it has polled so often again, so that what was to come has come."""
        seen = len(self.server.of("GetRequest"))
        await until(lambda: len(self.server.of("GetRequest")) >= seen + more)


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something is so; `run` limits the wait."""
    for tries in itertools.count():
        if condition():
            return
        await asyncio.sleep(0.0 if tries < 20 else 0.002)


def run(shop: Shop, test: Callable[[Shop], Awaitable[None]]) -> None:
    async def main() -> None:
        await shop.start()
        try:
            await asyncio.wait_for(test(shop), 20.0)
        finally:
            await shop.stop()

    asyncio.run(main())


def test_a_job_is_printed_and_told_when_the_paper_is_out() -> None:
    async def test(shop: Shop) -> None:
        await until(lambda: len(shop.server.results) == 1)
        assert shop.server.results == [("ABC123", True, "")]
        assert shop.whole == 1, "told after printing"
        assert shop.paper[0].text_lines == ("宫保鸡丁 x1", "米饭 x2", "酸梅汤 x1", "完")
        await shop.polls()
        assert len(shop.server.results) == 1
        assert {form["ID"] for form in shop.server.forms} == {"shop-17"}

    run(Shop(Server(request(job("ABC123")))), test)


def test_several_jobs_of_one_answer_are_told_together_in_the_answers_version() -> None:
    async def test(shop: Shop) -> None:
        await until(lambda: bool(shop.server.of("SetResponse")))
        assert shop.server.results == [("A", True, ""), ("B", False, "DeviceNotFound"), ("C", False, "SchemaError")]
        (form,) = shop.server.of("SetResponse")
        root = Tree.fromstring(form["ResponseFile"])
        assert root.get("Version") == "3.00"
        assert root.find("ServerDirectPrint/Response[@Success='true']") is not None
        assert shop.whole == 1

    bad = document().replace("lang", "tongue")
    jobs = (job("A"), job("B", device="kitchen_printer"), job("C", bad))
    run(Shop(Server(request(*jobs, version="3.00"))), test)


def test_an_answer_in_soap_is_dropped_without_a_word() -> None:
    soap = b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>' + document().encode()

    async def test(shop: Shop) -> None:
        await shop.polls(4)
        assert shop.printer.discarded == 1
        assert (shop.paper, shop.server.of("SetResponse")) == ([], [])

    run(Shop(Server(soap + b"</s:Body></s:Envelope>")), test)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>" + b" " * 3_000_000, "Data size is exceeded Too big print request"),
        (request("<ePOSPrint/>" * 5001), "Data size is exceeded Too many job requests"),
        (b"<PrintRequestInfo>", "Invalid XML format"),
    ],
)
def test_what_cannot_be_taken_is_told_as_that(body: bytes, words: str) -> None:
    async def test(shop: Shop) -> None:
        await until(lambda: bool(shop.server.of("SetResponse")))
        (form,) = shop.server.of("SetResponse")
        root = Tree.fromstring(form["ResponseFile"])
        assert root.find("ServerDirectPrint/Response[@Success='false']") is not None
        said = root.findtext(".//ErrorSummary", ""), root.findtext(".//ErrorDetail", "")
        assert words in " ".join(said)
        await until(lambda: len(shop.server.results) == 1)
        assert shop.server.results == [("ABC123", True, "")], "the next answer is taken"

    run(Shop(Server(body, request(job("ABC123")))), test)


def test_a_result_that_nobody_hears_is_told_until_somebody_does_and_nothing_is_fetched_meanwhile() -> None:
    server = Server(request(job("A")), request(job("B")))
    server.deaf = 3

    async def test(shop: Shop) -> None:
        await until(lambda: server.deaf == 1)
        assert len(server.of("GetRequest")) == 1
        assert shop.whole == 1
        await until(lambda: len(server.results) == 2)
        assert [token for token, _, _ in server.results] == ["A", "B"]
        assert shop.whole == 2
        assert shop.printer.failures == 3

    run(Shop(server), test)


def test_an_answer_that_is_lost_on_its_way_makes_a_result_come_twice() -> None:
    server = Server(request(job("A")))
    server.mute = 2

    async def test(shop: Shop) -> None:
        await until(lambda: len(server.results) == 3)
        await shop.polls()
        assert server.results == [("A", True, "")] * 3
        assert shop.whole == 1

    run(Shop(server), test)


def test_results_lost_and_repeated_by_hand() -> None:
    server = Server(request(job("A")), request(job("B")))

    async def test(shop: Shop) -> None:
        shop.printer.results_to_lose = shop.printer.results_to_repeat = 1
        await until(lambda: len(server.results) == 2)
        await shop.polls()
        assert server.results == [("B", True, ""), ("B", True, "")]
        assert shop.whole == 2

    run(Shop(server, first_s=0.02), test)


def test_a_server_that_is_away_is_asked_again_after_the_interval() -> None:
    async def main() -> None:
        server = Server()
        url = await server.start()
        await server.stop()
        shop = Shop(server)
        shop.printer = EpsonPrinter(shop.machine, "shop-17", url, interval_s=0.02)
        await shop.printer.start()
        await until(lambda: shop.printer.failures >= 3)
        server.answers.append(request(job("A")))
        await server.start()
        await until(lambda: server.results == [("A", True, "")])
        await shop.stop()

    asyncio.run(asyncio.wait_for(main(), 20.0))


def test_digest_authentication_and_a_wrong_password() -> None:
    async def right(shop: Shop) -> None:
        await until(lambda: len(shop.server.results) == 1)
        assert shop.server.challenges == 1, "the nonce is kept"

    async def wrong(shop: Shop) -> None:
        await until(lambda: shop.printer.failures >= 2)
        assert shop.server.forms == []

    run(Shop(Server(request(job("A")), secret="s3cret"), secret="s3cret"), right)
    run(Shop(Server(request(job("A")), secret="s3cret"), secret="guess"), wrong)


def test_status_is_told_at_its_own_interval() -> None:
    async def test(shop: Shop) -> None:
        await until(lambda: len(shop.server.of("SetStatus")) >= 2)
        shop.printer.act(VirtualPrinter.open_cover)
        shop.printer.act(lambda printer, now: printer.set_paper(now, 0.0))
        said = len(shop.server.of("SetStatus"))
        await until(lambda: len(shop.server.of("SetStatus")) >= said + 2)
        words = [
            Tree.fromstring(form["Status"]).find("printerstatus[@devicename='local_printer']")
            for form in shop.server.of("SetStatus")
        ]
        assert [word is not None and word.get("asbstatus") for word in (words[0], words[-1])] == [
            "0x0F000014",
            "0x0F0F003C",
        ]

    run(Shop(Server(), interval_s=30.0, status_interval_s=0.02), test)


def test_a_printer_in_trouble_says_so_at_once_and_prints_nothing() -> None:
    server = Server(request(job("A")), request(job("B")), request(job("C")))

    async def test(shop: Shop) -> None:
        shop.printer.act(lambda printer, now: printer.set_paper(now, 0.0))
        await until(lambda: len(server.results) == 1)
        shop.printer.act(lambda printer, now: printer.set_paper(now))
        shop.printer.act(VirtualPrinter.open_cover)
        await until(lambda: len(server.results) == 2)
        shop.printer.act(VirtualPrinter.close_cover)
        await until(lambda: len(server.results) == 3)
        assert server.results == [("A", False, "EPTR_REC_EMPTY"), ("B", False, "EPTR_COVER_OPEN"), ("C", True, "")]
        assert len(shop.paper) == shop.whole == 1

    run(Shop(server, first_s=0.02), test)


def test_a_job_that_takes_too_long_is_told_as_a_timeout_and_comes_out_later() -> None:
    server = Server(request(job("A", timeout_ms=30)))

    async def test(shop: Shop) -> None:
        shop.printer.act(VirtualPrinter.pause)
        await until(lambda: server.results == [("A", False, "EX_TIMEOUT")])
        assert shop.paper == []
        shop.printer.act(VirtualPrinter.go_on)
        await until(lambda: shop.whole == 1)
        await shop.polls()
        assert len(server.results) == 1

    run(Shop(server, first_s=0.02), test)


def test_a_job_can_be_asked_for_by_its_id() -> None:
    """TM-U220-i technical reference page 94: print data that are empty."""
    server = Server(request(job("A")), request(job("A", ""), job("B", "")))

    async def test(shop: Shop) -> None:
        await until(lambda: len(server.results) == 3)
        assert server.results == [("A", True, ""), ("A", True, ""), ("B", False, "JobNotFound")]
        assert len(shop.paper) == 1

    run(Shop(server), test)


EXPECTED: dict[Kind, tuple[int, list[tuple[bool, str]]]] = {
    # whole papers, results of the first job in the end
    "paper_end": (0, [(False, "EPTR_REC_EMPTY")]),
    "cover_open": (0, [(False, "EPTR_COVER_OPEN")]),
    "power_before": (0, []),
    "power_off": (0, []),
    "power_after": (1, []),
    "offline": (1, [(True, "")]),  # told when the link is back
    "lost_ack": (1, [(True, "")]),  # told late
    "wrong_codepage": (1, [(True, "")]),
    "no_print": (0, [(True, "")]),
    "overrun": (1, [(True, "")]),
    "duplicate": (2, [(True, "")]),
    "backlog": (1, [(True, "")]),
    "slow": (1, [(True, "")]),
    "flapping": (1, [(True, "")]),
    "half_open": (1, [(False, "EX_BADPORT")]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_and_what_is_told_of_it(kind: Kind) -> None:
    """The job after it is printed and told in peace."""
    server = Server(request(job("A")), request(job("B", document("后"))))

    async def test(shop: Shop) -> None:
        await until(lambda: ("B", True, "") in server.results)
        whole, told = EXPECTED[kind]
        await until(lambda: not shop.printer.owes)
        assert shop.printer.printer.counters.met == {kind: 1}
        said = {(success, code) for token, success, code in server.results if token == "A"}  # perhaps more than once
        assert said == set(told)
        assert sum(receipt.complete and receipt.text_lines != ("后",) for receipt in shop.paper) == whole

    assert set(EXPECTED) == set(KINDS)
    run(Shop(server, TicketFault(kind, after_mm=8.0, repair_s=0.4 * PAUSE)), test)


def test_an_answer_lost_for_good() -> None:
    server = Server(request(job("A")), request(job("B")))

    async def test(shop: Shop) -> None:
        await until(lambda: ("B", True, "") in server.results)
        await shop.polls()
        assert server.results == [("B", True, "")]
        assert shop.whole == 2

    run(Shop(server, TicketFault("lost_ack"), late_result_s=None), test)


def test_power_takes_along_what_was_not_told() -> None:
    server = Server(request(job("A")), request(job("B")))
    server.deaf = 1_000

    async def test(shop: Shop) -> None:
        await until(lambda: server.deaf < 999)
        shop.printer.act(VirtualPrinter.power_off)
        server.deaf = 0
        assert not shop.printer.owes
        shop.printer.act(lambda printer, now: printer.power_on())
        await until(lambda: bool(server.results))
        assert server.results == [("B", True, "")]
        assert shop.whole == 2

    run(Shop(server), test)


def test_off_line_it_asks_and_tells_nothing() -> None:
    async def test(shop: Shop) -> None:
        await shop.polls(1)
        shop.printer.act(lambda printer, now: printer.set_link(False))
        polls = shop.printer.polls
        await asyncio.sleep(4 * PAUSE)
        assert shop.printer.polls == polls
        shop.printer.act(lambda printer, now: printer.set_link(True))
        await shop.polls(1)

    run(Shop(Server(), status_interval_s=0.05), test)


def test_in_a_fleet() -> None:
    """A front end like any other; an idle printer has neither task nor connection."""

    async def main() -> None:
        server, paper = Server(request(job("A"))), []
        url = await server.start()
        how = {"interval_s": 0.05, "first_s": 0.01}
        spec = PrinterSpec(
            7, FAST, front=lambda number, printer: EpsonPrinter(Machine(printer), f"p{number}", url, **how)
        )
        async with Fleet(
            [spec], on_paper=lambda number, receipt, at: paper.append((number, receipt.complete))
        ) as fleet:
            await until(lambda: len(server.results) == 1)
            assert paper == [(7, True)]
            assert fleet.idle
            fleet.control(7).power_cut()
            assert fleet.counters().faults == 1
            await fleet.stop()
        await server.stop()
        await EpsonPrinter(Machine(VirtualPrinter(FAST, on_paper=lambda receipt, at: None)), "p8", url).stop()

    asyncio.run(asyncio.wait_for(main(), 20.0))
