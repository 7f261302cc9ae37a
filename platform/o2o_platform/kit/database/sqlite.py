"""SQLite: one writer with natural group commit, a few readers.

Decides how a unit of work runs: `write(fn)` calls `fn(conn)` inside a SAVEPOINT of the current transaction; whatever
has queued up while the last transaction was being committed goes into the next one, which is committed (fsync) once
for all of them. A caller hears of its result only after that commit. A unit that raises is rolled back to its
savepoint and spoils nobody else's.

Where it runs: units of well under a millisecond run on the event loop's thread, and only the commit (the wait for the
disk) on the writer's. On a thread of its own every statement would give up the interpreter's lock and, with the loop
busy, wait 5 ms to get it back: that was measured at 10 to 40 ms a unit. A unit that takes long (bulk loads, recycling)
says so with `long=True` and runs on the writer's thread. Reads run on a pool of threads, unless `quick=True` says that
they are a look-up by key.

WAL mode with synchronous=FULL. The URL must name a file: a memory database has no second connection.
"""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import NullPool

from o2o_platform.errors import PlatformError, Unavailable, Unprocessable
from o2o_platform.kit import outbox
from o2o_platform.kit.database import Database, Unit
from o2o_platform.kit.outbox import Event, Position
from o2o_platform.migrations import upgrade

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")

_TOO_LARGE = Unprocessable("invalid", "a number is too large")
"""Beyond 64 bits: no row can have it."""
MAX_BATCH = 128
"""Units per transaction at most: bounds how long the first of them waits for its commit."""
SLICE_S = 0.005
"""The loop is given back after so long, seconds, before further units go into the transaction that is open."""


@dataclass(slots=True)
class _Job:
    unit: Unit
    future: asyncio.Future[Any]
    long: bool
    value: Any = None
    error: BaseException | None = None

    def settle(self) -> None:
        if self.future.done():  # the caller has gone away; what was committed stays
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.value)


def _check_url(url: str) -> None:
    try:
        parsed = make_url(url)
        fits = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    except ArgumentError:
        fits = False
    if not fits:
        raise PlatformError("bad_database_url", f"{url}: the embedded platform needs sqlite:///path/of/a/file")


@dataclass(slots=True)
class _Batch:
    """What goes into one transaction."""

    jobs: list[_Job] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)


