"""The database: one writer with natural group commit, a few readers, synchronous units of work.

Decides how a unit of work runs: `await db.write(fn)` calls `fn(conn)` on the writer thread inside a SAVEPOINT of the
current transaction; whatever has queued up while the last transaction ran goes into the next one, which is committed
(fsync) once for all of them. A caller hears of its result only after that commit. A unit that raises is rolled back
to its savepoint and spoils nobody else's. `await db.read(fn)` runs on a small pool of reader threads, each call on one
consistent snapshot.

Rules for the functions given to it: they are synchronous, quick, call no network, return plain values (no cursors or
mapped objects bound to the connection), and load, decide, apply in one go: as there is one writer, what a unit has
read cannot change before it is committed.

SQLite in WAL mode with synchronous=FULL. The URL must name a file: a memory database has no second connection.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DatabaseError
from sqlalchemy.pool import NullPool

from o2o_platform.errors import PlatformError, Unavailable
from o2o_platform.kit import outbox
from o2o_platform.kit.outbox import Event
from o2o_platform.kit.tables import metadata

T = TypeVar("T")
Unit = Callable[[Connection], Any]

MAX_BATCH = 128
"""Units per transaction at most: bounds how long the first of them waits for its commit."""


@dataclass(slots=True)
class _Job:
    unit: Unit
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
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


class Database:
    """See the module. `on_commit` is called on the caller's loop with the events of each committed transaction."""

    def __init__(
        self, url: str, *, readers: int = 2, durable: bool = True, now: Callable[[], float] = time.time
    ) -> None:
        _check_url(url)
        self.on_commit: Callable[[list[Event]], None] = lambda events: None
        self._now = now
        self.units = 0
        """Units of work done so far."""
        self.transactions = 0
        """Transactions committed so far; units / transactions is the size of the natural batches."""
        self._durable = durable
        self._engine = self._make_engine(url, "BEGIN IMMEDIATE")
        self._read_engine = self._make_engine(url, "BEGIN")
        try:
            with self._engine.begin() as conn:
                metadata.create_all(conn)
                self._next_event = outbox.last_id(conn) + 1
        except DatabaseError as error:
            raise PlatformError("bad_database_url", f"{url}: the database cannot be opened ({error.orig})") from error
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._local = threading.local()
        self._reader_conns: list[Connection] = []
        self._readers = ThreadPoolExecutor(readers, "o2o-reader")
        self._writer = threading.Thread(target=self._write_loop, name="o2o-writer", daemon=True)
        self._closed = False
        self._writer.start()

    def _make_engine(self, url: str, begin: str) -> Engine:
        # NullPool: the writer and each reader thread hold one connection for good.
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
    def last_event(self) -> int:
        """Id of the newest event at start-up; afterwards the stream knows better."""
        return self._next_event - 1

    async def write(self, unit: Callable[[Connection], T]) -> T:
        """Run a unit of work on the writer; returns its value once it is committed, raises what it raised."""
        if self._closed:
            raise Unavailable("shutting_down", "the platform is closing")
        loop = asyncio.get_running_loop()
        job = _Job(unit, loop, loop.create_future())
        self._jobs.put(job)
        return cast(T, await job.future)

    async def read(self, unit: Callable[[Connection], T]) -> T:
        """Run a reading unit on one snapshot of what is committed."""
        if self._closed:
            raise Unavailable("shutting_down", "the platform is closing")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, unit)

    def close(self) -> None:
        """Commit what is queued, then stop. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown(wait=True)
        for conn in self._reader_conns:
            conn.close()
        self._engine.dispose()
        self._read_engine.dispose()

    def _read(self, unit: Callable[[Connection], T]) -> T:
        conn: Connection | None = getattr(self._local, "conn", None)
        if conn is None:
            conn = self._local.conn = self._read_engine.connect()
            self._reader_conns.append(conn)
        try:
            return unit(conn)
        finally:
            conn.rollback()  # ends the snapshot

    def _write_loop(self) -> None:
        with self._engine.connect() as conn:
            stop = False
            while not stop:
                first = self._jobs.get()
                if first is None:
                    return
                batch = [first]
                stop = self._transaction(conn, batch)

    def _transaction(self, conn: Connection, batch: list[_Job]) -> bool:
        """Run the first job and all that queue up meanwhile, then commit; True if the stop mark was met."""
        stop = False
        events: list[Event] = []
        try:
            driver = cast(sqlite3.Connection, conn.connection.driver_connection)
            transaction = conn.begin()
            for job in batch:  # grows while it is walked
                self._run(conn, driver, job, events)
                if len(batch) < MAX_BATCH and not stop:
                    try:
                        following = self._jobs.get_nowait()
                    except queue.Empty:
                        continue
                    if following is None:
                        stop = True
                    else:
                        batch.append(following)
            if events:
                outbox.insert(conn, events)
            transaction.commit()
        except BaseException as exc:  # nobody's work was committed, so everybody hears of it
            conn.rollback()
            self._next_event -= len(events)
            events = []
            for job in batch:
                job.error = exc
        self.units += len(batch)
        self.transactions += 1
        self._report(batch, events)
        return stop

    def _run(self, conn: Connection, driver: sqlite3.Connection, job: _Job, events: list[Event]) -> None:
        collected = outbox.collected(conn)
        collected.clear()
        driver.execute("SAVEPOINT unit")
        try:
            job.value = job.unit(conn)
        except BaseException as exc:
            driver.execute("ROLLBACK TO unit")
            job.error = exc
        else:
            for at, topic, name, payload in collected:
                events.append(Event(self._next_event, at, topic, name, payload))
                self._next_event += 1
        driver.execute("RELEASE unit")

    def _report(self, batch: list[_Job], events: list[Event]) -> None:
        committed = self._now()
        done = [Event(e.id, e.at, e.topic, e.name, e.payload, committed) for e in events]
        by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
        for job in batch:
            by_loop.setdefault(job.loop, []).append(job)

        def tell(jobs: list[_Job], first: bool) -> None:
            for job in jobs:
                job.settle()
            if first and done:
                self.on_commit(done)

        for number, (loop, jobs) in enumerate(by_loop.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, jobs, number == 0)
