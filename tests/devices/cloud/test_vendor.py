"""A14: the stand-in for vendors' clouds: one print a job, waiting, expiring, telling; and what a kill leaves."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from o2o_devices.cloud.vendor import Account, VendorCloud
from o2o_devices.cloud.vendor_api import create_vendor_cloud
from o2o_devices.cloud.vendor_book import Book, Job, read_jobs
from o2o_devices.cloud.vendor_fleet import address_of, vendor_fleet
from o2o_devices.cloud.vendor_plan import AS_ASKED, Plan, parse_plan
from o2o_devices.cloud.vendor_printer import NO_PAPER, OFFLINE, ONLINE, VendorPrinter
from o2o_devices.control import Control
from o2o_devices.errors import ControlError
from o2o_devices.faults import TicketFault
from o2o_devices.mechanism import Profile
from o2o_devices.receipt import Receipt

pytestmark = pytest.mark.anyio

FAST = Profile(name="fast", mm_s=50_000.0, cut_s=0.0, heat_mm=1e9, on_paper_end="resume")
ACCOUNT = Account("shop", "ukey", "1098", "secret", "access", "http://platform/printing/yilianyun")
QUICK = Plan(push_pause_s=0.01, late_s=0.01, hang_s=0.05, lag_s=(0.05, 0.05))
FEIE, YILIANYUN = "960000000", "4004000001"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def eventually(check: Callable[[], Any], limit_s: float = 10.0) -> Any:
    end = time.monotonic() + limit_s
    while not (seen := check()):
        assert time.monotonic() < end, f"not within {limit_s} s; last seen: {seen!r}"
        await asyncio.sleep(0.002)
    return seen


class Listener:
    """The platform's side: what it was told, and what it answers."""

    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, str]]] = []
        self.answers: list[httpx.Response] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.told.append((request.url.path, dict(parse_qsl(request.content.decode()))))
        return self.answers.pop(0) if self.answers else httpx.Response(200, json={"data": "OK"})

    def results(self) -> list[dict[str, str]]:
        return [form for _, form in self.told if form.get("cmd") != "oauth_printStatus"]


class Town:
    """A cloud with one printer of each vendor (0: Feie, 1: Yilianyun)."""

    def __init__(self, plan: Plan, book: Path | None, faults: dict[tuple[int, int], TicketFault]) -> None:
        self.listener = Listener()
        self.paper: list[tuple[int, Receipt]] = []
        self.clock = time.time
        self.cloud = VendorCloud(
            ACCOUNT, Book(book), plan, now=lambda: self.clock(), transport=httpx.MockTransport(self.listener)
        )
        self.fleet = vendor_fleet(
            self.cloud,
            2,
            on_paper=lambda number, receipt, at: self.paper.append((number, receipt)),
            profile=FAST,
            plan=lambda number, ticket: faults.get((number, ticket)),
        )
        self.app = create_vendor_cloud(self.cloud, self.fleet)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://cloud")

    def front(self, number: int) -> VendorPrinter:
        found = self.fleet.front(number)
        assert isinstance(found, VendorPrinter)
        return found

    def control(self, number: int) -> Control:
        return self.fleet.control(number)

    def texts(self) -> list[str]:
        return [receipt.text for _, receipt in self.paper]

    async def feie(self, apiname: str, **fields: Any) -> Any:
        stime = str(int(time.time()))
        signed = {"user": "shop", "stime": stime, "sig": hashlib.sha1(f"shopukey{stime}".encode()).hexdigest()}
        answer = await self.client.post("/Api/Open/", data={**signed, "apiname": apiname, **fields})
        return answer.json()

    async def feie_print(self, content: str = "甲<BR><CUT>", **fields: Any) -> Any:
        form = {"sn": FEIE, "content": content, "times": "1", "backurl": "http://platform/printing/feie/t/m", **fields}
        return await self.feie("Open_printMsg", **form)

    async def yilianyun(self, path: str, **fields: Any) -> Any:
        stamp = str(int(time.time()))
        signed = {
            "client_id": "1098", "access_token": "access", "timestamp": stamp,
            "sign": hashlib.md5(f"1098{stamp}secret".encode()).hexdigest(), "machine_code": YILIANYUN,
        }  # fmt: skip
        return (await self.client.post(path, data={**signed, **fields})).json()

    async def yilianyun_print(self, origin_id: str, content: str = "乙\n", idempotence: str = "1") -> Any:
        return await self.yilianyun("/print/index", content=content, origin_id=origin_id, idempotence=idempotence)

    def job(self, job_id: str) -> Job:
        return self.cloud.book.jobs[job_id]


