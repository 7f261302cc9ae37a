"""The recycle: holds whose clock has run out fall back into the public pool (C7: 45 / 15 / 30 days).

Decides nothing: `o2o_domain.pools.drop_due` does. `due_at` on each lead, written whenever its hold changes, says when
to ask; so a sweep over a million leads reads only those that are due.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from o2o_domain.pools import PoolPolicy, drop_due, next_check_s
from o2o_platform.crm import history, holds
from o2o_platform.crm.history import What
from o2o_platform.crm.tables import leads

BATCH = 2000
"""Leads per unit of work: a nightly sweep must not hold up the writer for long."""

_DUE = select(leads).where(leads.c.owner_id.is_not(None), leads.c.due_at <= bindparam("now")).order_by(leads.c.due_at)
_DUE_OF = _DUE.where(leads.c.owner_id == bindparam("bd"))
_PUBLISH = (
    update(leads)
    .where(leads.c.id == bindparam("lead"), leads.c.owner_id == bindparam("was"))
    .values(
        **holds.PUBLIC,
        drops=leads.c.drops + 1,
        private_s=bindparam("new_private_s"),
        idle_s=bindparam("new_idle_s"),
    )
)
_DUE_AT = update(leads).where(leads.c.id == bindparam("lead")).values(due_at=bindparam("new_due_at"))


def _drop_all(conn: Connection, due: Sequence[Row[Any]], policy: PoolPolicy, now: float) -> Counter[str]:
    """Ask the rule for each lead, then write all that drop at once; how many for which reason."""
    dropped = []
    for lead in due:
        hold = holds.hold_of(lead)
        decision = drop_due(hold, policy, now) if hold is not None else None
        if decision is not None:
            dropped.append((lead, decision.reason))
    if not dropped:
        return Counter()
    changes = []
    for lead, _ in dropped:
        kept = holds.left(lead, policy, now)
        changes.append(
            {"lead": lead.id, "was": lead.owner_id, "new_private_s": kept["private_s"], "new_idle_s": kept["idle_s"]}
        )
    conn.execute(_PUBLISH, changes)
    lost = Counter(lead.owner_id for lead, _ in dropped)
    # History counts down one by one, so that each row says what its owner held at that point.
    owned = {owner: holds.let_go(conn, owner, count) + count for owner, count in lost.items()}
    rows = []
    for lead, reason in dropped:
        owned[lead.owner_id] -= 1
        rows.append(
            history.row(lead.id, What.DROPPED, now, stage=lead.stage, owned=owned[lead.owner_id], reason=reason)
        )
    history.append(conn, rows)
    return Counter(reason for _, reason in dropped)


def drop(conn: Connection, lead: Row[Any], policy: PoolPolicy, now: float) -> bool:
    """Drop a held lead if one of its clocks has run out at `now`; whether it did."""
    return bool(_drop_all(conn, [lead], policy, now))


def drop_due_of(conn: Connection, bd_id: int, policy: PoolPolicy, now: float) -> bool:
    """Drop what is due of one BD; whether anything was."""
    return bool(_drop_all(conn, conn.execute(_DUE_OF, {"now": now, "bd": bd_id}).all(), policy, now))


def sweep(conn: Connection, policy: PoolPolicy, now: float, limit: int = BATCH) -> Counter[str]:
    """Drop at most `limit` leads that are due, earliest first; how many for which reason (none: nothing is due)."""
    return _drop_all(conn, conn.execute(_DUE.limit(limit), {"now": now}).all(), policy, now)


def reschedule(conn: Connection, policy: PoolPolicy) -> int:
    """Write `due_at` of all held leads anew, for a policy that may have changed since; how many moved."""
    moved = []
    for lead in conn.execute(select(leads).where(leads.c.owner_id.is_not(None))):
        hold = holds.hold_of(lead)
        assert hold is not None
        due_at = next_check_s(hold, policy)
        if due_at != lead.due_at:
            moved.append({"lead": lead.id, "new_due_at": due_at})
    if moved:
        conn.execute(_DUE_AT, moved)
    return len(moved)
