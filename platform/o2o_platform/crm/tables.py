"""The tables of leads, of how many each BD holds, of visits, and of each lead's history.

A lead with an `owner_id` is in that BD's private pool; the columns from `claimed_at` to `due_at` are its hold
(o2o_domain.pools.Hold), null in the public pool. Times are unix seconds. `lead_events` is append-only (C1): the
database itself refuses to change or delete a row of it.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    String,
    Table,
)

from o2o_platform.kit.tables import Int, metadata

leads = Table(
    "leads",
    metadata,
    Column("id", Int, primary_key=True),
    Column("ref", String(64), nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lng", Float, nullable=False),
    Column("source", String(16), nullable=False),  # crawl | bd | merchant | crowd (C2)
    Column("stage", String(16), nullable=False),  # o2o_domain.leads.LeadStage
    Column("owner_id", Int, ForeignKey("accounts.id"), index=True),
    Column("claimed_at", Float),
    Column("last_visit_at", Float),
    Column("contract_at", Float),  # the contract was signed
    Column("extensions", Int, nullable=False, default=0),
    Column("protected_until", Float),
    Column("term_start", Float),
    Column("due_at", Float),  # the earliest instant at which the hold drops if nothing happens to it
    Column("created_at", Float, nullable=False),
    Column("converted_at", Float),  # became a cooperating merchant, and left the pools
    Column("claims", Int, nullable=False, default=0),
    Column("drops", Int, nullable=False, default=0),
    Column("visits", Int, nullable=False, default=0),
    Column("private_since", Float),  # entered the present owner's pool
    Column("idle_since", Float),  # the same, or the present owner's last visit
    Column("private_s", Float, nullable=False, default=0.0),  # in private pools, up to the last change
    Column("idle_s", Float, nullable=False, default=0.0),  # of that, beyond 7 days without a visit
)
Index("leads_place", leads.c.lat, leads.c.lng)
# Only held leads can be due.
Index(
    "leads_due",
    leads.c.due_at,
    sqlite_where=leads.c.owner_id.is_not(None),
    postgresql_where=leads.c.owner_id.is_not(None),
)

lead_owners = Table(
    "lead_owners",
    metadata,
    Column("bd_id", Int, ForeignKey("accounts.id"), primary_key=True),
    Column("held", Int, nullable=False),  # leads in the private pool, at this instant
    CheckConstraint("held >= 0", name="held_not_negative"),
)

lead_visits = Table(
    "lead_visits",
    metadata,
    Column("id", Int, primary_key=True),
    Column("lead_id", Int, ForeignKey("leads.id"), nullable=False, index=True),
    Column("bd_id", Int, ForeignKey("accounts.id"), nullable=False),
    Column("at", Float, nullable=False),
    Column("lat", Float, nullable=False),
    Column("lng", Float, nullable=False),
    Column("distance_m", Float, nullable=False),  # of the check-in from the lead
    Column("note", String(500), nullable=False),
    Column("signed", Boolean, nullable=False, default=False),  # the contract was signed on this visit
)

# The database itself refuses to change or delete a row of it: triggers, made in the migration.
lead_events = Table(
    "lead_events",
    metadata,
    Column("id", Int, primary_key=True),
    Column("lead_id", Int, ForeignKey("leads.id"), nullable=False, index=True),
    Column("at", Float, nullable=False),
    Column("what", String(16), nullable=False),  # o2o_platform.crm.history.What
    Column("actor_id", Int),  # who did it; null: the pool rules
    Column("owner_id", Int),  # after the event (signed: who owned it)
    Column("owned", Int, nullable=False),  # leads the owner (or the one who lost it) holds after the event
    Column("stage", String(16), nullable=False),  # after the event
    Column("reason", String(64)),
)
