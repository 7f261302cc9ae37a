"""Fences and records: what the branches of a reservation have done, and how far its coordinator has come (W10).

A fence makes a branch's confirm and cancel idempotent, lets a cancel without a try do nothing (empty rollback), and
keeps a try that comes after its cancel from holding anything for ever (suspension).

A record exists only for orders that were reserved branch by branch. It is written before the first try, and holds what
the branches are asked for, because the order itself is written only when all have agreed.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, PrimaryKeyConstraint, String, Table, Text

from o2o_platform.kit.tables import Int, metadata

fences = Table(
    "reservation_fences",
    metadata,
    Column("order_id", Int, nullable=False, autoincrement=False),
    Column("branch", String(8), nullable=False),  # stock | coupon | balance
    Column("state", String(10), nullable=False),  # o2o_domain.tcc: tried | confirmed | cancelled
    Column("at", Float, nullable=False),  # of the last change, unix seconds
    PrimaryKeyConstraint("order_id", "branch"),
)

reservations = Table(
    "reservations",
    metadata,
    Column("order_id", Int, primary_key=True, autoincrement=False),
    Column("user_id", Int, nullable=False),
    Column("ref", String(128), nullable=False),  # the order's idempotency key
    Column("fingerprint", String(64), nullable=False),
    Column("stage", String(10), nullable=False),  # o2o_domain.tcc.Stage
    Column("branches", String(32), nullable=False),  # those asked, comma-separated
    Column("pieces", Text, nullable=False),  # JSON array of [dish_id, qty]
    Column("balance_fen", Int),  # null until it is known, or not paid from the balance
    Column("since", Float, nullable=False),  # when it began, unix seconds
)

_UNDER_WAY = reservations.c.stage.in_(["trying", "confirming", "cancelling"])
Index("reservations_under_way", reservations.c.since, sqlite_where=_UNDER_WAY, postgresql_where=_UNDER_WAY)
_TRYING = reservations.c.stage == "trying"
# One key is tried by one request at a time.
Index(
    "reservations_trying",
    reservations.c.user_id,
    reservations.c.ref,
    unique=True,
    sqlite_where=_TRYING,
    postgresql_where=_TRYING,
)
