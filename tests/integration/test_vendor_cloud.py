"""A14: orders through a vendor's cloud to paper, process by process: lost callbacks, killed clouds, faulty printers.

What must hold whatever happens: a ticket is on paper once at most; one that is printed is on paper; one that failed is
not; whatever the cloud knows to be printed the platform comes to know; and nothing stays open.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import servers
from o2o_devices.cloud.vendor_book import Job, read_jobs
from o2o_devices.cloud.vendor_fleet import address_of
from o2o_devices.paper import read_paper
from o2o_domain.ticket_layout import parse

pytestmark = pytest.mark.anyio

PATIENCE_S = 90.0
PASSWORD = "only-for-this-test"
ORDERS, MERCHANTS = 50, 6
CLOUD_FAULTS = "lost=0.15,doubled=0.15,late=0.1,late_s=1,unanswered=0.12,hang_s=1.5,lag_s=0.5,push_pause_s=0.3"
PRINTER_FAULTS = "paper_end=0.04,cover_open=0.04,power_off=0.04,power_after=0.04,lost_ack=0.04,offline=0.04"
SETTINGS = {
    "ADMIN_PASSWORD": PASSWORD,
    "ENFORCE_HOURS": "false",
    "FEIE_USER": "shop",
    "FEIE_UKEY": "ukey-for-this-test",
    "YILIANYUN_CLIENT_ID": "1098",
    "YILIANYUN_CLIENT_SECRET": "secret-for-this-test",
    "YILIANYUN_ACCESS_TOKEN": "access-for-this-test",
    "VENDOR_TIMEOUT_S": "0.7",
    "VENDOR_POLL_S": "0.6",
    "PRINT_ACK_TIMEOUT_S": "4",
    "PRINT_BACKOFF_S": "0.2",
    "PRINT_MAX_ATTEMPTS": "30",
    "PRINT_RESULT_S": "3",
    "BREAKER_OPEN_S": "0.5",
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Process:
    """A command of ours that says when it is ready."""

    def __init__(self, folder: Path, name: str, environment: dict[str, str]) -> None:
        self.log = folder / f"{name}.log"
        self._folder = folder
        self._environment = environment
        self._process: subprocess.Popen[str] | None = None

    def start(self, *words: str) -> dict[str, Any]:
        """Start it and wait until it is ready; what it says then."""
        argv = [sys.executable, "-m", "o2o_cli.main", *words, "--announce"]
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                argv, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment, cwd=self._folder
            )
        stuck = threading.Timer(PATIENCE_S, self._process.kill)
        stuck.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        stuck.cancel()
        assert line, self.log.read_text()
        said: dict[str, Any] = json.loads(line)
        return said

    def end(self, how: signal.Signals) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(PATIENCE_S)
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()


class Place:
    """A platform, and a vendors' cloud with its book and its paper."""

    def __init__(self, folder: Path, deployment: str, settings: dict[str, str], extra: tuple[str, ...]) -> None:
        self.folder = folder
        self.jobs_file, self.paper_file = folder / "jobs.jsonl", folder / "paper.jsonl"
        self._kept = [kept_port() for _ in range(3)]
        self.port, at, pay_at = (one.getsockname()[1] for one in self._kept)
        self._state = folder / "state" if deployment == "scaled" else None
        self.base_url = ""
        bare = {name: value for name, value in os.environ.items() if not name.startswith("O2O_")}
        url = f"http://127.0.0.1:{self.port}"
        mine = {**SETTINGS, **settings, "FEIE_URL": f"{url}/Api/Open/", "YILIANYUN_URL": url}
        environment = {**bare, **{f"O2O_{name}": value for name, value in mine.items()}}
        self.platform = Process(folder, "platform", environment)
        self.cloud = Process(folder, "cloud", environment)
        self._platform_words: tuple[str, ...] = ("serve", "--port", str(at), "--provider-port", str(pay_at))
        self._platform_words += ("--database", f"sqlite:///{folder}/served.db")
        if deployment == "scaled":
            database, redis = extra
            self._platform_words = ("up", "--state", str(folder / "state"), "--port", "0", "--printers", "0")
            self._platform_words += ("--workers", "2", "--database", database, "--redis", redis)

    def start_platform(self) -> None:
        self.base_url = self.platform.start(*self._platform_words)["base_url"]

    def kill_who_prints(self) -> None:
        """kill -9: the platform, or the dispatcher of a scaled one, which its supervisor starts again."""
        if self._state is None:
            self.platform.end(signal.SIGKILL)
            self.start_platform()
            return
        table = json.loads((self._state / "up.json").read_text())
        (pid,) = (row["pid"] for row in table["processes"] if row["kind"] == "dispatcher")
        os.kill(pid, signal.SIGKILL)

    def start_cloud(self, *words: str) -> None:
        where = ("--port", str(self.port), "--platform-url", self.base_url, "--count", str(MERCHANTS))
        files = ("--jobs", str(self.jobs_file), "--paper", str(self.paper_file))
        self.cloud.start("vendor-cloud", *where, *files, "--mm-s", "2000", "--seed", "11", *words)

    def jobs(self) -> list[Job]:
        return list(read_jobs(self.jobs_file))

    def copies(self) -> Counter[str]:
        """Whole tickets on paper, by order number."""
        found = [parse(paper.lines) for paper in read_paper(self.paper_file) if paper.complete]
        return Counter(ticket.order_no for ticket in found if ticket.order_no is not None and ticket.complete)

    async def act(self, number: int, what: str) -> None:
        brand, _, serial = address_of(number, "both").partition("://")
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"http://127.0.0.1:{self.port}/printers/{brand}/{serial}/{what}")
        assert answer.status_code == 200, answer.text

    def close(self) -> None:
        self.cloud.end(signal.SIGTERM)
        self.platform.end(signal.SIGTERM)
        for one in self._kept:
            one.close()


