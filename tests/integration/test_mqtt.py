"""A14: orders through an MQTT broker to Star printers' paper, on both deployments, with every fault that a printer has.

In the middle the broker is killed and started again, and in the scaled set the dispatcher is killed. What must hold
whatever happens: printed means on paper once (but for what printers confess: paper that they spoil or double); failed
means not on paper; unconfirmed means on paper once at most; a result that comes late resolves it; nothing stays open.
The printers learn from the platform where the broker is; one has a secret.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mosquitto_server import OwnMosquitto
from o2o_devices.cloud.auth import Basic
from o2o_devices.cloud.machine import Machine
from o2o_devices.cloud.mqtt import MqttPrinter
from o2o_devices.faults import KINDS, Met, TicketFault
from o2o_devices.fleet import Fleet, Front, PrinterSpec
from o2o_devices.mechanism import Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt
from o2o_domain.ticket_layout import parse

pytestmark = pytest.mark.anyio

PATIENCE_S = 120.0
ORDERS, SHOPS = 54, 6
FAST = Profile(mm_s=2_000.0, cut_s=0.0, cut_feed_mm=0.0)
ACK_S, LATE_S = 2.0, 2.5
SPOILED = {"no_print", "wrong_codepage", "overrun"}
UNKNOWN = {"power_before", "power_off", "power_after", "half_open", "lost_ack"}
"""After these nobody can say what of the ticket is on paper, or not if power goes before a lost answer is told."""
SETTINGS: dict[str, Any] = {"enforce_hours": "false", "print_ack_timeout_s": ACK_S, "print_backoff_s": 0.2}
SETTINGS |= {"print_max_attempts": 100}
SECRET = {1: "secret-of-1"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def broker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OwnMosquitto]:
    """Started before the platform, which is told of it."""
    own = OwnMosquitto(tmp_path)
    own.start()
    monkeypatch.setitem(SETTINGS, "mqtt_url", own.url)
    yield own
    own.kill()


def mac_of(number: int) -> str:
    return f"0011620000{number:02x}"


class Kitchen:
    """Six printers, each ticket with a number among all: every second one meets a fault, of every kind in turn."""

    def __init__(self, url: str) -> None:
        self.papers: Counter[str] = Counter()
        self.met: dict[str, set[str]] = defaultdict(set)
        self.kinds: Counter[str] = Counter()
        self.fronts: list[MqttPrinter] = []

        def front(number: int, printer: VirtualPrinter) -> Front:
            auth = Basic(mac_of(number), SECRET[number]) if number in SECRET else None
            made = MqttPrinter(
                Machine(printer), mac_of(number), f"{url}/cloudprnt", auth=auth, late_result_s=LATE_S, keepalive_s=5
            )
            self.fronts.append(made)
            return made

        specs = [PrinterSpec(number, FAST, front=front) for number in range(SHOPS)]
        self.fleet = Fleet(specs, on_paper=self._paper, plan=self._fault, on_met=self._met)

    @staticmethod
    def _fault(printer: int, ticket: int) -> TicketFault | None:
        index = ticket * (SHOPS + 1) + printer
        return TicketFault(KINDS[index // 2 % len(KINDS)], after_mm=30.0, repair_s=0.4) if index % 2 else None

    def _paper(self, printer: int, receipt: Receipt, at: float) -> None:
        read = parse(receipt.text_lines)
        if receipt.complete and read.complete and read.order_no:
            self.papers[read.order_no] += 1

    def _met(self, printer: int, met: Met) -> None:
        self.kinds[met.kind] += 1
        if met.receipt is not None and (number := parse(met.receipt.text_lines).order_no):
            self.met[number].add(met.kind)

    @property
    def owes(self) -> bool:
        return any(front.owes for front in self.fronts)


def kill_dispatchers(folder: Path) -> None:
    """Those of the scaled set, if it is one."""
    table = folder / "state" / "up.json"
    if table.exists():
        for row in json.loads(table.read_text(encoding="utf-8"))["processes"]:
            if row["kind"] == "dispatcher" and row["pid"]:
                os.kill(row["pid"], signal.SIGKILL)


async def test_fifty_orders_with_every_fault(
    broker: OwnMosquitto, platform: tuple[str, Callable[[], None]], town_of: Any, password: str, tmp_path: Path
) -> None:
    url, disturb = platform
    town = town_of(url, password)
    await town.log_in()
    shops = {}
    for number in range(SHOPS):
        shops[number] = await town.merchant(f"shop-{number}", f"cloudprnt-mqtt://{mac_of(number)}")
        owner = await town.account(f"owner-{number}", "merchant", merchant_ref=f"shop-{number}")
        body = {"url": f"cloudprnt-mqtt://{mac_of(number)}", "width_cols": 32}
        body |= {"secret": SECRET[number]} if number in SECRET else {}
        headers = {"Authorization": f"Bearer {owner}"}
        answer = await town.client.put(f"/merchants/{shops[number]}/printer", json=body, headers=headers)
        assert answer.is_success, answer.text
    user = await town.account("eater", "consumer")
    kitchen = Kitchen(url)
    end = time.monotonic() + PATIENCE_S
    async with kitchen.fleet:
        numbers: dict[int, str] = {}
        for count in range(ORDERS):
            placed = await town.order(user, shops[count % SHOPS])
            await town.pay(placed)
            numbers[placed["order_id"]] = placed["order_no"]
            if count == ORDERS // 3:
                broker.stop()
                broker.start()
            if count == ORDERS // 2:
                disturb()
                kill_dispatchers(tmp_path)
        while True:
            rows = await town.export("tickets")
            seen = Counter(row["state"] for row in rows)
            if sum(seen[state] for state in ("printed", "failed", "unconfirmed")) == ORDERS and not kitchen.owes:
                break
            assert time.monotonic() < end, f"not settled: {seen}"
            await asyncio.sleep(0.1)
        await asyncio.sleep(LATE_S)  # what was told last is written down
        rows = await town.export("tickets")
    assert {kind for kind in KINDS if not kitchen.kinds[kind]} == set()
    for row in rows:
        order_no = numbers[row["order_id"]]
        papers, met = kitchen.papers[order_no], kitchen.met[order_no]
        about = (order_no, row["state"], row["code"], papers, met)
        if row["state"] == "printed":
            assert papers == (0 if met & SPOILED else 2 if "duplicate" in met else 1), about
        elif row["state"] == "failed":
            assert papers == 0, about
            assert row["code"] in ("paper_end", "cover_open"), about
        else:
            assert papers <= 1 + ("duplicate" in met), about
            assert met & UNKNOWN, about
    states = Counter(row["state"] for row in rows)
    assert states["printed"] > ORDERS / 2
    assert states["failed"] >= 1
    late = [row for row in rows if row["state"] == "printed" and row["escalation"] is not None]
    assert late, "results that came late were believed"
