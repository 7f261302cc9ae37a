"""The id that a new row will have, before it is inserted: other rows of the same unit refer to it.

On SQLite the one writer asks for the largest and adds 1, so ids have no gaps; on PostgreSQL the table's sequence is
asked, and a unit that fails leaves a gap.
"""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import Column, Connection, Table, func, select

from o2o_platform.kit.prepared import Prepared, fetch_value


@lru_cache(maxsize=64)
def _largest(column: Column[int]) -> Prepared:
    return Prepared(select(func.max(column)))


def sequence_of(table: Table) -> str:
    """Name of the sequence that numbers this table's rows on PostgreSQL."""
    return f"{table.name}_id_seq"


def next_id(conn: Connection, table: Table) -> int:
    """The id for the next row of `table` (whose key is `id`)."""
    return next_number(conn, table.c.id, sequence_of(table))


def next_number(conn: Connection, column: Column[int], sequence: str) -> int:
    """The next number of a column that is counted up by `sequence` on PostgreSQL."""
    if conn.dialect.name == "postgresql":
        return int(fetch_value(conn, "SELECT nextval($1::text::regclass)", sequence))
    return int(_largest(column).scalar(conn) or 0) + 1
