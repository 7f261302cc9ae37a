"""Several dispatchers: shared, killed, taken over; Redis wiped, entries of the dead (A14, W9)."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import update

from o2o_platform.app import create_app
from o2o_platform.kit.context import context_of
from o2o_platform.kit.duties import Duty
from o2o_platform.kit.redis_group import Group
from o2o_platform.kit.redis_stream import RedisStream
from o2o_platform.printing import consumer
from o2o_platform.printing.slots import SLOTS, Seat, queue_name
from o2o_platform.printing.tables import dispatch_slots, tickets
from o2o_platform.settings import Settings
from redis_server import OwnRedis

pytestmark = pytest.mark.anyio

PROGRAM = """
import asyncio, sys
from o2o_platform.app import create_app
from o2o_platform.kit.duties import Duty
from o2o_platform.settings import Settings

async def main(database, redis, prefix):
    app = create_app(
        Settings(database_url=database, durable=False, redis_url=redis, redis_prefix=prefix),
        duties=frozenset({Duty.DISPATCH}),
    )
    async with app.router.lifespan_context(app):
        await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
def settings(postgres_url: str, redis_place: tuple[str, str]) -> Settings:
    url, prefix = redis_place
    return Settings(database_url=postgres_url, durable=False, redis_url=url, redis_prefix=prefix, print_drain_s=1.0)


@asynccontextmanager
async def process(settings: Settings, *duties: Duty) -> AsyncIterator[FastAPI]:
    app = create_app(settings, duties=frozenset(duties))
    async with app.router.lifespan_context(app):
        yield app


async def all_printed(office: Any, eventually: Any, count: int) -> None:
    async def done() -> bool:
        return bool(await office.states() == {"printed": count})

    await eventually(done, limit_s=60.0)