@asynccontextmanager
async def town_with(
    plan: Plan = QUICK, book: Path | None = None, faults: dict[tuple[int, int], TicketFault] | None = None
) -> AsyncIterator[Town]:
    town = Town(plan, book, faults or {})
    async with town.app.router.lifespan_context(town.app), town.client:
        yield town


@pytest.fixture
async def town(anyio_backend: str) -> AsyncIterator[Town]:
    async with town_with() as opened:
        yield opened


def test_addresses_name_their_printers() -> None:
    assert [address_of(number, "both") for number in (0, 1, 2)] == [
        f"feie://{FEIE}", f"yilianyun://{YILIANYUN}", "feie://960000002"
    ]  # fmt: skip
    assert address_of(1, "feie") == "feie://960000001"


async def test_feie_prints_tells_and_answers_for_the_job(town: Town) -> None:
    taken = await town.feie_print("<CB>大</CB><BR>小<BR><QR>http://x/1</QR><BR><CUT>")
    assert taken["ret"] == 0
    assert taken["data"].startswith(f"{FEIE}_")
    await eventually(lambda: town.job(taken["data"]).told)
    ((number, paper),) = town.paper
    assert number == 0
    assert (paper.text.split(), paper.qr) == (["大", "小"], ("http://x/1",))
    ((path, form),) = town.listener.told
    assert path == "/printing/feie/t/m"
    assert (form["orderId"], form["status"]) == (taken["data"], "1")
    assert form["sign"] == hashlib.sha1(f"shopukey{form['stime']}".encode()).hexdigest()
    assert (await town.feie("Open_queryOrderState", orderid=taken["data"]))["data"] is True
    assert (await town.feie("Open_queryPrinterStatus", sn=FEIE))["data"] == "在线，工作状态正常"
    assert (await town.feie("Open_queryOrderInfoByDate", sn=FEIE))["data"] == {"print": 1, "waiting": 0}


async def test_yilianyun_prints_an_origin_id_once_and_tells(town: Town) -> None:
    first = await town.yilianyun_print("o2o-1.5")
    again = await town.yilianyun_print("o2o-1.5", "丙\n")
    assert first == again
    other = await town.yilianyun_print("o2o-2.5")
    assert other["body"]["id"] != first["body"]["id"]
    await eventually(lambda: len(town.listener.results()) == 2)
    assert town.texts() == ["乙", "乙"]
    form = town.listener.results()[0]
    assert (form["cmd"], form["origin_id"], form["state"]) == ("oauth_finish", "o2o-1.5", "1")
    assert form["sign"] == hashlib.md5(f"1098{form['push_time']}secret".encode()).hexdigest()
    assert (await town.yilianyun("/printer/getorderstatus", order_id=first["body"]["id"]))["body"]["status"] == 1
    town.clock = lambda: time.time() + 7300.0  # after two hours it stands for a new job
    assert (await town.yilianyun_print("o2o-1.5"))["body"]["id"] != first["body"]["id"]
    assert (await town.yilianyun_print("o2o-2.5", idempotence="0"))["body"]["id"] != other["body"]["id"]


async def test_nobody_is_believed_without_a_signature(town: Town) -> None:
    form = {"user": "shop", "stime": "1", "sig": "0" * 40, "apiname": "Open_printMsg", "sn": FEIE, "content": "甲"}
    assert (await town.client.post("/Api/Open/", data=form)).json()["ret"] == -2
    for wrong in ({"sign": "0" * 32}, {"access_token": "x"}, {"client_id": "x"}, {"timestamp": "1"}):
        assert (await town.yilianyun("/print/index", content="乙", origin_id="a", **wrong))["error"] == "2"
    assert town.cloud.book.jobs == {}


@pytest.mark.parametrize(
    ("fields", "ret"),
    [
        ({"sn": "1"}, 1002),
        ({"content": ""}, 1003),
        ({"expired": "soon"}, 1004),
        ({"expired": str(int(time.time()) + 90_000)}, 1004),
    ],
)
async def test_feie_refuses_what_it_cannot_print(town: Town, fields: dict[str, str], ret: int) -> None:
    assert (await town.feie_print(**fields))["ret"] == ret
    assert town.cloud.book.jobs == {}


async def test_jobs_wait_for_a_printer_that_is_away_and_come_out_in_order(town: Town) -> None:
    town.control(0).offline()
    for name in "甲乙丙":
        await town.feie_print(f"{name}<BR><CUT>")
    await asyncio.sleep(0.02)
    assert town.paper == []
    town.control(0).online()
    await eventually(lambda: len(town.paper) == 3)
    assert town.texts() == ["甲", "乙", "丙"]