def kept_port() -> socket.socket:
    """A port that nobody is given by chance: bound, and not listened on, so that who means it can have it."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    return kept


@pytest.fixture
def place_with(tmp_path: Path) -> Iterator[Callable[..., Place]]:
    """A function: a platform of this deployment with these settings, running, and a cloud that is not yet."""
    with contextlib.ExitStack() as stack:

        def make(deployment: str, **settings: str) -> Place:
            extra: tuple[str, ...] = ()
            if deployment == "scaled":
                database = stack.enter_context(servers.postgres_database())
                redis, prefix = stack.enter_context(servers.redis_prefix())
                extra, settings["REDIS_PREFIX"] = (database, redis), prefix
            made = Place(tmp_path, deployment, settings, extra)
            stack.callback(made.close)
            made.start_platform()
            return made

        yield make


async def until(look: Callable[[], Any], what: str, limit_s: float = PATIENCE_S) -> Any:
    """What awaiting `look()` gives once it is true."""
    end = time.monotonic() + limit_s
    while not (found := await look()):
        assert time.monotonic() < end, f"not within {limit_s:g} s: {what}"
        await asyncio.sleep(0.2)
    return found


@pytest.mark.parametrize("deployment", ["embedded", "scaled"])
async def test_fifty_orders_with_every_fault_and_everything_killed_once(
    place_with: Callable[..., Place], town_of: Any, deployment: str, anyio_backend: str
) -> None:
    place = place_with(deployment, PRINT_DEADLINE_S="60")
    words = ("--cloud-faults", CLOUD_FAULTS, "--faults", PRINTER_FAULTS, "--repair", "0.7")
    place.start_cloud(*words)
    town = town_of(place.base_url, PASSWORD)
    async with town.client:
        await town.log_in()
        shops = [await town.merchant(f"shop-{number}", address_of(number, "both")) for number in range(MERCHANTS)]
        token = await town.account("lin", "consumer")
        for number in range(ORDERS):
            placed = await town.order(token, shops[number % MERCHANTS])
            await town.pay(placed)
            if number == ORDERS // 2:
                place.cloud.end(signal.SIGKILL)
                await asyncio.sleep(0.5)
                place.start_cloud(*words)
            elif number == ORDERS * 3 // 4:
                await asyncio.to_thread(place.kill_who_prints)

        async def settled() -> Any:
            rows = await town.export("tickets")
            open_ones = [row for row in rows if row["state"] in ("queued", "offered", "claimed")]
            states = {job.state for job in place.jobs()}
            return len(rows) == ORDERS and not open_ones and not states & {"waiting", "printing"}

        await until(settled, "every ticket and every job has come to its end")

        async def known() -> Any:
            """All that the cloud knows to be printed is printed to the platform: by callback, or because it asked."""
            rows = {f"o2o-{row['ticket_id']}": row for row in await town.export("tickets")}
            return told_of(place.jobs(), rows)

        await until(known, "what is printed is known, callback or not", 30.0)
        tickets = await town.export("tickets")
        orders = {row["order_id"]: row["order_no"] for row in await town.export("orders")}
    jobs, copies = place.jobs(), place.copies()
    for row in tickets:
        on_paper = copies[orders[row["order_id"]]]
        assert on_paper <= 1, row
        if row["state"] == "printed":
            assert on_paper == 1, row
        if row["state"] == "failed":
            assert on_paper == 0, row
    states, fates = Counter(row["state"] for row in tickets), Counter(job.fate for job in jobs)
    assert states["printed"] >= ORDERS * 0.6, states
    assert min(fates[fate] for fate in ("lost", "doubled", "unanswered")) >= 1, fates
    assert any(job.state == "printed" and job.fate == "lost" for job in jobs)
    secrets = [value for name, value in SETTINGS.items() if name.endswith(("UKEY", "SECRET", "TOKEN"))]
    for log in place.folder.rglob("*.log"):
        assert not any(secret in log.read_text() for secret in secrets), log


def told_of(jobs: list[Job], rows: dict[str, Any]) -> bool:
    """Whether each job that is printed is so to the platform. One whose answer and callback both failed cannot be
    known: nobody has its id."""
    for job in jobs:
        token = job.origin_id or job.backurl.split("/")[-2]
        row = rows[token.partition(".")[0]]
        unknowable = row["code"] in ("silent", "restarted", "connection_lost") and job.fate == "lost"
        if job.state == "printed" and row["state"] != "printed" and not unknowable:
            return False
    return True


@pytest.mark.parametrize("deployment", ["embedded", "scaled"])
async def test_a_backlog_is_not_printed_when_the_printer_is_back_too_late(
    place_with: Callable[..., Place], town_of: Any, deployment: str, anyio_backend: str
) -> None:
    place = place_with(deployment, PRINT_DEADLINE_S="4", PRINT_RESULT_S="3")
    place.start_cloud("--cloud-faults", "lag_s=1")
    town = town_of(place.base_url, PASSWORD)
    async with town.client:
        await town.log_in()
        shops = [await town.merchant(f"shop-{number}", address_of(number, "both")) for number in (0, 1)]
        token = await town.account("lin", "consumer")
        for number in (0, 1):
            await place.act(number, "power_cut")
            for _ in range(3):
                await town.pay(await town.order(token, shops[number]))

        async def given_up() -> Any:
            rows = await town.export("tickets")
            ends = Counter((row["state"], row["code"]) for row in rows)
            return ends == {("unconfirmed", "no_result"): 3, ("failed", "expired"): 3} and rows

        await until(given_up, "Feie's jobs are unconfirmed, Yilianyun's are withdrawn")
        await asyncio.sleep(1.5)  # past Feie's whole seconds of `expired`
        for number in (0, 1):
            await place.act(number, "power_on")
        fresh = [await town.order(token, shop) for shop in shops]
        for placed in fresh:
            await town.pay(placed)

        async def printed() -> Any:
            rows = await town.export("tickets")
            return sum(row["state"] == "printed" for row in rows) == 2

        await until(printed, "what is ordered after that is printed")
    assert place.copies() == {placed["order_no"]: 1 for placed in fresh}
    assert Counter(job.state for job in place.jobs()) == {"expired": 3, "cancelled": 3, "printed": 2}
