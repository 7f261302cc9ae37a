"""The append-only history of each lead (C1): one row for whatever changed its stage or its owner.

Decides what is recorded. An assignment's row names the superior as its actor (C8), a drop's row the clock that ran out
as its reason (C7).
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select

from o2o_platform.accounts.tables import accounts
from o2o_platform.crm.tables import lead_events

_INSERT = insert(lead_events)


class What(StrEnum):
    """What happened to a lead."""

    CREATED = "created"
    CLAIMED = "claimed"
    VISITED = "visited"
    CONTRACT = "contract"
    """The contract is signed, the lead still has to become a merchant."""
    SIGNED = "signed"
    """Converted: a cooperating merchant, out of the pools."""
    DROPPED = "dropped"
    EXTENDED = "extended"
    ASSIGNED = "assigned"
    RELEASED = "released"


def row(
    lead_id: int,
    what: What,
    at: float,
    *,
    stage: str,
    owned: int,
    actor_id: int | None = None,
    owner_id: int | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """A row of history; see the table for the columns."""
    return {
        "lead_id": lead_id,
        "what": what.value,
        "at": at,
        "stage": stage,
        "owned": owned,
        "actor_id": actor_id,
        "owner_id": owner_id,
        "reason": reason,
    }


def append(conn: Connection, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows, in order."""
    if rows:
        conn.execute(_INSERT, list(rows))


def of_lead(conn: Connection, lead_id: int) -> list[dict[str, Any]]:
    """The lead's history, oldest first, with the actors' and owners' refs."""
    actor, owner = accounts.alias("actor"), accounts.alias("owner")
    names = ("id", "at", "what", "stage", "actor_id", "owner_id", "owned", "reason")
    query = (
        select(
            *(lead_events.c[name] for name in names),
            actor.c.ref.label("actor_ref"),
            owner.c.ref.label("owner_ref"),
        )
        .outerjoin(actor, actor.c.id == lead_events.c.actor_id)
        .outerjoin(owner, owner.c.id == lead_events.c.owner_id)
        .where(lead_events.c.lead_id == lead_id)
        .order_by(lead_events.c.id)
    )
    return [dict(found) for found in conn.execute(query).mappings()]
