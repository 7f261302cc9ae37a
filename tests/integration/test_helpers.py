"""S11, A3: the helpers of the order path are killed, and stopped in mid-air, one after the other; orders go on.

Platform and helpers are processes of their own; a helper is killed by its id (kill -9) while orders and pages are
asked for without a pause, is missed until its breaker has opened, and comes back on the same port until it has closed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.anyio

NAMES = ("recommendation", "risk", "reviews")
PATIENCE_S = 60.0
SHOPS, USERS = 4, 120
OPEN_S = 0.4
MISSED = 60
"""Orders that are placed while a helper is away, at least."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class HelperProcess:
    """`python -m o2o_platform.helpers NAME`, on one port and one file whenever it is started."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self.port = 0
        self.process: subprocess.Popen[str] | None = None
        self._folder = folder

    def start(self) -> None:
        argv = [sys.executable, "-m", "o2o_platform.helpers", self.name, "--port", str(self.port)]
        argv += ["--data", str(self._folder / f"{self.name}.db"), "--stop-on-eof"]
        with (self._folder / f"{self.name}.log").open("a") as log:
            self.process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=self._folder
            )
        stuck = threading.Timer(PATIENCE_S, self.process.kill)
        stuck.start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        stuck.cancel()
        assert line, (self._folder / f"{self.name}.log").read_text()
        self.port = int(json.loads(line)["base_url"].rsplit(":", 1)[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def end(self, how: signal.Signals) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(how)
        code = self.process.wait(PATIENCE_S)
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            stream.close()
        return code


@pytest.fixture
def helpers(tmp_path: Path) -> Iterator[dict[str, HelperProcess]]:
    made = {name: HelperProcess(name, tmp_path) for name in NAMES}
    try:
        for helper in made.values():
            helper.start()
        yield made
    finally:
        for helper in made.values():
            if helper.process is not None and helper.process.poll() is None:
                helper.end(signal.SIGKILL)


async def eventually(check: Callable[[], Awaitable[Any]]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (seen := await check()):
        assert time.monotonic() < end, f"not within {PATIENCE_S} s; last seen: {seen!r}"
        await asyncio.sleep(0.05)
    return seen


@dataclass
class Street:
    """Users who order, and look at pages, without a pause; what they were answered."""

    town: Any
    shops: list[dict[str, Any]]
    tokens: list[str]
    orders: list[int] = field(default_factory=list)
    """Statuses."""
    pages: list[tuple[int, list[str]]] = field(default_factory=list)
    """Statuses, and what was missing."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    async def walk(self) -> None:
        while True:
            number = next(self._numbers)
            shop = self.shops[number % SHOPS]
            order, page = await asyncio.gather(
                self.town.client.post(
                    "/orders",
                    json={
                        "merchant_id": shop["id"],
                        "items": [{"dish_id": shop["dishes"][0]["id"], "qty": 1}],
                        "drop": {"lat": 30.01, "lng": 120.0, "address": "文一路 1 号", "phone": "13812345678"},
                    },
                    headers={
                        "Authorization": f"Bearer {self.tokens[number % USERS]}",
                        "Idempotency-Key": f"street-{number}",
                    },
                ),
                self.town.client.get(f"/merchants/{shop['id']}/page"),
            )
            self.orders.append(order.status_code)
            self.pages.append((page.status_code, page.json()["degraded"]))

    async def after(self, more: int) -> None:
        """Wait until so many more orders were answered."""
        wanted = len(self.orders) + more

        async def enough() -> bool:
            return len(self.orders) >= wanted

        await eventually(enough)


@asynccontextmanager
async def busy_street(town: Any) -> Any:
    body = [
        {
            "ref": f"shop-{n}", "name": f"店 {n}", "lat": 30.0, "lng": 120.0, "open_min": 0, "close_min": 1440,
            "dishes": [{"ref": f"dish-{n}", "name": "面", "price_fen": 1800, "stock": 100_000}],
        }
        for n in range(SHOPS)
    ]  # fmt: skip
    await town.log_in()
    shops = (await town.post(town._admin, "/admin/merchants:bulk", body))["merchants"]
    accounts = [{"ref": f"user-{n}", "role": "consumer"} for n in range(USERS)]
    tokens = [row["token"] for row in (await town.post(town._admin, "/admin/accounts:bulk", accounts))["accounts"]]
    street = Street(town, shops, tokens)
    walkers = [asyncio.create_task(street.walk()) for _ in range(4)]
    try:
        yield street
    finally:
        for walker in walkers:
            walker.cancel()
        ended = await asyncio.gather(*walkers, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ended), ended


