"""Statements of the hot path: built with SQLAlchemy Core, compiled once, run on the driver.

Decides that a statement is written in Core (so it is checked against the tables) and that executing it costs what the
driver costs, a tenth of going through the engine each time. A row is a named tuple of the selected columns. For
statements that are run thousands of times a second; everything else uses `conn.execute`.

Rules: all parameters are named binds; an insert names every column that may not be null (Python-side defaults are not
applied), and no key that the database numbers itself unless it is given; truth values come back as 0 and 1 on SQLite.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property, lru_cache
from typing import Any, Protocol, cast

import asyncpg
from sqlalchemy import Connection, Delete, Insert, Select, Table, Update
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.exc import IntegrityError
from sqlalchemy.util import await_only

Record = Any
"""A row: a named tuple whose fields are the selected columns."""

Statement = Select[Any] | Insert | Update | Delete
Values = dict[str, Any]

_SQLITE = sqlite.dialect(paramstyle="named")
_POSTGRES = PGDialect_asyncpg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


@lru_cache(maxsize=512)
def _record(names: tuple[str, ...]) -> Callable[[Iterable[Any]], Record]:
    # The names are known at run time only, so no class statement can declare them.
    made: Any = namedtuple("Record", list(names), rename=True)  # type: ignore[misc]
    return cast(Callable[[Iterable[Any]], Record], made._make)


class _Runner(Protocol):
    """One statement on one kind of database."""

    sql: str

    def rows(self, conn: Connection, values: Values) -> Sequence[Sequence[Any]]: ...
    def first(self, conn: Connection, values: Values) -> Sequence[Any] | None: ...
    def count(self, conn: Connection, values: Values) -> int: ...
    def key(self, conn: Connection, values: Values) -> int: ...
    def many(self, conn: Connection, rows: list[Values]) -> None: ...


class Prepared:
    """A compiled statement; see the module."""

    def __init__(self, statement: Statement) -> None:
        self._statement = statement
        compiled = self._sqlite  # at once, so that a statement that cannot be prepared is found at import
        self.sql = compiled.sql
        if isinstance(statement, Select):
            self._make = _record(tuple(str(column.key) for column in statement.selected_columns))

    @cached_property
    def _sqlite(self) -> _Sqlite:
        return _Sqlite(self._statement)

    @cached_property
    def _postgres(self) -> _Postgres:
        return _Postgres(self._statement)

    def _on(self, conn: Connection) -> _Runner:
        return self._sqlite if conn.dialect.name == "sqlite" else self._postgres

    def first(self, conn: Connection, **values: Any) -> Record:
        """The first row, None if there is none."""
        row = self._on(conn).first(conn, values)
        return None if row is None else self._make(row)

    def all(self, conn: Connection, **values: Any) -> list[Record]:
        """All rows."""
        return list(map(self._make, self._on(conn).rows(conn, values)))

    def scalar(self, conn: Connection, **values: Any) -> Any:
        """The first column of the first row, None if there is none."""
        row = self._on(conn).first(conn, values)
        return None if row is None else row[0]

    def run(self, conn: Connection, **values: Any) -> int:
        """Execute an update or delete; how many rows it touched."""
        return self._on(conn).count(conn, values)

    def add(self, conn: Connection, **values: Any) -> int:
        """Execute an insert; the new row's id."""
        return self._on(conn).key(conn, values)

    def many(self, conn: Connection, rows: list[dict[str, Any]]) -> None:
        """Execute once for each of `rows`."""
        self._on(conn).many(conn, rows)


def fetch_value(conn: Connection, sql: str, *args: Any) -> Any:
    """One value of a statement in PostgreSQL's own words ($1, $2 ...), inside a unit of work there."""
    return await_only(cast(asyncpg.Connection, conn.connection.driver_connection).fetchval(sql, *args))


def _nulls(statement: Statement, given: Values) -> Values:
    """What a parameter is when nobody names it: a column that is not given is null."""
    if not isinstance(statement, Insert):
        return given
    table = cast(Table, statement.table)
    return {c.name: None for c in table.columns if c.nullable} | given


def _checked(sql: str) -> str:
    if "POSTCOMPILE" in sql:
        raise ValueError(f"a list cannot be prepared: {sql}")
    return sql


