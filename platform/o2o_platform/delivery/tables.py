"""The table of riders who have ever been online: where they are, and the order they carry."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Index, Integer, String, Table

from o2o_platform.kit.tables import metadata

riders = Table(
    "riders",
    metadata,
    Column("id", Integer, primary_key=True),  # accounts.id
    Column("ref", String(64), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lng", Float, nullable=False),
    Column("speed_kmh", Float, nullable=False),
    Column("online", Boolean, nullable=False),
    Column("order_id", Integer),  # the order the rider is on; null: free
    Column("on", Float, nullable=False),  # first time online, unix seconds
    Column("off", Float),  # last time offline
    Column("orders", Integer, nullable=False, default=0),  # delivered
)

Index("riders_free", riders.c.lat, sqlite_where=riders.c.online.is_(True) & riders.c.order_id.is_(None))