async def test_what_has_expired_is_not_printed_when_the_printer_is_back(town: Town) -> None:
    town.control(0).power_cut()
    soon = await town.feie_print("甲<BR><CUT>", expired=str(int(time.time()) + 5))
    later = await town.feie_print("乙<BR><CUT>", expired=str(int(time.time()) + 500))
    town.clock = lambda: time.time() + 60.0
    town.control(0).power_on()
    await eventually(lambda: town.job(later["data"]).told)
    assert town.texts() == ["乙"]
    assert town.job(soon["data"]).state == "expired"
    assert (await town.feie("Open_queryOrderState", orderid=soon["data"]))["data"] is False
    assert [form["orderId"] for form in town.listener.results()] == [later["data"]]


async def test_a_waiting_job_can_be_withdrawn_and_a_printed_one_not(town: Town) -> None:
    town.control(1).paper_end()
    waiting = (await town.yilianyun_print("a"))["body"]["id"]
    assert (await town.yilianyun("/printer/cancelone", order_id=waiting))["body"]["status"] == 2
    town.control(1).refill()
    printed = (await town.yilianyun_print("b", "丙\n"))["body"]["id"]
    await eventually(lambda: town.job(printed).told)
    assert (await town.yilianyun("/printer/cancelone", order_id=printed))["body"]["status"] == 1
    assert town.texts() == ["丙"]


async def test_the_status_lags(town: Town) -> None:
    printer = town.front(1)
    assert printer.believed() == ONLINE
    now = time.time()
    town.clock = lambda: now
    town.control(1).offline()
    assert printer.believed() == ONLINE
    assert (await town.yilianyun("/printer/getprintstatus"))["body"]["state"] == "1"
    now += 0.06
    assert printer.believed() == OFFLINE
    assert (await town.yilianyun("/printer/getprintstatus"))["body"]["state"] == "0"
    town.control(1).online()
    assert printer.believed() == ONLINE
    town.control(1).paper_end()
    assert printer.believed() == NO_PAPER
    told = await eventually(lambda: [form for _, form in town.listener.told if form.get("state") == "2"])
    assert told[0]["cmd"] == "oauth_printStatus"


async def test_a_result_is_pushed_three_times_at_most_and_only_a_good_answer_ends_it(town: Town) -> None:
    town.listener.answers = [httpx.Response(200, json={"data": "no"}), httpx.Response(503)]
    first = (await town.yilianyun_print("a"))["body"]["id"]
    await eventually(lambda: town.job(first).told)
    assert len(town.listener.results()) == 3
    town.listener.answers = [httpx.Response(500)] * 3
    second = await town.feie_print()
    await eventually(lambda: town.job(second["data"]).told)
    assert [form.get("orderId") for form in town.listener.results()[3:]] == [second["data"]] * 3
    assert town.job(second["data"]).pushes == 3


async def test_a_lost_answer_of_the_printer_is_never_printed_again(anyio_backend: str) -> None:
    """The paper is out, the cloud does not know: it neither tells nor tries again."""
    faults = {(0, 0): TicketFault("lost_ack"), (1, 0): TicketFault("power_after", repair_s=0.05)}
    async with town_with(faults=faults) as town:
        lost = await town.feie_print()
        cut = (await town.yilianyun_print("a"))["body"]["id"]
        await eventually(lambda: {town.job(lost["data"]).state, town.job(cut).state} == {"unknown"})
        after = await town.feie_print("后<BR><CUT>")
        await eventually(lambda: town.job(after["data"]).told)
        assert sorted(town.texts()) == ["乙", "后", "甲"]
        assert (await town.feie("Open_queryOrderState", orderid=lost["data"]))["data"] is False
        assert (await town.yilianyun("/printer/cancelone", order_id=cut))["body"]["status"] == 0


async def test_the_word_of_a_printer_whose_link_is_down_comes_when_it_is_up(anyio_backend: str) -> None:
    """Paper is out and nobody knows yet; a power cut meanwhile makes it forget."""
    faults = {(0, 0): TicketFault("offline", repair_s=60.0), (1, 0): TicketFault("offline", repair_s=60.0)}
    async with town_with(faults=faults) as town:
        kept = (await town.feie_print())["data"]
        forgotten = (await town.yilianyun_print("a"))["body"]["id"]
        await eventually(lambda: len(town.paper) == 2)
        await asyncio.sleep(0.02)
        assert {town.job(kept).state, town.job(forgotten).state} == {"printing"}
        town.control(1).power_cut()
        town.control(1).power_on()
        for number in (0, 1):
            town.control(number).online()
        await eventually(lambda: town.job(kept).told)
        await eventually(lambda: town.job(forgotten).state == "unknown")
        assert len(town.paper) == 2


