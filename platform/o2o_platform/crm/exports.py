"""The CRM's run tables for /admin/export: `leads`, `lead_events`, `visits`. Times are unix seconds, refs are added.

`travel_s` of a visit is nothing the platform knows; who drives the BDs adds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from sqlalchemy import Connection, select

from o2o_domain.pools import PoolPolicy
from o2o_platform.accounts.tables import accounts
from o2o_platform.crm import holds
from o2o_platform.crm.history import What
from o2o_platform.crm.tables import lead_events, lead_visits, leads

_owner = accounts.alias("owner")
_actor = accounts.alias("actor")
_LEADS = select(leads, _owner.c.ref.label("owner_ref")).outerjoin(_owner, _owner.c.id == leads.c.owner_id)
_EVENTS = (
    select(
        lead_events,
        leads.c.ref.label("lead_ref"),
        _actor.c.ref.label("actor_ref"),
        _owner.c.ref.label("owner_ref"),
    )
    .join(leads, leads.c.id == lead_events.c.lead_id)
    .outerjoin(_actor, _actor.c.id == lead_events.c.actor_id)
    .outerjoin(_owner, _owner.c.id == lead_events.c.owner_id)
    # The contract is a fact about a hold; the run table knows the event `signed` only, which is the conversion.
    .where(lead_events.c.what != What.CONTRACT.value)
)
_VISITS = (
    select(lead_visits, leads.c.ref.label("lead_ref"), _actor.c.ref.label("bd_ref"))
    .join(leads, leads.c.id == lead_visits.c.lead_id)
    .join(_actor, _actor.c.id == lead_visits.c.bd_id)
)


def lead_rows(policy: PoolPolicy, now: Callable[[], float]) -> Callable[[Connection], Iterator[dict[str, Any]]]:
    """Exporter of leads; `private_s` and `idle_s` of held ones run up to `now()`."""

    def rows(conn: Connection) -> Iterator[dict[str, Any]]:
        at = now()
        for row in conn.execute(_LEADS.order_by(leads.c.id)):
            yield {
                "lead_id": row.id,
                "lead_ref": row.ref,
                "source": row.source,
                "stage": row.stage,
                "owner": row.owner_id,
                "owner_ref": row.owner_ref,
                "claims": row.claims,
                "drops": row.drops,
                "visits": row.visits,
                "created": row.created_at,
                "signed": row.converted_at,
                "private_s": holds.private_until(row, at),
                "idle_s": holds.idle_until(row, policy, at),
            }

    return rows


def event_rows(conn: Connection) -> Iterator[dict[str, Any]]:
    """The append-only history of all leads, in order."""
    for row in conn.execute(_EVENTS.order_by(lead_events.c.id)):
        yield {
            "event_id": row.id,
            "lead_id": row.lead_id,
            "lead_ref": row.lead_ref,
            "at": row.at,
            "what": row.what,
            "actor": row.actor_id,
            "actor_ref": row.actor_ref,
            "owner": row.owner_id,
            "owner_ref": row.owner_ref,
            "owned": row.owned,
            "reason": row.reason,
        }


def visit_rows(conn: Connection) -> Iterator[dict[str, Any]]:
    """All visits, in order."""
    for row in conn.execute(_VISITS.order_by(lead_visits.c.id)):
        yield {
            "visit_id": row.id,
            "lead_id": row.lead_id,
            "lead_ref": row.lead_ref,
            "bd_id": row.bd_id,
            "bd_ref": row.bd_ref,
            "at": row.at,
            "signed": bool(row.signed),
        }
