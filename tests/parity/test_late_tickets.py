"""Tickets behind a dead or slow printer and a short deadline: the same end in both worlds, none printed late (A14)."""

from __future__ import annotations

import asyncio
from typing import Any

import pyarrow as pa
import pytest

from o2o_domain import rules
from o2o_domain.decisions import Decision
from o2o_platform.kit.database.sqlite import SqliteDatabase
from o2o_platform.printing.drivers.tcp9100 import PrinterConnection
from o2o_results.audit import audit, clean
from o2o_results.tables import TABLES

pytestmark = pytest.mark.anyio

DEADLINE_S, SWEEP_S = 12.0, 0.25
DEAD = {"faults": {"offline": 1.0, "repair_mean_s": 1e6}, "max_attempts": 3, "retry_backoff_s": 2.0}
SLOW = {"speed_mm_s": 10, "ack_timeout_s": 60.0}
OUTCOME = ("state", "code", "attempts", "escalation")


class Wire:
    """A connection to the model's printer: it takes a ticket's time on the platform's clock, and answers."""

    alive = True
    owes = False

    def __init__(self, clock: Any, took_s: dict[int, float]) -> None:
        self._clock, self._took_s = clock, took_s
        self._printing: set[asyncio.Future[None]] = set()

    async def trouble(self, timeout_s: float) -> None:
        return None

    async def send(self, ticket_id: int, data: bytes) -> asyncio.Future[None]:
        answer: asyncio.Future[None] = asyncio.ensure_future(self._clock.sleep(self._took_s[ticket_id]))
        self._printing.add(answer)
        return answer

    async def close(self) -> None:
        for answer in self._printing:
            answer.cancel()


@pytest.fixture(scope="module", params=[DEAD, SLOW], ids=["dead", "slow"])
def queue_of_five(request: Any, town: Any, intents: Any, record_script: Any) -> Any:
    """Five orders at one merchant within seconds, which nobody accepts; until after the last step of the ladder."""
    printing = {"deadline_s": DEADLINE_S, **request.param}
    scenario, city = town({"printing": printing, "platform": {"payment": {"deadline_s": 600.0}}})
    trace = intents(city, *({"intended_s": 0.5 * number} for number in range(5)))
    return record_script(scenario, city, trace, [(4.5 * DEADLINE_S, "rider_online", (0, 31.0, 121.0, 20.0))])


def test_the_model_fails_what_waits_at_its_deadline(queue_of_five: Any) -> None:
    tickets = queue_of_five.rows("tickets")
    printed = [ticket for ticket in tickets if ticket["state"] == "printed"]
    late = [ticket for ticket in tickets if ticket["code"] == "deadline"]
    refused = [ticket for ticket in tickets if ticket["code"] == "refused"]
    if queue_of_five.scenario.printing.faults.offline:  # each has its attempt when those before it have given up
        assert [len(printed), len(late), len(refused)] == [0, 0, 5]
        assert [ticket["attempts"] for ticket in tickets] == [3, 3, 1, 1, 1]
    else:
        assert len(printed) + len(late) == 5
        assert len(late) >= 2
    assert all(ticket["escalation"] == "phone" and not ticket["attempts"] for ticket in late)
    assert len(queue_of_five.rows("receipts")) == len(printed)  # what has failed is not printed later
    for row in queue_of_five.rows("decisions"):
        logged = Decision(row["rule"], row["input"], row["output"])
        assert rules.replay(logged) == logged
    assert any(row["rule"] == "tickets.at_deadline" for row in queue_of_five.rows("decisions"))
    _audited(queue_of_five, queue_of_five.tables)


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)  # its steps are turns of one loop
async def test_the_platform_does_with_each_ticket_what_the_model_did(
    queue_of_five: Any, replay: Any, monkeypatch: Any, anyio_backend: str
) -> None:
    mine = {row["order_id"]: row for row in queue_of_five.rows("tickets")}
    took_s: dict[int, float] = {}
    for number, row in enumerate(sorted(mine.values(), key=lambda row: row["queued"]), start=1):
        if row["printed"] is not None:
            took_s[number] = row["printed"] - row["delivered_to_printer"]

    async def open_one(host: str, port: int, clock: Any, timeout_s: float, late: Any) -> Wire:
        if not took_s:
            raise ConnectionRefusedError
        return Wire(clock, took_s)

    async def read_at_once(self: SqliteDatabase, unit: Any, *, quick: bool = True) -> Any:
        return await on_a_thread(self, unit, quick=True)

    on_a_thread = SqliteDatabase.read
    monkeypatch.setattr(SqliteDatabase, "read", read_at_once)  # so that the clock never runs ahead of a thread
    monkeypatch.setattr(PrinterConnection, "open", open_one)
    printing = queue_of_five.scenario.printing
    changes = {"print_max_attempts": printing.max_attempts, "sweep_interval_s": SWEEP_S}
    async with replay(queue_of_five, step=_settle, **changes) as (twin, _):
        orders = {
            row["order_id"]: int(row["order_ref"].removeprefix("intent-")) for row in await twin.world.export("orders")
        }
        theirs = {orders[row["order_id"]]: row for row in await twin.world.export("tickets")}
        for number, row in mine.items():
            assert [theirs[number][name] for name in OUTCOME] == [row[name] for name in OUTCOME], (row, theirs[number])
        moved = [_as_run(row, number, twin.epoch) for number, row in sorted(theirs.items())]
        tickets = pa.Table.from_pylist(moved, schema=TABLES["tickets"])
        _audited(queue_of_five, {**queue_of_five.tables, "tickets": tickets}, but="tickets.consistent")


async def _settle(twin: Any, until: float) -> None:
    """Let everything happen that is due up to this instant of the platform's clock, in its order."""
    clock, write = twin.world.clock, twin.world.app.state.ctx.db.write
    while True:
        for _ in range(8):  # an attempt is a few turns of the loop and a write or two
            await write(lambda conn: None)
        following = next((at for at in clock.alarms if at > clock.now()), until)
        if following >= until:
            return
        clock.advance(following - clock.now())


def _as_run(row: dict[str, Any], order_id: int, epoch: float) -> dict[str, Any]:
    moved = {**row, "order_id": order_id}
    for name in ("queued", "claimed", "rendered", "delivered_to_printer", "printed"):
        moved[name] = None if row[name] is None else row[name] - epoch
    return {name: moved[name] for name in TABLES["tickets"].names if name in moved}


def _audited(run: Any, tables: dict[str, pa.Table], but: str = "") -> None:
    promises = [verdict for verdict in audit(tables, run.scenario, live=False) if verdict.name.startswith("tickets.")]
    assert len(promises) > 3
    assert clean([verdict for verdict in promises if verdict.name != but]), promises