async def test_one_is_killed_and_another_takes_over(
    settings: Settings, office: Any, peers: Any, numbers_on: Any, eventually: Any
) -> None:
    """A14: kill -9 with tickets in hand: no first copy twice, none lost, each printer's order kept."""
    numbers = (0, 1, 2, 3, SLOTS // 2, SLOTS // 2 + 1, SLOTS // 2 + 2, SLOTS // 2 + 3)  # half of them for each
    printers = dict(zip(numbers, await peers(8), strict=True))
    for number, one in printers.items():
        await office.merchant(number, one.port)
    command = [sys.executable, "-c", PROGRAM, settings.database_url, settings.redis_url, settings.redis_prefix]
    processes = [subprocess.Popen(command) for _ in range(2)]  # noqa: ASYNC220 - it returns at once
    placed: dict[int, list[int]] = {number: [] for number in numbers}

    async def place(count: int) -> None:
        for _ in range(count):
            for number, order in zip(numbers, await office.tickets(*numbers), strict=True):
                placed[number].append(order)

    async def shared() -> bool:
        owners = [row.owner for row in await office.rows(dispatch_slots)]
        return len(owners) == SLOTS and None not in owners and len(set(owners)) == 2

    async def in_hand() -> bool:
        return all(len(one.unanswered) == 1 for one in printers.values())

    async def taken_over() -> bool:
        return (await office.states()).get("unconfirmed") == 4

    async def settled() -> bool:
        return bool(await office.states() == {"printed": 10 * 8 - 4, "unconfirmed": 4})

    try:
        async with process(settings, Duty.RELAY):
            await eventually(shared, limit_s=90.0)
            await place(5)
            await all_printed(office, eventually, 5 * 8)
            for one in printers.values():
                one.answers = False
            await place(5)
            await eventually(in_hand, limit_s=30.0)
            processes[0].kill()
            processes[0].wait()
            await eventually(taken_over, limit_s=30.0)
            unconfirmed = {row.order_id for row in await office.rows() if row.state == "unconfirmed"}
            for number, one in printers.items():
                one.answers = True
                if placed[number][5] not in unconfirmed:
                    one.answer_late()
            await eventually(settled, limit_s=30.0)
    finally:
        for one in processes:
            one.kill()
            one.wait()
    rows = {row.order_id: row for row in await office.rows()}
    assert unconfirmed <= {orders[5] for orders in placed.values()}
    assert {rows[order].code for order in unconfirmed} == {"restarted"}
    for number, one in printers.items():
        assert numbers_on(one) == placed[number], "lost, out of order, or a first copy came out twice"
    assert {row.attempts for row in rows.values()} == {1}


async def test_shares_follow_who_is_there(settings: Settings, office: Any, peers: Any, eventually: Any) -> None:
    """One comes and gets its half; one ends and the other has all; printing goes on throughout."""
    (printer,) = await peers(1)
    for number in range(SLOTS):
        await office.merchant(number, printer.port if number == 3 else 1)

    async def owners() -> list[int]:
        rows = await office.rows(dispatch_slots)
        return sorted([row.owner for row in rows].count(owner) for owner in {row.owner for row in rows})

    async def are(counts: list[int]) -> None:
        async def check() -> bool:
            return await owners() == counts

        await eventually(check, limit_s=30.0)

    async with process(settings, Duty.RELAY, Duty.DISPATCH):
        await are([SLOTS])
        await office.tickets(3)
        async with process(settings, Duty.DISPATCH):
            await are([SLOTS // 2, SLOTS // 2])
            await office.tickets(3, 3)
        await are([SLOTS])
        await office.tickets(3)
        await all_printed(office, eventually, 4)
    assert len(printer.tickets) == 4


async def test_a_ticket_that_no_event_tells_of_is_found(
    settings: Settings, office: Any, peers: Any, eventually: Any
) -> None:
    """W9: there is no relay at all; the table alone is enough."""
    (printer,) = await peers(1)
    await office.merchant(1, printer.port)
    async with process(settings, Duty.DISPATCH):
        await office.tickets(1, 1, 1)
        await all_printed(office, eventually, 3)
    assert len(printer.tickets) == 3


async def test_redis_is_killed_and_wiped_and_nothing_is_lost(
    settings: Settings, office: Any, peers: Any, numbers_on: Any, eventually: Any, tmp_path: Path
) -> None:
    """W9: away, back with its file, back with nothing."""
    folder = tmp_path / "redis"
    folder.mkdir()
    server = OwnRedis(folder)
    server.start()
    try:
        (printer,) = await peers(1)
        await office.merchant(1, printer.port)
        own = Settings(database_url=settings.database_url, durable=False, redis_url=server.url, print_drain_s=1.0)
        async with process(own, Duty.RELAY, Duty.DISPATCH):
            await office.tickets(1, 1)
            await all_printed(office, eventually, 2)
            server.kill()
            await office.tickets(1, 1)
            server.start()
            await all_printed(office, eventually, 4)
            server.kill()
            server.wipe()
            await office.tickets(1, 1)
            await all_printed(office, eventually, 6)  # the table is enough
            server.start()
            await office.tickets(1, 1)
            await all_printed(office, eventually, 8)
        assert numbers_on(printer) == [1, 2, 3, 4, 5, 6, 7, 8]
    finally:
        server.kill()


async def test_entries_of_a_dead_consumer_are_claimed_and_a_broken_one_is_buried(
    settings: Settings, office: Any, peers: Any, eventually: Any
) -> None:
    """W9: read by a dispatcher that died before it acknowledged; unreadable entries become dead letters, with why."""
    (printer,) = await peers(1)
    await office.merchant(1, printer.port)
    await office.tickets(1, 1)
    stream = RedisStream(settings.redis_url, settings.redis_prefix)
    dead = Group(stream, consumer.GROUP, "dead")
    queue = queue_name(1)
    await dead.join([queue])
    async with process(settings, Duty.RELAY):

        async def read() -> bool:
            return len(await dead.read([queue], block_s=0.5)) == 2

        await eventually(read)
    await stream.client.xadd(
        stream.key(queue), {"at": 1.0, "topic": "tickets", "name": "queued", "payload": '{"n":1}', "committed": 1.0}
    )
    async with process(settings, Duty.DISPATCH):
        await all_printed(office, eventually, 2)

        async def acknowledged() -> bool:
            lag = await dead.lag([queue])
            return (lag.unread, lag.pending) == (0, 0)

        await eventually(acknowledged)
    (letter,) = await dead.dead()
    assert letter.queue == queue
    assert letter.reason.startswith("no ticket: KeyError")
    assert len(printer.tickets) == 2
    await stream.close()


async def test_a_backlog_stays_in_the_table_and_delays_nobody(
    settings: Settings, office: Any, peers: Any, numbers_on: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A14: one printer hangs with more tickets than may be in memory; then it wakes, and all come out in order."""
    monkeypatch.setattr(consumer, "AHEAD", 4)
    monkeypatch.setattr(consumer, "SWEEP_S", 0.2)
    good, stuck = await peers(2)
    stuck.cause = 0x16  # cover open
    await office.merchant(1, good.port)
    await office.merchant(2, stuck.port)
    own = Settings(
        database_url=settings.database_url, durable=False, redis_url=settings.redis_url,
        redis_prefix=settings.redis_prefix, print_backoff_s=0.05, print_max_attempts=1000, print_drain_s=1.0,
    )  # fmt: skip
    async with process(own, Duty.RELAY, Duty.DISPATCH) as app:
        await office.tickets(*([2] * 20), *([1] * 30))

        async def good_ones() -> bool:
            return len(good.tickets) == 30

        await eventually(good_ones, limit_s=30.0)
        held = context_of(app).meters  # the figures are there to be read
        assert b"o2o_dispatch" in await held.exposition()
        assert stuck.tickets == []
        stuck.cause = 0x12
        await all_printed(office, eventually, 50)
    assert numbers_on(stuck) == sorted(numbers_on(stuck))
    assert len(stuck.tickets) == 20


async def test_the_database_drops_every_connection(
    settings: Settings, office: Any, peers: Any, numbers_on: Any, eventually: Any
) -> None:
    """A14: leases, claims and results in flight break off; nothing is lost, nothing is printed twice."""
    (printer,) = await peers(1)
    printer.delay_s = 0.02
    await office.merchant(1, printer.port)
    conn = await office.db.connect()
    async with process(settings, Duty.RELAY, Duty.DISPATCH):
        for _ in range(6):
            await office.tickets(*[1] * 8)
            await asyncio.sleep(0.15)
            await conn.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                "AND pid <> pg_backend_pid()"
            )

        async def settled() -> bool:
            states = await office.states()
            return set(states) <= {"printed", "unconfirmed"} and states.get("printed", 0) > 0

        await eventually(settled, limit_s=60.0)
    await conn.close()
    rows = {row.order_id: row.state for row in await office.rows()}
    seen = numbers_on(printer)
    assert len(rows) == 48
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen)
    assert set(rows) - set(seen) <= {order for order, state in rows.items() if state == "unconfirmed"}


async def test_back_pressure_shows_in_the_groups_lag(
    settings: Settings, office: Any, peers: Any, eventually: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """W9: a dispatcher reads no more than it can hold; how far behind it is can be seen, and it catches up."""
    monkeypatch.setattr(consumer, "HELD", 4)
    monkeypatch.setattr(consumer, "READ", 2)
    (stuck,) = await peers(1)
    stuck.answers = False
    await office.merchant(1, stuck.port)
    stream = RedisStream(settings.redis_url, settings.redis_prefix)
    group = Group(stream, consumer.GROUP, "looker")
    async with process(settings, Duty.RELAY, Duty.DISPATCH):
        await office.tickets(*[1] * 20)

        async def behind() -> bool:
            lag = await group.lag([queue_name(1)])
            return lag.unread > 10 and len(stuck.unanswered) == 1

        await eventually(behind, limit_s=30.0)
        assert (await office.states())["queued"] == 19
        stuck.answers = True
        stuck.answer_late()
        await all_printed(office, eventually, 20)

        async def caught_up() -> bool:
            lag = await group.lag([queue_name(1)])
            return (lag.unread, lag.pending) == (0, 0)

        await eventually(caught_up)
    await stream.close()


async def test_what_a_living_dispatcher_has_in_hand_is_left_alone(
    settings: Settings, office: Any, peers: Any, eventually: Any
) -> None:
    """A14: claimed by somebody alive: his; by somebody dead: unconfirmed, and never sent again."""
    (printer,) = await peers(1)
    await office.merchant(0, printer.port)
    other = Seat(office.db)
    await other._alive()
    await office.tickets(0, 0)
    mine, _ = [row.id for row in await office.rows()]
    claimed = {"state": "claimed", "claimed": 1.0, "claimed_by": other.number, "attempts": 1}
    await office.db.write(lambda conn: conn.execute(update(tickets).where(tickets.c.id == mine).values(**claimed)))
    async with process(settings, Duty.DISPATCH):

        async def one_printed() -> bool:
            return bool(await office.states() == {"claimed": 1, "printed": 1})

        await eventually(one_printed, limit_s=30.0)
        await asyncio.sleep(2 * consumer.SWEEP_S)
        assert await office.states() == {"claimed": 1, "printed": 1}
        await other.leave()

        async def found() -> bool:
            return bool(await office.states() == {"unconfirmed": 1, "printed": 1})

        await eventually(found, limit_s=30.0)
    assert (await office.rows())[0].code == "restarted"
    assert len(printer.tickets) == 1