class _Sqlite:
    """On sqlite3: named parameters."""

    def __init__(self, statement: Statement) -> None:
        compiled = statement.compile(dialect=_SQLITE)
        self.sql = _checked(str(compiled))
        given = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
        self._defaults = _nulls(statement, given)
        if isinstance(statement, Insert):  # a key that is not given is counted up
            self._defaults = {c.name: None for c in cast(Table, statement.table).primary_key} | self._defaults

    def _run(self, conn: Connection, values: Values) -> sqlite3.Cursor:
        driver = cast(sqlite3.Connection, conn.connection.driver_connection)
        return driver.execute(self.sql, {**self._defaults, **values} if self._defaults else values)

    def rows(self, conn: Connection, values: Values) -> Sequence[Sequence[Any]]:
        return self._run(conn, values).fetchall()

    def first(self, conn: Connection, values: Values) -> Sequence[Any] | None:
        row: Sequence[Any] | None = self._run(conn, values).fetchone()
        return row

    def count(self, conn: Connection, values: Values) -> int:
        return self._run(conn, values).rowcount

    def key(self, conn: Connection, values: Values) -> int:
        return cast(int, self._run(conn, values).lastrowid)

    def many(self, conn: Connection, rows: list[Values]) -> None:
        driver = cast(sqlite3.Connection, conn.connection.driver_connection)
        driver.executemany(self.sql, [{**self._defaults, **row} for row in rows] if self._defaults else rows)


class _Postgres:
    """On asyncpg, inside the greenlet of a unit of work: numbered parameters, statements prepared by the driver."""

    def __init__(self, statement: Statement) -> None:
        self._keyed = self._plan(statement)
        self._counted = self._keyed
        if isinstance(statement, Insert):
            table = cast(Table, statement.table)
            key = [c for c in table.primary_key if c.autoincrement is not False and c.name == "id"]
            if key:
                # Without its key the row is numbered by the table's sequence.
                named = [c.name for c in table.columns if c.name != "id" and c.server_default is None]
                self._counted = self._plan(statement, named)
                self._keyed = self._plan(statement, [*named, "id"])
        self.sql = self._keyed[0]

    @staticmethod
    def _plan(statement: Statement, columns: list[str] | None = None) -> tuple[str, tuple[str, ...], Values]:
        if isinstance(statement, Insert):
            if "id" in cast(Table, statement.table).c:
                statement = statement.returning(cast(Table, statement.table).c.id)
            compiled = statement.compile(dialect=_POSTGRES, column_keys=columns)
        else:
            compiled = statement.compile(dialect=_POSTGRES)
        given = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
        names = tuple(getattr(compiled, "positiontup", None) or ())
        return _checked(str(compiled)), names, _nulls(statement, given)

    def _with(self, values: Values) -> tuple[str, list[Any]]:
        sql, names, defaults = self._keyed if "id" in values else self._counted
        merged = {**defaults, **values} if defaults else values
        return sql, [merged[name] for name in names]

    @staticmethod
    def _driver(conn: Connection) -> asyncpg.Connection:
        return cast(asyncpg.Connection, conn.connection.driver_connection)

    def rows(self, conn: Connection, values: Values) -> Sequence[Sequence[Any]]:
        sql, args = self._with(values)
        try:
            return cast(Sequence[Sequence[Any]], await_only(self._driver(conn).fetch(sql, *args)))
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(sql, args, error) from error

    def first(self, conn: Connection, values: Values) -> Sequence[Any] | None:
        rows = self.rows(conn, values)
        return rows[0] if rows else None

    def count(self, conn: Connection, values: Values) -> int:
        sql, args = self._with(values)
        try:
            told = await_only(self._driver(conn).execute(sql, *args))
        except asyncpg.IntegrityConstraintViolationError as error:
            raise IntegrityError(sql, args, error) from error
        return int(told.rsplit(" ", 1)[1])

    def key(self, conn: Connection, values: Values) -> int:
        row = self.first(conn, values)
        return 0 if row is None else cast(int, row[0])

    def many(self, conn: Connection, rows: list[Values]) -> None:
        if rows:
            plans = [self._with(row) for row in rows]
            try:
                await_only(self._driver(conn).executemany(plans[0][0], [args for _, args in plans]))
            except asyncpg.IntegrityConstraintViolationError as error:
                raise IntegrityError(plans[0][0], rows, error) from error
