"""Units of work on a lead's place in the pools: claim, release, extend, assign (C6, C8).

Each returns a value; a domain refusal is returned, not raised, because a lead whose clock ran out is dropped in the
same unit and that must be kept. Who may hold what is `o2o_domain.pools`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from o2o_domain import pools as rules
from o2o_domain.leads import LeadStage
from o2o_domain.pools import Hold, PoolPolicy
from o2o_domain.refusal import Refused
from o2o_platform.accounts.repository import is_superior
from o2o_platform.crm import holds
from o2o_platform.crm.history import What
from o2o_platform.crm.recycle import drop_due_of
from o2o_platform.crm.repository import NOT_OWNER, UNKNOWN, change, find, load, note


def _held(conn: Connection, bd_id: int, policy: PoolPolicy, now: float) -> int:
    """Leads that the BD holds; at the quota, what is due is dropped first, because it must not fill it."""
    held = holds.held_by(conn, bd_id)
    if held < policy.quota or not drop_due_of(conn, bd_id, policy, now):
        return held
    return holds.held_by(conn, bd_id)


def claim(conn: Connection, *, lead_id: int, bd_id: int, policy: PoolPolicy, now: float) -> Row[Any] | Refused:
    """Take a public lead into the BD's private pool (C6).

    Refused: unknown_lead, lead_closed, already_owned, quota_reached.
    """
    lead = load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    held = _held(conn, bd_id, policy, now)
    decision = rules.claim(owner=lead.owner_id, held=held, policy=policy, stage=LeadStage(lead.stage))
    if isinstance(decision, Refused):
        return decision
    owned = holds.take(conn, bd_id, policy.quota)
    if owned is None:
        return Refused("quota_reached", str(policy.quota))
    hold = rules.start(bd_id, now)
    change(conn, lead, **holds.columns(hold, policy), **holds.entered(now), contract_at=None, claims=lead.claims + 1)
    note(conn, lead, What.CLAIMED, now, actor_id=bd_id, owner_id=bd_id, owned=owned)
    return find(conn, lead_id) or UNKNOWN


def release(conn: Connection, *, lead_id: int, bd_id: int, policy: PoolPolicy, now: float) -> Row[Any] | Refused:
    """Put an own lead back into the public pool. Refused: unknown_lead, not_owner."""
    lead = load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    if lead.owner_id != bd_id:
        return NOT_OWNER
    change(conn, lead, **holds.PUBLIC, **holds.left(lead, policy, now))
    note(conn, lead, What.RELEASED, now, actor_id=bd_id, owned=holds.let_go(conn, bd_id))
    return find(conn, lead_id) or UNKNOWN


def extend(conn: Connection, *, lead_id: int, bd_id: int, policy: PoolPolicy, now: float) -> Row[Any] | Refused:
    """Lengthen the protection of an own lead (C8). Refused: unknown_lead, not_owner, no_extensions_left."""
    lead = load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    decision = rules.extend(holds.hold_of(lead), policy, lead.owner_id == bd_id, now_s=now)
    if isinstance(decision, Refused):
        return decision
    change(conn, lead, **holds.columns(decision.hold, policy))
    note(conn, lead, What.EXTENDED, now, actor_id=bd_id, owner_id=bd_id, owned=holds.held_by(conn, bd_id))
    return find(conn, lead_id) or UNKNOWN


def assign(conn: Connection, *, lead_id: int, to: int, by: int, policy: PoolPolicy, now: float) -> Row[Any] | Refused:
    """Account `by` gives a lead, public or held, to BD `to` (C8); history names the superior.

    Superior is who stands above `to` and, so that no team takes from another, above the present owner.

    Refused: unknown_lead, lead_closed, not_superior, already_owned, quota_reached.
    """
    lead = load(conn, lead_id, policy, now)
    if lead is None:
        return UNKNOWN
    hold: Hold | None = holds.hold_of(lead)
    concerned = {to} if hold is None else {to, hold.owner}
    decision = rules.assign(
        hold,
        to=to,
        by_is_superior=all(is_superior(conn, by, one) for one in concerned),
        held_by_target=_held(conn, to, policy, now),
        policy=policy,
        now_s=now,
        stage=LeadStage(lead.stage),
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
    accounting = {**holds.left(lead, policy, now), **holds.entered(now)}
    change(conn, lead, **holds.columns(decision.hold, policy), **accounting)
    note(conn, lead, What.ASSIGNED, now, actor_id=by, owner_id=to, owned=owned, reason=reason)
    return find(conn, lead_id) or UNKNOWN
