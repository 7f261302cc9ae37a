"""One writer, natural batches, savepoints, events only of what was committed (W9)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select

from o2o_platform.errors import Conflict, PlatformError, Unavailable
from o2o_platform.kit import outbox
from o2o_platform.kit.database import open_database, sqlite
from o2o_platform.kit.database.sqlite import SqliteDatabase
from o2o_platform.kit.outbox import Position

pytestmark = pytest.mark.anyio

numbers = Table("numbers", MetaData(), Column("n", Integer, primary_key=True))


@pytest.fixture
def db(tmp_path: Path) -> Iterator[SqliteDatabase]:
    made = SqliteDatabase(f"sqlite:///{tmp_path}/t.db", durable=False)
    yield made
    made.close()


def add(n: int, *, fail: bool = False) -> Any:
    def unit(conn: Connection) -> int:
        conn.execute(insert(numbers).values(n=n))
        outbox.publish(conn, "t", "added", 1.0, n=n)
        if fail:
            raise Conflict("no", str(n))
        return n

    return unit


async def make(db: SqliteDatabase) -> list[outbox.Event]:
    seen: list[outbox.Event] = []
    db.on_commit = seen.extend
    await db.write(lambda conn: numbers.create(conn))
    return seen


def content(conn: Connection) -> list[int]:
    return list(conn.execute(select(numbers.c.n).order_by(numbers.c.n)).scalars())


async def test_a_unit_that_fails_spoils_nobody_else(db: SqliteDatabase) -> None:
    seen = await make(db)
    results = await asyncio.gather(*(db.write(add(n, fail=n % 3 == 0)) for n in range(30)), return_exceptions=True)
    good = [n for n in range(30) if n % 3]
    assert [r for r in results if isinstance(r, int)] == good
    assert sum(isinstance(r, Conflict) for r in results) == 10
    assert await db.read(content) == good
    assert [event.payload["n"] for event in seen] == good
    assert [event.id for event in seen] == [Position(0, n) for n in range(1, 21)]  # no gaps


@pytest.mark.parametrize("slice_s", [60.0, 0.0])
async def test_units_that_wait_share_a_transaction(
    db: SqliteDatabase, monkeypatch: pytest.MonkeyPatch, slice_s: float
) -> None:
    """However often the loop is given back in between."""
    monkeypatch.setattr(sqlite, "SLICE_S", slice_s)
    await make(db)
    before, gate = db.transactions, threading.Event()
    slow = asyncio.create_task(db.write(lambda conn: gate.wait(10), long=True))
    await asyncio.sleep(0)
    others = [asyncio.create_task(db.write(add(n))) for n in range(20)]
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(slow, *others)
    assert db.transactions - before <= 2
    assert await db.read(content) == list(range(20))


async def test_what_is_half_done_when_the_platform_closes_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    monkeypatch.setattr(sqlite, "SLICE_S", 0.0)
    first = SqliteDatabase(f"sqlite:///{tmp_path}/c.db", durable=False)
    await make(first)
    tasks = [asyncio.create_task(first.write(add(n))) for n in range(20)]
    for _ in range(1000):
        if first._open is not None:  # the transaction is open, some units have been run
            break
        await asyncio.sleep(0)
    assert first._open is not None
    first.close()
    assert await asyncio.gather(*tasks) == list(range(20))
    second = SqliteDatabase(f"sqlite:///{tmp_path}/c.db", durable=False)
    assert await second.read(content) == list(range(20))
    second.close()


async def test_readers_see_only_what_is_committed(db: SqliteDatabase) -> None:
    await make(db)
    entered, gate = threading.Event(), threading.Event()

    def unit(conn: Connection) -> None:
        conn.execute(insert(numbers).values(n=1))
        entered.set()
        gate.wait(10)

    writing = asyncio.create_task(db.write(unit, long=True))
    await asyncio.to_thread(entered.wait, 10)
    assert await db.read(content) == []
    assert await db.read(content, quick=True) == []
    gate.set()
    await writing
    assert await db.read(content, quick=True) == await db.read(content) == [1]


async def test_a_failed_commit_fails_everybody_in_it_and_loses_no_event_number(db: SqliteDatabase) -> None:
    """E.g. a full disk; simulated by a unit that ends the transaction under the writer's feet."""
    seen = await make(db)
    await db.write(add(1))

    def sabotage(conn: Connection) -> None:
        conn.exec_driver_sql("ROLLBACK")

    results = await asyncio.gather(db.write(sabotage), db.write(add(2)), return_exceptions=True)
    assert isinstance(results[0], Exception)
    await db.write(add(3))
    written = await db.read(content)
    assert [event.payload["n"] for event in seen] == written
    assert [event.id.seq for event in seen] == list(range(1, len(written) + 1))


async def test_what_was_acknowledged_is_there_after_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/t.db"
    first = SqliteDatabase(url)
    await make(first)
    await asyncio.gather(*(first.write(add(n)) for n in range(50)))
    first.close()
    second = SqliteDatabase(url)
    assert await second.read(content) == list(range(50))
    assert second.last_event == Position(0, 50)
    events = await second.read(lambda conn: outbox.read_after(conn, Position(0, 45), 100, ("t",)))
    assert [event.payload["n"] for event in events] == [45, 46, 47, 48, 49]
    second.close()
    second.close()  # idempotent
    with pytest.raises(Unavailable):
        await second.write(add(99))


@pytest.mark.parametrize(
    ("url", "said"),
    [("sqlite://", "sqlite:///path"), ("sqlite:///:memory:", "sqlite:///path"), ("postgresql://h", "names no database"),
     ("mysql://h/d", "postgresql://user@host"), ("nonsense", "sqlite:///path")],
)  # fmt: skip
async def test_what_cannot_be_opened_is_said_in_one_line(url: str, said: str) -> None:
    with pytest.raises(PlatformError, match=said):
        open_database(url)
