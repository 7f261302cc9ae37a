"""Units of work on PostgreSQL: serializable, run again when they must be, honest when nobody knows (W9)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, literal, select, update

from o2o_platform.errors import Conflict, PlatformError, Unavailable, Unprocessable
from o2o_platform.kit import outbox
from o2o_platform.kit.database import Database, open_database
from o2o_platform.kit.database.broken import BROKEN
from o2o_platform.kit.line import lost
from o2o_platform.kit.outbox import START
from o2o_platform.kit.prepared import Prepared

pytestmark = pytest.mark.anyio

numbers = Table("numbers", MetaData(), Column("n", Integer, primary_key=True), Column("times", Integer))
_PUT = Prepared(insert(numbers))


@pytest.fixture
async def db(postgres_url: str, anyio_backend: str) -> AsyncIterator[Database]:
    made = open_database(postgres_url, connections=8, durable=False)
    await made.start()
    conn = await made.connect()
    await conn.execute("DROP TABLE IF EXISTS numbers; CREATE TABLE numbers (n int PRIMARY KEY, times int)")
    yield made
    await conn.execute("DROP TABLE numbers")
    await conn.close()
    await made.stop()


def add(n: int, *, fail: bool = False) -> Any:
    def unit(conn: Connection) -> int:
        _PUT.run(conn, n=n, times=0)
        outbox.publish(conn, "t", "added", 1.0, n=n)
        if fail:
            raise Conflict("no", str(n))
        return n

    return unit


def content(conn: Connection) -> list[int]:
    return list(conn.execute(select(numbers.c.n).order_by(numbers.c.n)).scalars())


async def test_a_unit_that_fails_spoils_nobody_else_and_takes_its_events_along(db: Database) -> None:
    results = await asyncio.gather(*(db.write(add(n, fail=n % 3 == 0)) for n in range(30)), return_exceptions=True)
    good = [n for n in range(30) if n % 3]
    assert [r for r in results if isinstance(r, int)] == good
    assert sum(isinstance(r, Conflict) for r in results) == 10
    assert await db.read(content) == await db.read(content, quick=True) == good
    events = await db.events_after(START, 100, ("t",))
    assert sorted(event.payload["n"] for event in events) == good
    assert [event.id for event in events] == sorted(event.id for event in events)
    assert db.units == 20


async def test_what_a_unit_has_read_cannot_change_before_it_is_committed(db: Database) -> None:
    """Forty at once read a number and write it back, one more: none is lost, and some were run again."""
    await db.write(add(1))

    def count(conn: Connection) -> None:
        times = conn.execute(select(numbers.c.times).where(numbers.c.n == 1)).scalar_one()
        conn.execute(update(numbers).where(numbers.c.n == 1).values(times=times + 1))

    await asyncio.gather(*(db.write(count) for _ in range(40)))
    assert await db.read(lambda conn: conn.execute(select(numbers.c.times)).scalar_one()) == 40
    assert db.retries > 0


async def test_those_who_take_turns_are_never_run_again(db: Database, postgres_url: str) -> None:
    await db.write(add(1))

    def count(conn: Connection) -> None:
        times = conn.execute(select(numbers.c.times).where(numbers.c.n == 1)).scalar_one()
        conn.execute(update(numbers).where(numbers.c.n == 1).values(times=times + 1))

    other = open_database(postgres_url, durable=False)
    await other.start()
    await asyncio.gather(*(one.write(count, alone="numbers") for one in (db, other) for _ in range(20)))
    assert await db.read(lambda conn: conn.execute(select(numbers.c.times)).scalar_one()) == 40
    assert db.retries == other.retries == 0
    refused = await asyncio.gather(db.write(add(1, fail=True), alone="numbers"), return_exceptions=True)
    assert isinstance(refused[0], Exception)
    await other.write(count, alone="numbers")  # whoever fails gives up their turn
    await other.stop()


async def test_who_loses_the_race_for_a_key_finds_the_row(db: Database) -> None:
    def find_or_make(conn: Connection) -> str:
        if conn.execute(select(numbers).where(numbers.c.n == 7)).first():
            return "found"
        _PUT.run(conn, n=7, times=0)
        return "made"

    told = await asyncio.gather(*(db.write(find_or_make) for _ in range(20)))
    assert sorted(told) == ["found"] * 19 + ["made"]


async def test_a_broken_key_that_stays_broken_is_an_error(db: Database) -> None:
    await db.write(add(3))
    with pytest.raises(Exception, match="duplicate key"):
        await db.write(add(3))
    assert await db.write(add(4)) == 4


async def test_a_number_beyond_64_bits_is_refused_and_spoils_no_connection(db: Database) -> None:
    for quick in (True, False):
        with pytest.raises(Unprocessable):
            await db.read(lambda conn: conn.execute(select(numbers).where(numbers.c.n == 2**70)).first(), quick=quick)
    with pytest.raises(Unprocessable):
        await db.write(add(2**70))
    assert await db.write(add(5)) == 5


async def test_a_text_with_nul_is_refused_and_spoils_no_connection(db: Database) -> None:
    for quick in (True, False):
        with pytest.raises(Unprocessable):
            await db.read(lambda conn: conn.execute(select(literal("a\x00b", String))).first(), quick=quick)
    with pytest.raises(Unprocessable):
        await db.write(lambda conn: outbox.publish(conn, "t", "a\x00b", 1.0))
    assert await db.write(add(6)) == 6


async def test_a_unit_whose_connection_breaks_is_run_again(db: Database) -> None:
    broken = False

    def unit(conn: Connection) -> int:
        nonlocal broken
        _PUT.run(conn, n=9, times=0)
        if not broken:
            broken = True
            conn.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
        return 9

    assert await db.write(unit) == 9
    assert await db.read(content) == [9]


def farewell(driver: Any) -> None:
    """The server's last words reach a connection; the end of its stream does not yet."""
    body = b"SFATAL\x00VFATAL\x00C57P01\x00Mterminating connection due to administrator command\x00\x00"
    driver._protocol.data_received(b"E" + (len(body) + 4).to_bytes(4) + body)


