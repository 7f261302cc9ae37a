"""The database: units of work, on SQLite or PostgreSQL.

Decides what a feature sees. A unit of work is a synchronous function `unit(conn)`: `await db.write(unit)` runs it in a
transaction and returns its value once that is committed, raises what it raised; `await db.read(unit)` runs it on one
snapshot of what is committed (`quick=True`: a look-up by key).

Rules for the functions given to it: they are synchronous, call no network, return plain values (no cursors or mapped
objects bound to the connection), have no effect but on `conn` (a unit may be run again, from its beginning, if its
transaction cannot be serialized), and load, decide, apply in one go: what a unit has read cannot change before it is
committed.

How that is held: SQLite has one writer (`sqlite.py`), PostgreSQL runs units SERIALIZABLE (`postgres.py`).
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from sqlalchemy import Connection, make_url
from sqlalchemy.exc import ArgumentError

from o2o_platform.errors import PlatformError
from o2o_platform.kit import outbox
from o2o_platform.kit.outbox import Event, Position

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")
Unit = Callable[[Connection], Any]


class Database(ABC):
    """See the module. `start` it on the loop that uses it, `stop` it there."""

    dialect: Literal["sqlite", "postgresql"]

    def __init__(self) -> None:
        self.on_commit: Callable[[list[Event]], None] = lambda events: None
        """Called on the loop with the events of each transaction that this process has committed (SQLite)."""
        self.units = 0
        """Units of work committed so far."""
        self.transactions = 0
        """Transactions committed so far; units / transactions is the size of the natural batches."""
        self.retries = 0
        """Units that were run again."""

    @property
    @abstractmethod
    def last_event(self) -> Position:
        """Position of the newest event at start-up; afterwards the stream knows better."""

    @abstractmethod
    async def start(self) -> None:
        """Open what needs a loop, and bring the schema up to date. Raises PlatformError."""

    @abstractmethod
    async def stop(self) -> None:
        """Let what is under way come to its end, then close. Idempotent."""

    @abstractmethod
    async def write(self, unit: Callable[[Connection], T], *, long: bool = False, alone: str = "") -> T:
        """Run a unit of work; returns its value once it is committed, raises what it raised.

        Units that name the same `alone` are run one after the other, where they otherwise would not be.
        """

    @abstractmethod
    async def read(self, unit: Callable[[Connection], T], *, quick: bool = False) -> T:
        """Run a reading unit on one snapshot of what is committed."""

    async def events_after(self, cursor: Position, limit: int, topics: Sequence[str] = ()) -> list[Event]:
        """Committed events with a position above `cursor`, in order; all topics if none is named."""
        return await self.read(lambda conn: outbox.read_after(conn, cursor, limit, topics))

    @abstractmethod
    async def connect(self) -> asyncpg.Connection:
        """A connection of the caller's own, for batches and listening (PostgreSQL only). The caller closes it."""

    def ring(self) -> None:  # noqa: B027  (SQLite hands its events to the stream itself)
        """Say that something was committed on a connection of the caller's own."""

    @abstractmethod
    def lease(self, name: str) -> AbstractAsyncContextManager[None]:
        """Wait until this process alone holds `name`; the body is cancelled if the hold is lost."""


def open_database(
    url: str, *, readers: int = 2, connections: int = 8, durable: bool = True, now: Callable[[], float] = time.time
) -> Database:
    """The database that the URL names. Raises PlatformError if there is no such kind, or SQLite cannot be opened."""
    from o2o_platform.kit.database.postgres import PostgresDatabase
    from o2o_platform.kit.database.sqlite import SqliteDatabase

    try:
        kind = make_url(url).get_backend_name()
    except ArgumentError:
        kind = ""
    if kind == "sqlite":
        return SqliteDatabase(url, readers=readers, durable=durable, now=now)
    if kind == "postgresql":
        return PostgresDatabase(url, connections=connections, durable=durable, now=now)
    raise PlatformError("bad_database_url", f"{url}: sqlite:///path/of/a/file or postgresql://user@host/name is needed")