def closing_of(rows: list[dict[str, Any]], helper: str) -> list[dict[str, Any]]:
    """Changes of a helper's breaker, if the last one closed it."""
    mine = [row for row in rows if row["helper"] == helper]
    return mine if mine and mine[-1]["to_state"] == "closed" else []


async def test_each_helper_is_killed_in_turn_and_every_order_is_taken(
    served: Any, town_of: Any, password: str, helpers: dict[str, HelperProcess], anyio_backend: str
) -> None:
    platform = served(
        **{f"{name}_url": helper.url for name, helper in helpers.items()},
        helper_timeout_s=10.0,  # a dead helper refuses at once; a busy machine is no reason to distrust a living one
        breaker_open_s=OPEN_S,
        durable=False,
    )
    await asyncio.to_thread(platform.start)
    town = town_of(platform.base_url, password)
    async with busy_street(town) as street:
        await street.after(30)
        for name, helper in helpers.items():

            async def opened(name: str = name) -> Any:
                return [row for row in await town.export("breakers") if row["helper"] == name]

            async def closed(name: str = name) -> Any:
                return closing_of(await town.export("breakers"), name)

            killed = time.time()
            assert await asyncio.to_thread(helper.end, signal.SIGKILL) == -signal.SIGKILL
            first = (await eventually(opened))[0]
            assert (first["from_state"], first["to_state"], first["reason"]) == (
                *("closed", "open"),
                "failures_in_a_row",
            )
            assert killed <= first["at"] <= time.time()
            await street.after(MISSED)
            back = time.time()
            await asyncio.to_thread(helper.start)
            rows = await eventually(closed)
            assert rows[-1]["reason"] == "trials_passed"
            assert back <= rows[-1]["at"] <= time.time()
            assert rows[-2]["to_state"] == "half_open"
            _moves_as_the_table_says(rows)
            await street.after(20)
        assert len(street.orders) >= 300

    assert street.orders.count(201) / len(street.orders) >= 0.999, set(street.orders)
    assert {status for status, _ in street.pages} == {200}
    missing = {name for _, names in street.pages for name in names}
    assert missing == {"recommendation", "reviews"}
    assert street.pages[-1][1] == []
    risks = [row["risk"] for row in await town.export("orders")]
    assert risks.count("unknown") >= MISSED
    assert risks[0] in ("allow", "review")
    assert risks[-1] in ("allow", "review")
    assert platform.end(signal.SIGTERM) == 0


async def test_a_helper_that_hangs_costs_its_time_out_and_no_order(
    served: Any, town_of: Any, password: str, helpers: dict[str, HelperProcess], anyio_backend: str
) -> None:
    """Stopped, not killed: connections are taken and nothing answers."""
    risk = helpers["risk"]
    platform = served(risk_url=risk.url, helper_timeout_s=0.25, breaker_open_s=OPEN_S, durable=False)
    await asyncio.to_thread(platform.start)
    town = town_of(platform.base_url, password)
    async with busy_street(town) as street:
        await street.after(30)
        risk.signal(signal.SIGSTOP)

        async def opened() -> Any:
            return [row for row in await town.export("breakers") if row["to_state"] == "open"]

        await eventually(opened)
        await street.after(MISSED)
        risk.signal(signal.SIGCONT)

        async def closed() -> Any:
            return closing_of(await town.export("breakers"), "risk")

        _moves_as_the_table_says(await eventually(closed))
    assert set(street.orders) == {201}
    assert [row["risk"] for row in await town.export("orders")].count("unknown") >= MISSED


async def test_a_helper_told_to_end_ends_cleanly(helpers: dict[str, HelperProcess], anyio_backend: str) -> None:
    for helper in helpers.values():
        assert await asyncio.to_thread(helper.end, signal.SIGTERM) == 0


def _moves_as_the_table_says(rows: list[dict[str, Any]]) -> None:
    state, since = "closed", 0.0
    for row in rows:
        assert row["from_state"] == state
        assert (state, row["to_state"]) in {
            ("closed", "open"), ("open", "half_open"), ("half_open", "open"), ("half_open", "closed"),
        }  # fmt: skip
        assert row["at"] >= since
        if state == "open":
            assert row["at"] >= since + OPEN_S
        state, since = row["to_state"], row["at"]