async def test_a_unit_that_finds_its_server_gone_is_run_again(db: Database) -> None:
    parted = 0

    def unit(conn: Connection) -> int:
        nonlocal parted
        if parted < 2:
            parted += 1
            farewell(conn.connection.driver_connection)
            if parted == 2:
                return 0  # found at its COMMIT, which was not sent
        _PUT.run(conn, n=9, times=0)
        return 9

    assert await db.write(unit) == 9
    assert await db.read(content) == [9]


async def test_a_query_after_the_servers_last_words_is_a_lost_connection(db: Database) -> None:
    conn = await db.connect()
    farewell(conn)
    with pytest.raises(BROKEN) as caught:
        await conn.execute("SELECT 1")
    assert lost(caught.value)
    conn.terminate()


async def test_one_at_a_time_has_a_lease_and_the_next_takes_over(db: Database) -> None:
    order: list[str] = []
    begun = asyncio.Event()

    async def hold(name: str, until: asyncio.Event) -> None:
        async with db.lease("test"):
            order.append(name)
            begun.set()
            await until.wait()

    ends = [asyncio.Event(), asyncio.Event()]
    first = asyncio.create_task(hold("first", ends[0]))
    await begun.wait()
    second = asyncio.create_task(hold("second", ends[1]))
    await asyncio.sleep(0.1)
    assert order == ["first"]
    ends[0].set()
    await first
    ends[1].set()
    await second
    assert order == ["first", "second"]


async def test_a_lease_that_is_lost_cancels_its_body(db: Database) -> None:
    holding = asyncio.Event()

    async def hold() -> None:
        async with db.lease("lost"):
            holding.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(hold())
    await holding.wait()
    conn = await db.connect()
    await conn.fetch("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted "
                     "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")  # fmt: skip
    with pytest.raises(Unavailable, match="lease"):
        await task
    await conn.close()


async def test_a_closed_database_says_so(postgres_url: str) -> None:
    made = open_database(postgres_url)
    await made.start()
    await made.stop()
    await made.stop()  # idempotent
    with pytest.raises(Unavailable):
        await made.write(lambda conn: None)


async def test_a_database_that_cannot_be_opened_is_said_in_one_line(postgres_url: str) -> None:
    with pytest.raises(PlatformError, match="cannot be opened") as caught:
        await open_database(f"{postgres_url}_of_nobody").start()
    assert "\n" not in caught.value.detail