class SqliteDatabase(Database):
    """See the module."""

    dialect = "sqlite"

    def __init__(
        self, url: str, *, readers: int = 2, durable: bool = True, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        _check_url(url)
        self._now = now
        self._durable = durable
        self._engine = self._make_engine(url, "BEGIN IMMEDIATE")
        self._read_engine = self._make_engine(url, "BEGIN")
        try:
            with self._engine.begin() as conn:
                upgrade(conn)
                self._next_event = outbox.last(conn).seq + 1
        except DatabaseError as error:
            raise PlatformError("bad_database_url", f"{url}: the database cannot be opened ({error.orig})") from error
        self._conn = self._engine.connect()
        self._pending: deque[_Job] = deque()
        self._open: _Batch | None = None  # of the transaction that is open between two slices of work on the loop
        self._busy = False  # a transaction is open or being committed, or is about to be begun
        self._writer = ThreadPoolExecutor(1, "o2o-writer")
        self._local = threading.local()
        self._reader_conns: list[Connection] = []
        self._quick: Connection | None = None
        self._readers = ThreadPoolExecutor(readers, "o2o-reader")
        self._closed = False

    def _make_engine(self, url: str, begin: str) -> Engine:
        # NullPool: the writer and each reader hold one connection for good.
        engine = create_engine(url, poolclass=NullPool, connect_args={"check_same_thread": False, "timeout": 30.0})

        @event.listens_for(engine, "connect")
        def _connect(dbapi: Any, _: Any) -> None:
            dbapi.isolation_level = None  # transactions are begun by us, not by the driver
            for pragma in (
                "journal_mode=WAL",
                f"synchronous={'FULL' if self._durable else 'OFF'}",
                "foreign_keys=ON",
                "cache_size=-65536",
                "temp_store=MEMORY",
            ):
                dbapi.execute(f"PRAGMA {pragma}").close()

        @event.listens_for(engine, "begin")
        def _begin(conn: Connection) -> None:
            conn.exec_driver_sql(begin)

        return engine

    @property
    def last_event(self) -> Position:
        return Position(0, self._next_event - 1)

    async def start(self) -> None:
        """Nothing is left to do: the file was opened when the database was made."""

    async def stop(self) -> None:
        self.close()

    async def connect(self) -> asyncpg.Connection:
        raise NotImplementedError("SQLite has one writer, and its connection is not given away")

    @asynccontextmanager
    async def lease(self, name: str) -> AsyncIterator[None]:
        """There is one process."""
        yield

    async def write(self, unit: Callable[[Connection], T], *, long: bool = False, alone: str = "") -> T:
        if self._closed:
            raise Unavailable("shutting_down", "the platform is closing")
        loop = asyncio.get_running_loop()
        job = _Job(unit, loop.create_future(), long)
        self._pending.append(job)
        if not self._busy:
            self._busy = True
            loop.call_soon(self._begin, loop)  # whatever else is ready to write comes along
        return cast(T, await job.future)

    async def read(self, unit: Callable[[Connection], T], *, quick: bool = False) -> T:
        if self._closed:
            raise Unavailable("shutting_down", "the platform is closing")
        if quick:
            if self._quick is None:
                self._quick = self._open_reader()
            return self._look(self._quick, unit)
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, unit)

    def close(self) -> None:
        """Commit what is queued, then stop. Idempotent; call it on the loop's thread."""
        if self._closed:
            return
        self._closed = True
        self._writer.shutdown(wait=True)  # the commit under way, if any, comes to its end
        if self._open is not None:
            self._settle(self._commit(self._open))
        while self._pending:
            self._settle(self._commit(self._work(_Batch(), len(self._pending))))
        self._readers.shutdown(wait=True)
        for conn in (self._conn, *self._reader_conns):
            conn.close()
        self._engine.dispose()
        self._read_engine.dispose()

    def _open_reader(self) -> Connection:
        conn = self._read_engine.connect()
        self._reader_conns.append(conn)
        return conn

    def _read(self, unit: Callable[[Connection], T]) -> T:
        conn: Connection | None = getattr(self._local, "conn", None)
        if conn is None:
            conn = self._local.conn = self._open_reader()
        return self._look(conn, unit)

    @staticmethod
    def _look(conn: Connection, unit: Callable[[Connection], T]) -> T:
        try:
            return unit(conn)
        except OverflowError:
            raise _TOO_LARGE from None
        finally:
            conn.rollback()  # ends the snapshot

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """On the loop: open a transaction for what is pending, and have it committed on the writer's thread."""
        if self._closed or not self._pending:
            self._busy = False
            return
        if any(job.long for job in self._pending):
            limit = len(self._pending)
            self._finish(loop, self._writer.submit(lambda: self._commit(self._work(_Batch(), limit))))
        else:
            self._slice(loop, _Batch())

    def _slice(self, loop: asyncio.AbstractEventLoop, batch: _Batch) -> None:
        """On the loop: run units for a moment; then give the loop back, to go on or until they are committed."""
        if self._closed:
            return  # `close` has committed it
        self._open = self._work(batch, MAX_BATCH, SLICE_S)
        more = self._pending and not self._pending[0].long and len(batch.jobs) < MAX_BATCH
        if more and self._conn.in_transaction():
            loop.call_soon(self._slice, loop, batch)
            return
        self._open = None
        self._finish(loop, self._writer.submit(self._commit, batch))

    def _finish(self, loop: asyncio.AbstractEventLoop, work: Future[_Batch]) -> None:
        work.add_done_callback(lambda done: _tell(loop, self._done, loop, done.result()))

    def _done(self, loop: asyncio.AbstractEventLoop, batch: _Batch) -> None:
        """On the loop: the transaction has ended, one way or the other."""
        self._settle(batch)
        if batch.events:
            self.on_commit(batch.events)
        self._begin(loop)

    @staticmethod
    def _settle(batch: _Batch) -> None:
        for job in batch.jobs:
            job.settle()

    def _work(self, batch: _Batch, limit: int, limit_s: float | None = None) -> _Batch:
        """Run pending units in the batch's transaction, which is begun if it is empty; no long ones within a limit."""
        end = None if limit_s is None else time.perf_counter() + limit_s
        try:
            if not batch.jobs:
                self._conn.begin()
            driver = cast(sqlite3.Connection, self._conn.connection.driver_connection)
            while self._pending and len(batch.jobs) < limit:
                batch.jobs.append(self._pending.popleft())
                self._run(driver, batch.jobs[-1], batch.events)
                if end is not None and (time.perf_counter() > end or (self._pending and self._pending[0].long)):
                    break
        except BaseException as exc:
            batch.jobs = batch.jobs or [self._pending.popleft()]
            self._undo(batch, exc)
        return batch

    def _run(self, driver: sqlite3.Connection, job: _Job, events: list[Event]) -> None:
        conn = self._conn
        collected = outbox.collected(conn)
        collected.clear()
        driver.execute("SAVEPOINT unit")
        try:
            job.value = job.unit(conn)
        except BaseException as exc:
            driver.execute("ROLLBACK TO unit")
            job.error = _TOO_LARGE if isinstance(exc, OverflowError) else exc
        else:
            for at, topic, name, payload in collected:
                events.append(Event(Position(0, self._next_event), at, topic, name, payload))
                self._next_event += 1
        driver.execute("RELEASE unit")

    def _commit(self, batch: _Batch) -> _Batch:
        """Write the events down and commit; returns the batch, with its events as they were committed."""
        if not self._conn.in_transaction():
            return batch  # it failed before; everybody in it knows
        try:
            if batch.events:
                outbox.insert(self._conn, batch.events)
            self._conn.commit()
        except BaseException as exc:
            self._undo(batch, exc)
            return batch
        self.units += len(batch.jobs)
        self.transactions += 1
        at = self._now()
        batch.events = [Event(e.id, e.at, e.topic, e.name, e.payload, at) for e in batch.events]
        return batch

    def _undo(self, batch: _Batch, exc: BaseException) -> None:
        """Nobody's work was committed, so everybody hears of it, and the events' numbers are free again."""
        self._conn.rollback()
        self._next_event -= len(batch.events)
        batch.events = []
        for job in batch.jobs:
            job.error = exc


def _tell(loop: asyncio.AbstractEventLoop, call: Callable[..., None], *args: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(call, *args)
