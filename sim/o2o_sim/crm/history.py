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
        self._events: dict[str, list[Any]] = _columns("lead_events")
        self._visits: dict[str, list[Any]] = _columns("visits")

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
        rows = self._events
        rows["event_id"].append(len(rows["event_id"]))
        rows["lead_id"].append(lead_id)
        rows["at"].append(at)
        rows["what"].append(what)
        rows["actor"].append(actor)
        rows["owner"].append(owner)
        rows["owned"].append(owned)
        rows["reason"].append(reason)

    def visit(self, at: float, lead_id: int, bd_id: int, travel_s: float, signed: bool) -> None:
        """Append to `visits`."""
        rows = self._visits
        rows["visit_id"].append(len(rows["visit_id"]))
        rows["lead_id"].append(lead_id)
        rows["bd_id"].append(bd_id)
        rows["at"].append(at)
        rows["travel_s"].append(travel_s)
        rows["signed"].append(signed)

    def tables(self) -> dict[str, pa.Table]:
        """The two tables."""
        return {
            "lead_events": pa.table(self._events, schema=TABLES["lead_events"]),
            "visits": pa.table(self._visits, schema=TABLES["visits"]),
        }


def _columns(table: str) -> dict[str, list[Any]]:
    return {name: [] for name in TABLES[table].names}
