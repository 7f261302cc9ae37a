"""Units of work on what a BD does at the store: check in a visit, bring the contract (C1, C13).

Each returns a value; a domain refusal is returned, not raised, because a lead whose clock ran out is dropped in the
same unit and that must be kept. Which stage follows which is `o2o_domain.leads`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from o2o_domain import leads as stages
from o2o_domain import pools
from o2o_domain.geo import haversine_m
from o2o_domain.leads import LeadStage
from o2o_domain.pools import PoolPolicy
from o2o_domain.refusal import Refused
from o2o_platform.crm import holds
from o2o_platform.crm.history import What
from o2o_platform.crm.repository import UNKNOWN, change, find, load, note
from o2o_platform.crm.tables import lead_visits


@dataclass(frozen=True, slots=True)
class CheckIn:
    """Where a BD says the visit takes place (degrees), and what came of it."""

    lat: float
    lng: float
    note: str


def visit(
    conn: Connection, *, lead_id: int, bd_id: int, at: CheckIn, radius_m: float, policy: PoolPolicy, now: float
) -> int | Refused:
    """Check in a visit to an own lead, within `radius_m` of it (C13); the visit's id.

    Refused: unknown_lead, lead_closed, not_owner, too_far.
    """
    lead = load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    hold, distance_m = holds.hold_of(lead), haversine_m(at.lat, at.lng, lead.lat, lead.lng)
    is_owner = hold is not None and hold.owner == bd_id
    stage = stages.visit(LeadStage(lead.stage), is_owner=is_owner, distance_m=distance_m, radius_m=radius_m)
    if isinstance(stage, Refused):
        return stage
    assert hold is not None
    values = {"lead_id": lead_id, "bd_id": bd_id, "at": now, "lat": at.lat, "lng": at.lng}
    visit_id = conn.execute(
        insert(lead_visits).values(**values, distance_m=distance_m, note=at.note).returning(lead_visits.c.id)
    ).scalar_one()
    change(
        conn,
        lead,
        **holds.columns(pools.visited(hold, now), policy),
        stage=stage.value,
        visits=lead.visits + 1,
        idle_s=holds.idle_until(lead, policy, now),
        idle_since=now,
    )
    owned = holds.held_by(conn, bd_id)
    note(conn, lead, What.VISITED, now, stage=stage.value, actor_id=bd_id, owner_id=bd_id, owned=owned)
    return int(visit_id)


def sign(
    conn: Connection, *, lead_id: int, bd_id: int, convert: bool, policy: PoolPolicy, now: float
) -> Row[Any] | Refused:
    """Bring the signed contract of an own lead; with `convert` it becomes a merchant and leaves the pools at once.

    Without, the contract clock stops (C7) and the hold goes on, until a second call converts it. Refused: unknown_lead,
    already_signed, dead, no_visit (C1), not_owner.
    """
    lead = load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    stage = stages.sign(LeadStage(lead.stage), is_owner=lead.owner_id == bd_id, visits=lead.visits)
    if isinstance(stage, Refused):
        return stage
    hold = holds.hold_of(lead)
    assert hold is not None  # the owner brought it
    if lead.contract_at is None:
        last = select(lead_visits.c.id).where(lead_visits.c.lead_id == lead_id).order_by(lead_visits.c.id.desc())
        conn.execute(update(lead_visits).where(lead_visits.c.id == last.limit(1).scalar_subquery()).values(signed=True))
    contract_at = now if lead.contract_at is None else lead.contract_at
    if convert:
        gone = {**holds.PUBLIC, "contract_at": contract_at, **holds.left(lead, policy, now)}
        change(conn, lead, **gone, stage=stage.value, converted_at=now)
        owned = holds.let_go(conn, bd_id)
        # Who owned it when it was signed stands in the row; the count is without it.
        note(conn, lead, What.SIGNED, now, stage=stage.value, actor_id=bd_id, owner_id=bd_id, owned=owned)
    elif lead.contract_at is None:
        change(conn, lead, **holds.columns(pools.signed(hold), policy), contract_at=now)
        owned = holds.held_by(conn, bd_id)
        note(conn, lead, What.CONTRACT, now, actor_id=bd_id, owner_id=bd_id, owned=owned)
    return find(conn, lead_id) or UNKNOWN
