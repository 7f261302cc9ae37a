"""From the outbox to Redis: in order, once, without a gap, whatever is killed (W9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection

from o2o_platform.errors import PlatformError
from o2o_platform.kit.clock import ManualClock, SystemClock
from o2o_platform.kit.database import Database, open_database
from o2o_platform.kit.outbox import READ_AFTER, START, Event, publish
from o2o_platform.kit.redis_stream import RedisStream
from o2o_platform.kit.relay import Relay
from redis_server import OwnRedis

pytestmark = pytest.mark.anyio

Eventually = Callable[..., Awaitable[Any]]


@pytest.fixture
async def db(postgres_url: str, anyio_backend: str) -> AsyncIterator[Database]:
    database = open_database(postgres_url, durable=False)
    await database.start()
    yield database
    await database.stop()


@pytest.fixture
async def stream(redis_place: tuple[str, str]) -> AsyncIterator[RedisStream]:
    made = RedisStream(*redis_place)
    yield made
    await made.close()


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    folder = tmp_path / "redis"
    folder.mkdir()
    server = OwnRedis(folder)
    server.start()
    yield server
    server.kill()


@asynccontextmanager
async def running(*relays: Relay) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(relay.run()) for relay in relays]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def commit(db: Database, first: int, last: int) -> None:
    def unit(conn: Connection) -> None:
        for n in range(first, last + 1):
            publish(conn, "even" if n % 2 == 0 else "odd", "e", float(n), n=n)

    await db.write(unit)


async def take(stream: RedisStream, count: int) -> list[Event]:
    found: list[Event] = []
    async with aclosing(stream.tail(START)) as pages, asyncio.timeout(20):
        async for page in pages:
            found += page
            if len(found) >= count:
                break
    return found


def said(events: list[Event]) -> list[int]:
    return [event.payload["n"] for event in events]


async def test_events_come_in_order_with_their_positions(db: Database, stream: RedisStream) -> None:
    relay = Relay(db, stream, clock=SystemClock())
    await commit(db, 1, 2500)  # more than a batch
    async with running(relay):
        await commit(db, 2501, 2503)
        events = await take(stream, 2503)
    assert said(events) == list(range(1, 2504))
    assert [event.id for event in events] == sorted({event.id for event in events})
    assert relay.batches >= 2  # and the last, if its answer has come by now


async def test_it_is_woken_without_polling(db: Database, stream: RedisStream, eventually: Eventually) -> None:
    """A ring may find nothing yet (a transaction anywhere on the server is open): the next one finds both."""
    async with running(Relay(db, stream, clock=SystemClock(), poll_s=3600.0)):
        count = 0

        async def relayed() -> bool:
            nonlocal count
            count += 1
            await commit(db, count, count)
            await asyncio.sleep(0.02)
            return (await stream.last()).seq >= 5

        await eventually(relayed)
        assert said(await take(stream, 5))[:5] == [1, 2, 3, 4, 5]


async def test_nothing_is_read_past_an_open_transaction(
    db: Database, stream: RedisStream, eventually: Eventually
) -> None:
    """A later number may be committed earlier: it waits for the earlier one, and nothing slips in between."""
    slow = await db.connect()
    relay = Relay(db, stream, clock=SystemClock())
    insert = "INSERT INTO outbox (at, topic, name, payload) VALUES (1, 't', 'e', '{\"n\":1}')"
    transaction = slow.transaction()
    await transaction.start()
    await slow.execute(insert)
    async with running(relay):
        await commit(db, 2, 2)

        async def active() -> bool:
            return relay.active

        await eventually(active)
        await asyncio.sleep(0.2)
        assert await stream.last() == START
        await transaction.commit()
        assert said(await take(stream, 2)) == [1, 2]
    await slow.close()


async def test_one_at_a_time_and_another_takes_over(db: Database, stream: RedisStream, eventually: Eventually) -> None:
    first, second = (Relay(db, stream, clock=SystemClock()) for _ in range(2))

    async def one() -> bool:
        return first.active or second.active

    async with running(second):
        async with running(first):
            await eventually(one)
            await commit(db, 1, 10)
            await take(stream, 10)
            assert first.active != second.active
        await commit(db, 11, 20)
        assert said(await take(stream, 20)) == list(range(1, 21))


async def test_two_that_both_believe_it_is_their_turn_leave_no_gap_and_no_double(
    db: Database, stream: RedisStream
) -> None:
    """A lease may be lost unnoticed; the end of the stream is compared with every batch."""
    relays = [Relay(db, stream, clock=SystemClock(), poll_s=0.001) for _ in range(2)]
    tasks = [asyncio.create_task(relay._hold()) for relay in relays]
    for n in range(1, 401):
        await commit(db, n, n)
    assert said(await take(stream, 400)) == list(range(1, 401))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(relay.relayed for relay in relays)  # both have been at it


async def test_a_redis_that_is_killed_comes_back_with_everything(db: Database, own_redis: OwnRedis) -> None:
    """kill -9 with an append-only file, then with all of it lost: the relay offers again what Redis does not have."""
    stream = RedisStream(own_redis.url, "o2o")
    relay = Relay(db, stream, clock=SystemClock())
    async with running(relay):
        await commit(db, 1, 100)
        await take(stream, 100)
        own_redis.kill()
        await commit(db, 101, 200)
        await asyncio.sleep(0.05)
        own_redis.start()
        assert said(await take(stream, 200)) == list(range(1, 201))
        own_redis.kill()
        own_redis.wipe()
        own_redis.start()
        assert said(await take(stream, 200)) == list(range(1, 201))  # though nothing new has happened
    assert stream.outages > 0
    await stream.close()


async def test_a_tail_that_redis_lost_is_offered_again(db: Database, stream: RedisStream) -> None:
    async with running(Relay(db, stream, clock=SystemClock())):
        await commit(db, 1, 10)
        events = await take(stream, 10)
        key = stream.key("events")
        await stream.client.delete(key)
        for event in events[:4]:  # as the append-only file had it
            fields = {"at": event.at, "topic": event.topic, "name": event.name, "payload": f'{{"n":{int(event.at)}}}'}
            await stream.client.xadd(key, {**fields, "committed": 1.0}, id=f"{event.id.xid}-{event.id.seq}")
        await commit(db, 11, 12)
        assert said(await take(stream, 12)) == list(range(1, 13))


async def test_an_empty_redis_gets_what_the_stream_keeps(db: Database, redis_place: tuple[str, str]) -> None:
    await commit(db, 1, 50)
    stream = RedisStream(*redis_place, keep=20)
    async with running(Relay(db, stream, clock=SystemClock(), keep=20)):
        assert said(await take(stream, 20)) == list(range(31, 51))
    await stream.close()


async def test_old_events_leave_the_outbox_once_redis_has_them(
    db: Database, stream: RedisStream, eventually: Eventually
) -> None:
    clock = ManualClock(start=1000.0)
    await commit(db, 1, 500)  # at 1 to 500
    relay = Relay(db, stream, clock=clock, keep_s=700.0)
    async with running(relay):
        await take(stream, 500)
        clock.advance(10.0)

        async def trimmed() -> int:
            return relay.trimmed

        await eventually(trimmed)
    conn = await db.connect()
    assert await conn.fetchval("SELECT min(at) FROM outbox") == 310.0
    assert relay.trimmed == 309
    await conn.close()


async def test_work_is_routed(db: Database, stream: RedisStream) -> None:
    routes = {("odd", "e"): lambda payload: f"work:{'3' in payload}"}
    async with running(Relay(db, stream, clock=SystemClock(), routes=routes)):
        await commit(db, 1, 6)
        await take(stream, 6)
    lengths = [await stream.client.xlen(stream.key(name)) for name in ("work:True", "work:False")]
    assert lengths == [1, 2]


async def test_a_stream_of_another_database_is_refused(db: Database, stream: RedisStream) -> None:
    """Else nothing would be relayed, in silence, until this database's transactions have caught up."""
    await stream.client.xadd(stream.key("events"), {"at": 1.0}, id=f"{2**40}-1")
    with pytest.raises(PlatformError, match="not come to"):
        await Relay(db, stream, clock=SystemClock())._hold()


async def test_reading_on_uses_the_index(db: Database) -> None:
    for n in range(0, 5000, 500):
        await commit(db, n, n + 499)
    conn = await db.connect()
    await conn.execute("ANALYZE outbox")
    xid = await conn.fetchval("SELECT max(xid::text::bigint) FROM outbox")
    plan = "\n".join(
        row[0] for row in await conn.fetch(f"EXPLAIN {READ_AFTER}", str(xid - 1), 0, 1000, [], str(xid + 1))
    )
    await conn.close()
    assert "outbox_position" in plan
    assert "Seq Scan" not in plan
