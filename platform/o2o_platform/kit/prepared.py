"""Statements of the hot path: built with SQLAlchemy Core, compiled once, run on the driver.

Decides that a statement is written in Core (so it is checked against the tables) and that executing it costs what the
driver costs, a tenth of going through the engine each time. A row is a named tuple of the selected columns. For
statements that are run thousands of times a second; everything else uses `conn.execute`.

Rules: all parameters are named binds; an insert names every column that may not be null (Python-side defaults are not
applied); truth values come back as 0 and 1.
"""

from __future__ import annotations

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, cast

from sqlalchemy import Connection, Delete, Insert, Select, Table, Update
from sqlalchemy.dialects import sqlite

_DIALECT = sqlite.dialect(paramstyle="named")

Record = Any
"""A row: a named tuple whose fields are the selected columns."""


@lru_cache(maxsize=512)
def _record(names: tuple[str, ...]) -> Callable[[Iterable[Any]], Record]:
    # The names are known at run time only, so no class statement can declare them.
    made: Any = namedtuple("Record", list(names), rename=True)  # type: ignore[misc]
    return cast(Callable[[Iterable[Any]], Record], made._make)


class Prepared:
    """A compiled statement; see the module."""

    def __init__(self, statement: Select[Any] | Insert | Update | Delete) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        self.sql = str(compiled)
        if "POSTCOMPILE" in self.sql:
            raise ValueError(f"a list cannot be prepared: {self.sql}")
        self._defaults = {name: bind.value for bind, name in compiled.bind_names.items() if not bind.required}
        if isinstance(statement, Insert):  # a column that is not given is null
            table = cast(Table, statement.table)
            self._defaults = {c.name: None for c in table.columns if c.nullable or c.primary_key} | self._defaults
        if isinstance(statement, Select):
            self._make = _record(tuple(str(column.key) for column in statement.selected_columns))

    def _run(self, conn: Connection, values: dict[str, Any]) -> sqlite3.Cursor:
        driver = cast(sqlite3.Connection, conn.connection.driver_connection)
        return driver.execute(self.sql, {**self._defaults, **values} if self._defaults else values)

    def first(self, conn: Connection, **values: Any) -> Record:
        """The first row, None if there is none."""
        row = self._run(conn, values).fetchone()
        return None if row is None else self._make(row)

    def all(self, conn: Connection, **values: Any) -> list[Record]:
        """All rows."""
        return list(map(self._make, self._run(conn, values)))

    def scalar(self, conn: Connection, **values: Any) -> Any:
        """The first column of the first row, None if there is none."""
        row = self._run(conn, values).fetchone()
        return None if row is None else row[0]

    def run(self, conn: Connection, **values: Any) -> int:
        """Execute an update or delete; how many rows it touched."""
        return self._run(conn, values).rowcount

    def add(self, conn: Connection, **values: Any) -> int:
        """Execute an insert; the new row's id."""
        return cast(int, self._run(conn, values).lastrowid)

    def many(self, conn: Connection, rows: list[dict[str, Any]]) -> None:
        """Execute once for each of `rows`."""
        driver = cast(sqlite3.Connection, conn.connection.driver_connection)
        driver.executemany(self.sql, [{**self._defaults, **row} for row in rows] if self._defaults else rows)
