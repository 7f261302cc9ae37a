"""A lead as its readers see it, and who may read its history."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, select

from o2o_domain.roles import Permission, allowed
from o2o_platform.accounts.repository import subordinates
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.crm.tables import leads
from o2o_platform.errors import Forbidden

_CHUNK = 500


def view(lead: Row[Any], distance_m: float | None = None) -> dict[str, Any]:
    """The lead as JSON; times are unix seconds. `due_at`: when it drops if nothing happens to it."""
    seen = {
        "lead_id": lead.id,
        "ref": lead.ref,
        "name": lead.name,
        "lat": lead.lat,
        "lng": lead.lng,
        "source": lead.source,
        "stage": lead.stage,
        "owner_id": lead.owner_id,
        "visits": lead.visits,
        "claimed_at": lead.claimed_at,
        "last_visit_at": lead.last_visit_at,
        "contract_at": lead.contract_at,
        "extensions": lead.extensions,
        "due_at": lead.due_at,
    }
    return seen if distance_m is None else {**seen, "distance_m": round(distance_m, 1)}


def held(conn: Connection, bd_id: int, now: float) -> list[Row[Any]]:
    """The BD's private pool: first what drops first; what is due already is no longer theirs."""
    query = select(leads).where(leads.c.owner_id == bd_id, leads.c.due_at > now).order_by(leads.c.due_at, leads.c.id)
    return list(conn.execute(query))


def held_below(conn: Connection, boss_id: int, now: float) -> list[Row[Any]]:
    """The private pools of everybody below a superior, and of nobody else (A7)."""
    below = subordinates(conn, boss_id)
    found: list[Row[Any]] = []
    for start in range(0, len(below), _CHUNK):
        query = select(leads).where(leads.c.owner_id.in_(below[start : start + _CHUNK]), leads.c.due_at > now)
        found.extend(conn.execute(query))
    return sorted(found, key=lambda lead: (lead.due_at, lead.id))


def may_see(user: CurrentUser, lead: Row[Any]) -> None:
    """BDs see the public pool and their own; whoever may see all leads, all. Raises Forbidden."""
    if lead.owner_id in (None, user.id) or allowed(user.role, Permission.SEE_ALL_LEADS):
        return
    raise Forbidden("not_yours", f"lead {lead.id} is in somebody else's private pool")
