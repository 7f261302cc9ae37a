"""A14: orders through Epson Server Direct Print to paper, on both deployments, with every fault that a printer has.

What must hold whatever happens: a ticket is sent once; printed means on paper once (but for what printers confess:
paper that they spoil or double); failed means not on paper; unconfirmed means on paper once at most; results that come
late resolve it; nothing stays open. In the scaled set a worker is killed in the middle.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from o2o_devices.cloud.epson import EpsonPrinter
from o2o_devices.cloud.machine import Machine
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
RESULT_S, LATE_S = 2.0, 3.5
SPOILED = {"no_print", "wrong_codepage", "overrun"}
SETTINGS: dict[str, Any] = {"enforce_hours": "false", "print_result_s": RESULT_S, "print_ack_timeout_s": 8.0}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


class Kitchen:
    """Six printers, each ticket with a number among all: every second one meets a fault, of every kind in turn."""

    def __init__(self, url: str, secrets: dict[int, str | None]) -> None:
        self.papers: Counter[str] = Counter()
        self.met: dict[str, set[str]] = defaultdict(set)
        self.kinds: Counter[str] = Counter()
        self.fronts: list[EpsonPrinter] = []

        def front(number: int, printer: VirtualPrinter) -> Front:
            how: dict[str, Any] = {
                "interval_s": 0.1,
                "status_interval_s": 0.2,
                "late_result_s": LATE_S,
                "first_s": 0.01 * number,
            }
            made = EpsonPrinter(Machine(printer), f"shop-{number}", f"{url}/epson", secret=secrets[number], **how)
            self.fronts.append(made)
            return made

        specs = [PrinterSpec(number, FAST, front=front) for number in secrets]
        self.fleet = Fleet(specs, on_paper=self._paper, plan=self._fault, on_met=self._met)

    @staticmethod
    def _fault(printer: int, ticket: int) -> TicketFault | None:
        index = ticket * SHOPS + printer
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


async def test_fifty_orders_with_every_fault(
    platform: tuple[str, Callable[[], None]], town_of: Any, password: str
) -> None:
    url, disturb = platform
    town = town_of(url, password)
    await town.log_in()
    secrets = {number: f"secret-of-{number}" if number % 2 else None for number in range(SHOPS)}
    shops = {number: await town.merchant(f"shop-{number}", f"epson://shop-{number}") for number in secrets}
    for number, secret in secrets.items():
        owner = await town.account(f"owner-{number}", "merchant", merchant_ref=f"shop-{number}")
        body = {"url": f"epson://shop-{number}", "width_cols": 32, **({"secret": secret} if secret else {})}
        answer = await town.client.put(
            f"/merchants/{shops[number]}/printer", json=body, headers={"Authorization": f"Bearer {owner}"}
        )
        assert answer.is_success, answer.text
    user = await town.account("eater", "consumer")
    kitchen = Kitchen(url, secrets)
    end = time.monotonic() + PATIENCE_S
    async with kitchen.fleet:
        numbers: dict[int, str] = {}
        for count in range(ORDERS):
            placed = await town.order(user, shops[count % SHOPS])
            await town.pay(placed)
            numbers[placed["order_id"]] = placed["order_no"]
            if count == ORDERS // 2:
                disturb()
        while True:
            rows = await town.export("tickets")
            seen = Counter(row["state"] for row in rows)
            if sum(seen[state] for state in ("printed", "failed", "unconfirmed")) == ORDERS and not kitchen.owes:
                break
            assert time.monotonic() < end, f"not settled: {seen}"
            await asyncio.sleep(0.1)
        rows = await town.export("tickets")  # with what was told last
    assert {kind: kitchen.kinds[kind] for kind in KINDS if not kitchen.kinds[kind]} == {}
    assert all(row["attempts"] == 1 for row in rows), "no ticket is sent twice"
    assert sum(front.jobs for front in kitchen.fronts) <= ORDERS
    resolved = 0
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
            assert papers <= 1, about
            assert met & {"power_before", "power_off", "power_after", "half_open"} or row["code"] == "no_result", about
        if "lost_ack" in met:
            assert (row["state"], row["escalation"]) == ("printed", "app"), about
            resolved += 1
    assert resolved, "some result came late, was believed, and resolved an unconfirmed ticket"