async def test_a_slow_link_takes_its_time(town: Town) -> None:
    town.control(0).slow_link(1000.0)
    job = (await town.feie_print("甲" * 200 + "<BR><CUT>"))["data"]
    await asyncio.sleep(0.1)
    assert town.job(job).state == "waiting"
    town.control(0).slow_link(None)
    await eventually(lambda: town.job(job).told)


@pytest.mark.parametrize(("fate", "pushes"), [("lost", 0), ("doubled", 2), ("late", 1), ("unanswered", 1)])
async def test_fates_of_a_job(anyio_backend: str, fate: str, pushes: int) -> None:
    plan = Plan(push_pause_s=0.01, late_s=0.01, hang_s=0.05, lag_s=(0.0, 0.0), **{fate: 1.0})  # type: ignore[arg-type]
    async with town_with(plan) as town:
        job = await town.feie_print()
        await eventually(lambda: town.job(job["data"]).told)
        assert town.texts() == ["甲"]
        assert len(town.listener.results()) == pushes
        counts = (await town.client.get("/plan")).json()["counts"]
        assert (counts[f"fate_{fate}"], counts["printed"], counts["open"]) == (1, 1, 0)


def test_a_plan_draws_the_same_fates_again() -> None:
    plan = parse_plan("lost=0.2, doubled=0.1,unanswered=0.05,lag_s=3", seed=7)
    fates = [plan.fate(number) for number in range(4000)]
    assert fates == [plan.fate(number) for number in range(4000)]
    for fate, share in (("lost", 0.2), ("doubled", 0.1), ("unanswered", 0.05), (AS_ASKED, 0.65)):
        assert abs(fates.count(fate) / 4000 - share) < 0.03
    assert plan.lag_of("1", 1) == 3.0
    for wrong in ("lost", "lost=x", "lost=2", "none=0.1", "lost=0.9,doubled=0.9"):
        with pytest.raises(ControlError):
            parse_plan(wrong, 0)


async def test_a_killed_cloud_goes_on_where_it_was(anyio_backend: str, tmp_path: Path) -> None:
    """What was taken is printed once, what was printed and not told is told, what was under way is nobody's to know."""
    file = tmp_path / "jobs.jsonl"
    book = Book(file)
    for name, state in (("w", "waiting"), ("p", "printing"), ("d", "printed"), ("t", "printed")):
        job = Job(name, "feie", FEIE, time.time(), f"{name}<BR><CUT>", backurl=f"http://platform/{name}")
        book.take(job)
        job.state = state  # type: ignore[assignment]
        job.told = name == "t"
        book.note(job)
    book.take(Job("y", "yilianyun", YILIANYUN, time.time(), "y\n", origin_id="a"))
    book.close()
    with file.open("ab") as torn:
        torn.write(b'{"id":"half","brand":"fei')
    async with town_with(book=file) as town:
        await eventually(lambda: sorted(town.texts()) == ["w", "y"])
        await eventually(lambda: len(town.listener.results()) == 3)
        assert sorted(path for path, _ in town.listener.told) == ["/d", "/printing/yilianyun", "/w"]
        assert (await town.yilianyun_print("a"))["body"]["id"] == "y"
        assert town.job("p").state == "unknown"
    assert {job.id: job.state for job in read_jobs(file)} == {
        "w": "printed", "p": "unknown", "d": "printed", "t": "printed", "y": "printed"
    }  # fmt: skip
    async with town_with(book=file) as town:
        await asyncio.sleep(0.05)
        assert town.paper == []
        assert town.listener.told == []


async def test_hands_on_a_printer_over_http(town: Town) -> None:
    looks = (await town.client.post(f"/printers/feie/{FEIE}/paper_end")).json()
    assert looks["stopped_by"] == "paper_end"
    assert (await town.client.post(f"/printers/feie/{FEIE}/refill")).json()["stopped_by"] is None
    assert (await town.client.post(f"/printers/feie/{FEIE}/explode")).status_code == 404
    assert (await town.client.post("/printers/feie/1/refill")).status_code == 404
    assert (await town.client.put("/plan", json={"lost": 2})).status_code == 422
    assert (await town.client.put("/plan", json={"lost": 0.5, "lag_s": [1, 2]})).json()["plan"]["lost"] == 0.5
