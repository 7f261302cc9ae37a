"""The stream: every committed event once, in order, from any cursor (W9)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from o2o_platform.kit.database.sqlite import SqliteDatabase
from o2o_platform.kit.outbox import Position, publish
from o2o_platform.kit.stream import Stream

pytestmark = pytest.mark.anyio


@pytest.fixture
def db(tmp_path: Path) -> Iterator[SqliteDatabase]:
    database = SqliteDatabase(f"sqlite:///{tmp_path}/t.db", durable=False)
    yield database
    database.close()


def stream_of(db: SqliteDatabase, ring: int = 100) -> Stream:
    stream = Stream(db.events_after, db.last_event, ring)
    db.on_commit = stream.delivered
    return stream


async def commit(db: SqliteDatabase, first: int, last: int) -> None:
    def unit(conn: Connection) -> None:
        for n in range(first, last + 1):
            publish(conn, "even" if n % 2 == 0 else "odd", "e", float(n), n=n)

    await db.write(unit)


async def take(stream: Stream, count: int, cursor: int, *topics: str) -> list[int]:
    found: list[int] = []
    async with aclosing(stream.subscribe(topics, Position(0, cursor))) as events:
        async for one in events:
            assert one.payload == {"n": one.id.seq}
            found.append(one.id.seq)
            if len(found) == count:
                break
    return found


async def test_live_events_come_in_order_by_topic(db: SqliteDatabase) -> None:
    stream = stream_of(db)
    odd = asyncio.create_task(take(stream, 3, 0, "odd"))
    every = asyncio.create_task(take(stream, 6, 0))
    await commit(db, 1, 2)
    await commit(db, 3, 6)
    assert await odd == [1, 3, 5]
    assert await every == [1, 2, 3, 4, 5, 6]
    assert stream.last_id == Position(0, 6)


async def test_an_old_cursor_is_read_back_from_the_table_and_then_goes_live(db: SqliteDatabase) -> None:
    stream = stream_of(db, ring=4)
    await commit(db, 1, 1200)
    late = asyncio.create_task(take(stream, 1195, 10))
    for n in range(1201, 1206):
        await commit(db, n, n)
    assert await late == list(range(11, 1206))
    assert await take(stream, 3, 1202) == [1203, 1204, 1205]  # all in the ring


async def test_the_next_process_goes_on_where_the_last_one_ended(db: SqliteDatabase, tmp_path: Path) -> None:
    stream_of(db)
    await commit(db, 1, 7)
    db.close()
    second = SqliteDatabase(f"sqlite:///{tmp_path}/t.db", durable=False)
    stream = stream_of(second)
    assert await take(stream, 2, 5) == [6, 7]
    live = asyncio.create_task(take(stream, 1, 7))
    await commit(second, 8, 8)
    assert await live == [8]
    second.close()


async def test_close_ends_those_who_wait(db: SqliteDatabase) -> None:
    stream = stream_of(db)
    waiting = asyncio.create_task(take(stream, 1, 0))
    await asyncio.sleep(0)
    stream.close()
    assert await waiting == []
