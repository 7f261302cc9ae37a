"""Reading and writing leads; `pools` and `visits` build their units of work on it.

Decides two things that hold for all of them:
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

from o2o_domain.leads import LeadStage
from o2o_domain.pools import PoolPolicy
from o2o_domain.refusal import Refused
from o2o_platform.crm import history
from o2o_platform.crm.history import What
from o2o_platform.crm.recycle import drop
from o2o_platform.crm.tables import leads

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


def load(conn: Connection, lead_id: int, policy: PoolPolicy, now: float) -> Row[Any] | None:
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


def change(conn: Connection, lead: Row[Any], **columns: Any) -> None:
    """Write columns of a lead whose owner is still the one that was read; whoever changes the owner counts it, too."""
    public = lead.owner_id is None
    values = {f"new_{name}": value for name, value in columns.items()} | ({} if public else {"was": lead.owner_id})
    changed = conn.execute(_update(tuple(columns), public), {"lead": lead.id, **values}).rowcount
    if changed != 1:  # impossible with one writer; with several, the unit fails instead of giving a lead to two
        raise RuntimeError(f"lead {lead.id} changed its owner while it was being worked on")


def note(conn: Connection, lead: Row[Any], what: What, at: float, **fields: Any) -> None:
    """Append to the lead's history; fields as in `history.row`, the stage as it was read unless another is given."""
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
