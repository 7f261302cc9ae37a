"""A lead's row as the domain's Hold and back, and the count of leads that each BD holds.

Decides how a hold is stored and guards the quota: `take` raises a BD's count by a conditional update, so that no BD is
above quota at any instant (C6), whoever claims at once. Who may hold what is `o2o_domain.pools`.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from o2o_domain.pools import Hold, PoolPolicy, idle_s, next_check_s
from o2o_platform.crm.tables import lead_owners
from o2o_platform.settings import Settings

_HELD = select(lead_owners.c.held).where(lead_owners.c.bd_id == bindparam("bd"))
_ONE_MORE = (
    update(lead_owners)
    .where(lead_owners.c.bd_id == bindparam("bd"), lead_owners.c.held < bindparam("quota"))
    .values(held=lead_owners.c.held + 1)
    .returning(lead_owners.c.held)
)
_FEWER = (
    update(lead_owners)
    .where(lead_owners.c.bd_id == bindparam("bd"))
    .values(held=lead_owners.c.held - bindparam("count"))
    .returning(lead_owners.c.held)
)

PUBLIC: dict[str, Any] = {
    "owner_id": None,
    "claimed_at": None,
    "last_visit_at": None,
    "contract_at": None,
    "extensions": 0,
    "protected_until": None,
    "term_start": None,
    "due_at": None,
    "private_since": None,
    "idle_since": None,
}
"""Columns of a lead that nobody holds."""


def policy_of(settings: Settings) -> PoolPolicy:
    """The pool rules' parameters."""
    return PoolPolicy(
        quota=settings.pool_quota,
        term_days=settings.pool_term_days,
        visit_days=settings.pool_visit_days,
        contract_days=settings.pool_contract_days,
        extension_days=settings.pool_extension_days,
        max_extensions=settings.pool_max_extensions,
        extension_resets="all" if settings.pool_extension_resets == "all" else "term",
        idle_days=settings.pool_idle_days,
    )


def hold_of(lead: Row[Any]) -> Hold | None:
    """The hold on a lead, None in the public pool."""
    if lead.owner_id is None:
        return None
    return Hold(
        owner=lead.owner_id,
        claimed_at_s=lead.claimed_at,
        last_visit_s=lead.last_visit_at,
        signed=lead.contract_at is not None,
        extensions=lead.extensions,
        protected_until_s=lead.protected_until,
        term_start_s=lead.term_start,
    )


def columns(hold: Hold, policy: PoolPolicy) -> dict[str, Any]:
    """Columns of a lead under this hold, but for `contract_at` and the accounting."""
    return {
        "owner_id": hold.owner,
        "claimed_at": hold.claimed_at_s,
        "last_visit_at": hold.last_visit_s,
        "extensions": hold.extensions,
        "protected_until": hold.protected_until_s,
        "term_start": hold.term_start_s,
        "due_at": next_check_s(hold, policy),
    }


def entered(now: float) -> dict[str, Any]:
    """Accounting of a lead that has just come into a private pool."""
    return {"private_since": now, "idle_since": now}


def idle_until(lead: Row[Any], policy: PoolPolicy, now: float) -> float:
    """Idle seconds of a private lead, all owners together, up to `now`."""
    if lead.idle_since is None:
        return float(lead.idle_s)
    return float(lead.idle_s + idle_s(policy, since_s=lead.idle_since, now_s=now))


def private_until(lead: Row[Any], now: float) -> float:
    """Seconds a lead has been in private pools, up to `now`."""
    return float(lead.private_s + (now - lead.private_since if lead.private_since is not None else 0.0))


def left(lead: Row[Any], policy: PoolPolicy, now: float) -> dict[str, Any]:
    """Accounting of a lead that leaves a private pool now."""
    return {"private_s": private_until(lead, now), "idle_s": idle_until(lead, policy, now)}


def held_by(conn: Connection, bd_id: int) -> int:
    """How many leads the BD holds."""
    return int(conn.execute(_HELD, {"bd": bd_id}).scalar() or 0)


def take(conn: Connection, bd_id: int, quota: int) -> int | None:
    """Count one more lead for the BD; the new count, or None (and no change) if that would exceed the quota."""
    held = conn.execute(_ONE_MORE, {"bd": bd_id, "quota": quota}).scalar()
    if held is not None:
        return int(held)
    if quota < 1 or conn.execute(_HELD, {"bd": bd_id}).first() is not None:
        return None
    conn.execute(insert(lead_owners), {"bd_id": bd_id, "held": 1})
    return 1


def let_go(conn: Connection, bd_id: int, count: int = 1) -> int:
    """Count `count` leads less for the BD; the new count."""
    return int(conn.execute(_FEWER, {"bd": bd_id, "count": count}).scalar_one())
