"""SQL of batches: arrays as rows, and guards that raise.

Decides how a guard says that it missed: the statement, which is the whole transaction, fails with an error that carries
the guard's name, so that nothing of the batch is done and no second statement is needed to undo it.
"""

from __future__ import annotations

from typing import Any

import asyncpg

Columns = tuple[tuple[str, str], ...]
"""(name, type of PostgreSQL)."""

_GUARD = "guard "
"""Begins a text that is no number, and is cast to one."""


class GuardMissed(Exception):  # noqa: N818  (no error of the platform: whoever batches answers it)
    """The rows were not what the batch was decided from; nothing was written."""


def rows(columns: Columns, first: int, name: str) -> str:
    """The arrays $first, $first + 1, ... as rows called `name`."""
    arrays = ", ".join(f"${first + i}::{kind}[]" for i, (_, kind) in enumerate(columns))
    return f"unnest({arrays}) AS {name} ({', '.join(column for column, _ in columns)})"


def guards(*guards: tuple[str, str, str]) -> str:
    """The end of the statement: for each (name, CTE, count wanted), in this order, the CTE must have so many rows."""
    # now() keeps the planner from trying the cast beforehand.
    cases = " ".join(
        f"WHEN (SELECT count(*) FROM {done}) <> {wanted} THEN ('{_GUARD}{name} ' || now())::int"
        for name, done, wanted in guards
    )
    return f"\nSELECT CASE {cases} ELSE 0 END"


async def run(conn: asyncpg.Connection, statement: str, *values: Any, unique: tuple[str, ...] = ()) -> None:
    """Run a guarded statement. Raises GuardMissed, also if one of the `unique` constraints says no."""
    try:
        await conn.fetchval(statement, *values)
    except asyncpg.InvalidTextRepresentationError as exc:
        if _GUARD not in str(exc):
            raise
        raise GuardMissed(str(exc)) from None
    except asyncpg.UniqueViolationError as exc:
        if exc.constraint_name not in unique:
            raise
        raise GuardMissed(str(exc)) from None
