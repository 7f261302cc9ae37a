"""The table of riders who have ever been online: where they are, and the order they carry."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, String, Table, text

from o2o_platform.kit.tables import Int, metadata

riders = Table(
    "riders",
    metadata,
    Column("id", Int, primary_key=True),  # accounts.id
    Column("ref", String(64), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lng", Float, nullable=False),
    Column("speed_kmh", Float, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("order_id", Int),  # the order the rider is on; null: free
    Column("on", Float, nullable=False),  # first time online, unix seconds
    Column("off", Float),  # last time offline
    Column("orders", Int, nullable=False, default=0),  # delivered
)

_FREE = text("online AND order_id IS NULL")  # in words that both databases understand
Index("riders_free", riders.c.lat, sqlite_where=_FREE, postgresql_where=_FREE)
