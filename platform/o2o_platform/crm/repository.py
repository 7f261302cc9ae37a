"""Units of work on leads: load the facts, ask the rules of pools and leads, apply their answer, write history.

Each returns a value; a domain refusal is returned, not raised, because a lead whose clock ran out is dropped in the
same unit and that must be kept. Rules that hold in this file:
- before anything is asked of a lead, a hold that is due is dropped: the rules bind at their instant, and the recycle
  is only housekeeping;
- the owner changes only by a conditional update on the owner that was read, and with the owner's count (C6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Update, bindparam, insert, select, update

from o2o_domain import leads as stages
from o2o_domain import pools
from o2o_domain.geo import haversine_m
from o2o_domain.leads import LeadEvent, LeadStage
from o2o_domain.pools import Hold, PoolPolicy
from o2o_domain.refusal import Refused
from o2o_platform.accounts.repository import is_superior
from o2o_platform.crm import history, holds
from o2o_platform.crm.history import What
from o2o_platform.crm.recycle import drop, drop_due_of
from o2o_platform.crm.tables import lead_visits, leads

UNKNOWN = Refused("unknown_lead", "there is no such lead")
NOT_OWNER = Refused("not_owner", "the lead is not in your private pool")
_CHUNK = 500
_BY_ID = select(leads).where(leads.c.id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class NewLead:
    """A store that could become a merchant. `source`: crawl, bd, merchant or crowd (C2)."""

    ref: str
    name: str
    lat: float
    lng: float
    source: str


def find(conn: Connection, lead_id: int) -> Row[Any] | None:
    """The lead as it is stored."""
    return conn.execute(_BY_ID, {"id": lead_id}).one_or_none()


def _load(conn: Connection, lead_id: int, policy: PoolPolicy, now: float) -> Row[Any] | None:
    """The lead as the rules see it at `now`: a hold that is due has been dropped."""
    lead = find(conn, lead_id)
    if lead is not None and lead.due_at is not None and lead.due_at <= now and drop(conn, lead, policy, now):
        return find(conn, lead_id)
    return lead


@lru_cache(maxsize=64)
def _update(columns: tuple[str, ...], public: bool) -> Update:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in columns}
    same = leads.c.owner_id.is_(None) if public else leads.c.owner_id == bindparam("was")
    return update(leads).where(leads.c.id == bindparam("lead"), same).values(**values)


def _change(conn: Connection, lead: Row[Any], **columns: Any) -> None:
    public = lead.owner_id is None
    values = {f"new_{name}": value for name, value in columns.items()} | ({} if public else {"was": lead.owner_id})
    changed = conn.execute(_update(tuple(columns), public), {"lead": lead.id, **values}).rowcount
    if changed != 1:  # impossible with one writer; with several, the unit fails instead of giving a lead to two
        raise RuntimeError(f"lead {lead.id} changed its owner while it was being worked on")


def _held(conn: Connection, bd_id: int, policy: PoolPolicy, now: float) -> int:
    """Leads that the BD holds; at the quota, what is due is dropped first, because it must not fill it."""
    held = holds.held_by(conn, bd_id)
    if held < policy.quota or not drop_due_of(conn, bd_id, policy, now):
        return held
    return holds.held_by(conn, bd_id)


def _note(conn: Connection, lead: Row[Any], what: What, at: float, **fields: Any) -> None:
    history.append(conn, [history.row(lead.id, what, at, **{"stage": lead.stage, **fields})])


def create(conn: Connection, new: Sequence[NewLead], *, actor_id: int, now: float) -> list[int]:
    """Add leads to the public pool; ids in order. A ref that is known already keeps its lead."""
    known = _ids(conn, [lead.ref for lead in new])
    fresh = {lead.ref: lead for lead in new if lead.ref not in known}
    if fresh:
        values = {"stage": LeadStage.NEW.value, "created_at": now}
        conn.execute(
            insert(leads),
            [
                {"ref": lead.ref, "name": lead.name, "lat": lead.lat, "lng": lead.lng, "source": lead.source, **values}
                for lead in fresh.values()
            ],
        )
        made = _ids(conn, list(fresh))
        stage = LeadStage.NEW.value
        history.append(
            conn, [history.row(made[ref], What.CREATED, now, stage=stage, owned=0, actor_id=actor_id) for ref in fresh]
        )
        known |= made
    return [known[lead.ref] for lead in new]


def _ids(conn: Connection, refs: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for start in range(0, len(refs), _CHUNK):
        query = select(leads.c.ref, leads.c.id).where(leads.c.ref.in_(refs[start : start + _CHUNK]))
        found.update((row.ref, row.id) for row in conn.execute(query))
    return found


def _closed(lead: Row[Any]) -> Refused | None:
    if LeadStage(lead.stage) in stages.TERMINAL:
        return Refused("lead_closed", f"the lead is {lead.stage}")
    return None


def claim(conn: Connection, *, lead_id: int, bd_id: int, policy: PoolPolicy, now: float) -> Row[Any] | Refused:
    """Take a public lead into the BD's private pool (C6).

    Refused: unknown_lead, lead_closed, already_owned, quota_reached.
    """
    lead = _load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    refused = _closed(lead)
    if refused is not None:
        return refused
    decision = pools.claim(owner=lead.owner_id, held=_held(conn, bd_id, policy, now), policy=policy)
    if isinstance(decision, Refused):
        return decision
    owned = holds.take(conn, bd_id, policy.quota)
    if owned is None:
        return Refused("quota_reached", str(policy.quota))
    hold = pools.start(bd_id, now)
    _change(conn, lead, **holds.columns(hold, policy), **holds.entered(now), contract_at=None, claims=lead.claims + 1)
    _note(conn, lead, What.CLAIMED, now, actor_id=bd_id, owner_id=bd_id, owned=owned)
    return find(conn, lead_id) or UNKNOWN


def release(conn: Connection, *, lead_id: int, bd_id: int, policy: PoolPolicy, now: float) -> Row[Any] | Refused:
    """Put an own lead back into the public pool. Refused: unknown_lead, not_owner."""
    lead = _load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    if lead.owner_id != bd_id:
        return NOT_OWNER
    _change(conn, lead, **holds.PUBLIC, **holds.left(lead, now))
    _note(conn, lead, What.RELEASED, now, actor_id=bd_id, owned=holds.let_go(conn, bd_id))
    return find(conn, lead_id) or UNKNOWN


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
    lead = _load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    refused = _closed(lead)
    if refused is not None:
        return refused
    hold = holds.hold_of(lead)
    if hold is None or hold.owner != bd_id:
        return NOT_OWNER
    distance_m = haversine_m(at.lat, at.lng, lead.lat, lead.lng)
    if distance_m > radius_m:
        return Refused("too_far", f"{distance_m:.0f} m from the store, {radius_m:.0f} m allowed")
    stage = stages.step(LeadStage(lead.stage), LeadEvent.VISIT)
    if isinstance(stage, Refused):
        return stage
    values = {"lead_id": lead_id, "bd_id": bd_id, "at": now, "lat": at.lat, "lng": at.lng}
    visit_id = conn.execute(
        insert(lead_visits).values(**values, distance_m=distance_m, note=at.note).returning(lead_visits.c.id)
    ).scalar_one()
    _change(
        conn,
        lead,
        **holds.columns(pools.visited(hold, now), policy),
        stage=stage.value,
        visits=lead.visits + 1,
        idle_s=holds.idle_until(lead, now),
        idle_since=now,
    )
    owned = holds.held_by(conn, bd_id)
    _note(conn, lead, What.VISITED, now, stage=stage.value, actor_id=bd_id, owner_id=bd_id, owned=owned)
    return int(visit_id)


def sign(
    conn: Connection, *, lead_id: int, bd_id: int, convert: bool, policy: PoolPolicy, now: float
) -> Row[Any] | Refused:
    """Bring the signed contract of an own lead; with `convert` it becomes a merchant and leaves the pools at once.

    Without, the contract clock stops (C7) and the hold goes on, until a second call converts it. Refused: unknown_lead,
    already_signed, dead, no_visit (C1), not_owner.
    """
    lead = _load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    if lead.owner_id != bd_id and LeadStage(lead.stage) not in stages.TERMINAL:
        return NOT_OWNER
    stage = stages.convert(LeadStage(lead.stage), visits=lead.visits, contract_signed=True)
    if isinstance(stage, Refused):
        return stage
    hold = holds.hold_of(lead)
    assert hold is not None  # the owner was checked above
    if lead.contract_at is None:
        last = select(lead_visits.c.id).where(lead_visits.c.lead_id == lead_id).order_by(lead_visits.c.id.desc())
        conn.execute(update(lead_visits).where(lead_visits.c.id == last.limit(1).scalar_subquery()).values(signed=True))
    contract_at = now if lead.contract_at is None else lead.contract_at
    if convert:
        gone = {**holds.PUBLIC, "contract_at": contract_at, **holds.left(lead, now)}
        _change(conn, lead, **gone, stage=stage.value, converted_at=now)
        owned = holds.let_go(conn, bd_id)
        # Who owned it when it was signed stands in the row; the count is without it.
        _note(conn, lead, What.SIGNED, now, stage=stage.value, actor_id=bd_id, owner_id=bd_id, owned=owned)
    elif lead.contract_at is None:
        _change(conn, lead, **holds.columns(pools.signed(hold), policy), contract_at=now)
        owned = holds.held_by(conn, bd_id)
        _note(conn, lead, What.CONTRACT, now, actor_id=bd_id, owner_id=bd_id, owned=owned)
    return find(conn, lead_id) or UNKNOWN


def extend(conn: Connection, *, lead_id: int, bd_id: int, policy: PoolPolicy, now: float) -> Row[Any] | Refused:
    """Lengthen the protection of an own lead (C8). Refused: unknown_lead, not_owner, no_extensions_left."""
    lead = _load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    hold = holds.hold_of(lead)
    if hold is None:
        return NOT_OWNER
    decision = pools.extend(hold, policy, hold.owner == bd_id, now_s=now)
    if isinstance(decision, Refused):
        return decision
    _change(conn, lead, **holds.columns(decision.hold, policy))
    _note(conn, lead, What.EXTENDED, now, actor_id=bd_id, owner_id=bd_id, owned=holds.held_by(conn, bd_id))
    return find(conn, lead_id) or UNKNOWN


def assign(conn: Connection, *, lead_id: int, to: int, by: int, policy: PoolPolicy, now: float) -> Row[Any] | Refused:
    """Account `by` gives a lead, public or held, to BD `to` (C8); history names the superior.

    Superior is who stands above `to` and, so that no team takes from another, above the present owner.

    Refused: unknown_lead, lead_closed, not_superior, already_owned, quota_reached.
    """
    lead = _load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    refused = _closed(lead)
    if refused is not None:
        return refused
    hold: Hold | None = holds.hold_of(lead)
    concerned = {to} if hold is None else {to, hold.owner}
    decision = pools.assign(
        hold,
        to=to,
        by_is_superior=all(is_superior(conn, by, one) for one in concerned),
        held_by_target=_held(conn, to, policy, now),
        policy=policy,
        now_s=now,
    )
    if isinstance(decision, Refused):
        return decision
    owned = holds.take(conn, to, policy.quota)
    if owned is None:
        return Refused("quota_reached", str(policy.quota))
    reason = None
    if hold is not None:
        holds.let_go(conn, hold.owner)
        reason = f"from {hold.owner}"
    accounting = {**holds.left(lead, now), **holds.entered(now)}
    _change(conn, lead, **holds.columns(decision.hold, policy), **accounting)
    _note(conn, lead, What.ASSIGNED, now, actor_id=by, owner_id=to, owned=owned, reason=reason)
    return find(conn, lead_id) or UNKNOWN
