"""PostgreSQL: a pool of connections, a transaction a unit, SERIALIZABLE, run again when it cannot be serialized.

Decides how a unit of work runs here. Units are synchronous; they run in a greenlet over asyncpg on the loop's thread,
so that a unit that waits for the server gives the loop to others and no lock of the interpreter is fought over. As
units load, decide and apply without locking rows, each has a SERIALIZABLE transaction: the server finds out when two
of them did not fit one after the other, and the loser is run again from its beginning. A race that shows as a broken
unique key is run again as well: the second time the unit finds the row.

Units that would hardly ever fit (all that seek or free a rider read the same riders) say `alone="name"` and take turns.

A server that is away (restarting after a crash, not yet up) is waited for, `AWAY_S` at most; a unit whose COMMIT was
under way when the connection broke is not run again: nobody knows whether it was committed, and the caller is told so.

Units cost ten round trips or more; the order-to-print path uses batches of its own on `connect()` instead.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar, cast

import asyncpg
from asyncpg.exceptions import InternalClientError
from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from o2o_platform.errors import PlatformError, Unavailable, Unprocessable
from o2o_platform.kit import outbox
from o2o_platform.kit.database import Database
from o2o_platform.kit.database.bell import Bell
from o2o_platform.kit.database.broken import BROKEN, TROUBLE
from o2o_platform.kit.database.schema import bring_up_to_date
from o2o_platform.kit.outbox import START, Event, Position

log = logging.getLogger("o2o.platform.database")
T = TypeVar("T")

MAX_RUNS = 30
"""Of one unit, before its caller is told to come again."""
MAX_UNIQUE_RUNS = 3
AWAY_S = 10.0
"""A unit waits so long for a server that is away."""
LEASE_POLL_S = 0.5

_THIS_MACHINE = {"localhost", "127.0.0.1", "::1"}
_SERIALIZATION = {"40001", "40P01"}
_UNIQUE = "23505"
_TOO_LARGE = {"22003"}
_UNSTORABLE = {"22021"}
"""NUL in a text."""
_AWAY = {"57P01", "57P02", "57P03", "08000", "08003", "08006", "53300"}
"""The server shuts down, crashed, starts up; the connection is gone; too many connections."""

_BEGIN = "BEGIN ISOLATION LEVEL SERIALIZABLE"
_BEGIN_READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"


class _Away(Exception):  # noqa: N818  (no error of the platform: it is caught below)
    """The server cannot be reached, and nothing was committed."""


class _Again(Exception):  # noqa: N818  (the same)
    """The transaction could not be serialized."""

    def __init__(self, unique: bool, cause: Exception) -> None:
        super().__init__(str(cause))
        self.unique = unique
        self.cause = cause


class PostgresDatabase(Database):
    """See the module."""

    dialect = "postgresql"

    def __init__(
        self, url: str, *, connections: int = 8, durable: bool = True, now: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._url: URL = make_url(url).set(drivername="postgresql+asyncpg")
        if not self._url.database:
            raise PlatformError("bad_database_url", f"{url}: the URL names no database")
        self._settings = {"application_name": "o2o", "jit": "off"} | ({} if durable else {"synchronous_commit": "off"})
        self._now = now
        self._slots = asyncio.Semaphore(connections)
        self._free: list[AsyncConnection] = []
        self._turns: dict[str, asyncio.Lock] = {}
        self._engine: AsyncEngine | None = None
        self._bell = Bell(self.connect)
        self._last = START
        self._stopping = False

    @property
    def last_event(self) -> Position:
        return self._last

    async def start(self) -> None:
        # AUTOCOMMIT: transactions are begun and ended by us, in plain words; NullPool: the connections are kept by us.
        self._engine = create_async_engine(
            self._url,
            isolation_level="AUTOCOMMIT",
            poolclass=NullPool,
            connect_args=self._how(),
        )
        try:
            await bring_up_to_date(self._url)
            self._last = await self.read(outbox.last, quick=True)
        except (OSError, asyncpg.PostgresError, DBAPIError, Unavailable) as error:
            told = str(getattr(error, "orig", None) or error).splitlines()[0]
            await self._engine.dispose()
            raise PlatformError(
                "bad_database_url", f"{_shown(self._url)}: the database cannot be opened ({told})"
            ) from error
        await self._bell.start()

    async def stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        await self._bell.stop()
        while self._free:
            await self._free.pop().close()
        if self._engine is not None:
            await self._engine.dispose()

    async def connect(self) -> asyncpg.Connection:
        plain = self._url.set(drivername="postgresql").render_as_string(hide_password=False)
        return await asyncpg.connect(plain, **self._how())

    def _how(self) -> dict[str, Any]:
        """What the driver is told about every connection."""
        how: dict[str, Any] = {"server_settings": self._settings, "statement_cache_size": 1000, "timeout": 10.0}
        if (self._url.host or "localhost") in _THIS_MACHINE and not {"ssl", "sslmode"} & set(self._url.query):
            # To ask for TLS first is a round trip; given up in the midst of it, the driver leaves an error that nobody
            # can fetch.
            how["ssl"] = False
        return how

    async def write(self, unit: Callable[[Connection], T], *, long: bool = False, alone: str = "") -> T:
        """`long` makes no difference here: a long unit has a connection of its own like every other."""
        if not alone:
            return cast(T, await self._persist(lambda conn: self._transaction(conn, unit)))
        # In this process first, so that those who wait for the others' turn do not take all connections.
        async with self._turns.setdefault(alone, asyncio.Lock()):
            return cast(T, await self._persist(lambda conn: self._in_turn(conn, unit, alone)))

    async def events_after(self, cursor: Position, limit: int, topics: Sequence[str] = ()) -> list[Event]:
        return await self.read(lambda conn: outbox.read_after(conn, cursor, limit, topics), quick=True)

    async def read(self, unit: Callable[[Connection], T], *, quick: bool = False) -> T:
        return cast(T, await self._persist(lambda conn: self._look(conn, unit, quick)))

    def ring(self) -> None:
        """Wake the relay: something was committed on a connection of the caller's own."""
        self._bell.ring()

    @asynccontextmanager
    async def lease(self, name: str) -> AsyncIterator[None]:
        conn = await self._hold(name)
        body = asyncio.current_task()
        assert body is not None
        lost = False

        def gone(_: object) -> None:
            nonlocal lost
            lost = True
            body.cancel()

        conn.add_termination_listener(gone)
        try:
            yield
        except asyncio.CancelledError:
            if lost and body.uncancel() == 0:
                raise Unavailable("lease_lost", f"the lease {name} was lost with its connection") from None
            raise
        finally:
            conn.remove_termination_listener(gone)
            with contextlib.suppress(Exception):
                await conn.close()  # and with it the lock

    async def _hold(self, name: str) -> asyncpg.Connection:
        conn = await self.connect()
        try:
            while True:  # asked again and again: a query that waits for the lock would hold up vacuuming
                if await conn.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", f"o2o:{name}"):
                    return conn
                await asyncio.sleep(LEASE_POLL_S)
        except BaseException:
            with contextlib.suppress(Exception):
                await conn.close()
            raise

    async def _persist(self, attempt: Callable[[AsyncConnection], Any]) -> Any:
        """Run the attempt until it has an outcome."""
        if self._stopping:
            raise Unavailable("shutting_down", "the platform is closing")
        runs, unique, away_since = 0, 0, 0.0
        while True:
            try:
                async with self._slots, self._connection() as conn:
                    return await attempt(conn)
            except _Again as error:
                runs, unique = runs + 1, unique + error.unique
                if unique >= MAX_UNIQUE_RUNS:
                    raise error.cause from None
                if runs >= MAX_RUNS:
                    raise Unavailable("busy", "too many want the same at once", headers={"Retry-After": "1"}) from None
                self.retries += 1
                await asyncio.sleep(random.random() * 0.002 * min(runs, 10))
            except _Away as error:
                since = away_since = away_since or time.monotonic()
                if time.monotonic() - since > AWAY_S or self._stopping:
                    headers = {"Retry-After": "2"}
                    raise Unavailable("database_away", f"the database is away ({error})", headers=headers) from None
                await asyncio.sleep(0.1)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection out of the pool; one that an error may have spoiled does not go back."""
        assert self._engine is not None, "start() comes first"
        if self._free:
            conn = self._free.pop()
        else:
            try:
                conn = await self._engine.connect()
            except (OSError, asyncpg.PostgresError, DBAPIError) as error:
                if _state_of(error) in {"3D000", "28000", "28P01"}:  # no such database, no entry
                    raise
                raise _Away(str(error)) from error
        try:
            yield conn
        except PlatformError:
            self._free.append(conn)  # a refusal: its transaction was rolled back in order
            raise
        except _Again:
            self._free.append(conn)
            raise
        except BaseException:
            with contextlib.suppress(Exception):
                await conn.invalidate()
                await conn.close()
            raise
        else:
            self._free.append(conn)

    async def _in_turn(self, conn: AsyncConnection, unit: Callable[[Connection], T], name: str) -> T:
        """The unit while nobody else's of this name is under way; its snapshot is taken when its turn has come."""
        driver = await _driver(conn)
        key = f"o2o:turn:{name}"
        try:
            await driver.execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", key)
        except BaseException as error:
            await self._roll_back(driver, error)
            raise
        try:
            return await self._transaction(conn, unit)
        finally:
            if not driver.is_closed():  # with the connection the lock would be gone
                await asyncio.shield(driver.execute("SELECT pg_advisory_unlock(hashtextextended($1, 0))", key))

    async def _transaction(self, conn: AsyncConnection, unit: Callable[[Connection], T]) -> T:
        driver = await _driver(conn)
        try:
            await driver.execute(_BEGIN)
            value, told = await conn.run_sync(_run, unit)
        except BaseException as error:
            await self._roll_back(driver, error)
            raise
        try:
            await driver.execute("COMMIT")
        except (asyncpg.PostgresError, InternalClientError) as error:  # it was not committed
            await self._roll_back(driver, error)
            raise
        except BROKEN as error:
            headers = {"Retry-After": "1"}
            raise Unavailable("commit_unknown", "the connection broke during COMMIT", headers=headers) from error
        self.units += 1
        self.transactions += 1
        if told:
            self._bell.ring()
        return value

    async def _look(self, conn: AsyncConnection, unit: Callable[[Connection], T], quick: bool) -> T:
        driver = await _driver(conn)
        try:
            if not quick:
                await driver.execute(_BEGIN_READ)
            value = await conn.run_sync(_plain, unit)
            if not quick:
                await driver.execute("COMMIT")
        except BaseException as error:
            await self._roll_back(driver, error)
            raise
        return value

    async def _roll_back(self, driver: asyncpg.Connection, error: BaseException) -> None:
        """End the transaction, and raise what the error means if it means more than itself."""
        state = _state_of(error)
        if driver.is_closed() or state in _AWAY or isinstance(error, OSError | InternalClientError):
            if isinstance(error, Exception) and not isinstance(error, PlatformError):
                raise _Away(str(error)) from error
            return
        if not isinstance(error, asyncio.CancelledError):
            try:
                # A parameter that cannot be encoded leaves a half-begun query behind, even outside a transaction.
                if driver.is_in_transaction() or not isinstance(error, PlatformError):
                    await driver.execute("ROLLBACK")
            except TROUBLE as broken:
                if isinstance(error, PlatformError):
                    return
                raise _Away(str(broken)) from error
        if state in _SERIALIZATION or state == _UNIQUE:
            assert isinstance(error, Exception)
            raise _Again(state == _UNIQUE, error) from error
        if state in _UNSTORABLE:
            raise Unprocessable("invalid", "a text has a character that cannot be stored") from error
        cause = getattr(error, "orig", None) or error
        if state in _TOO_LARGE or isinstance(
            getattr(cause, "__cause__", None) or cause, OverflowError | asyncpg.DataError
        ):
            raise Unprocessable("invalid", "a number is too large") from error


def _run(conn: Connection, unit: Callable[[Connection], T]) -> tuple[T, bool]:
    """The unit and its events, in the transaction that is open; whether there were events."""
    collected = outbox.collected(conn)
    collected.clear()
    value = _plain(conn, unit)
    if collected:
        outbox.append(conn, collected)
    return value, bool(collected)


def _plain(conn: Connection, unit: Callable[[Connection], T]) -> T:
    try:
        return unit(conn)
    finally:
        conn.rollback()  # of SQLAlchemy's own book-keeping only: the connection is in AUTOCOMMIT


async def _driver(conn: AsyncConnection) -> asyncpg.Connection:
    return cast(asyncpg.Connection, (await conn.get_raw_connection()).driver_connection)


def _state_of(error: BaseException) -> str:
    """The SQLSTATE of an error, whoever wrapped it; "" if it has none."""
    seen: BaseException | None = error
    for _ in range(4):
        state = getattr(seen, "sqlstate", None)
        if state:
            return str(state)
        if seen is None:
            break
        seen = getattr(seen, "orig", None) or seen.__cause__
    return ""


def _shown(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=True)
