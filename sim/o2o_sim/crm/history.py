"""What happened to the leads, as rows of run tables (C1: the history is append-only).

Decides how events become columns of `lead_events` and `visits`; knows no rule.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from o2o_results.tables import TABLES


class History:
    """Rows in order of time; the id of a row is its place."""

    def __init__(self) -> None:
        self._events: list[tuple[Any, ...]] = []
        self._visits: list[tuple[Any, ...]] = []

    def event(
        self,
        at: float,
        lead_id: int,
        what: str,
        *,
        actor: int | None,
        owner: int | None,
        owned: int,
        reason: str | None = None,
    ) -> None:
        """Append to `lead_events`: `owner` after the event, `owned` what he (or the previous owner) then holds."""
        self._events.append((len(self._events), lead_id, at, what, actor, owner, owned, reason))

    def visit(self, at: float, lead_id: int, bd_id: int, travel_s: float, signed: bool) -> None:
        """Append to `visits`."""
        self._visits.append((len(self._visits), lead_id, bd_id, at, travel_s, signed))

    def tables(self) -> dict[str, pa.Table]:
        """The two tables."""
        return {"lead_events": _table("lead_events", self._events), "visits": _table("visits", self._visits)}


def _table(name: str, rows: list[tuple[Any, ...]]) -> pa.Table:
    schema = TABLES[name]
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(schema)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
