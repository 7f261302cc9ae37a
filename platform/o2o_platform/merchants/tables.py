"""Tables of merchants and their dishes.

`ref` is the name under which whoever created the row knows it. A merchant belongs to the account whose token says
`merchant_ref` = its ref, or whose ref is its `owner_ref`. A dish's stock is four counters, so that after a run
`initial - reserved + returned = level` can be checked, and `min_level` shows that it never was below 0.
"""

from __future__ import annotations

from sqlalchemy import Boolean, CheckConstraint, Column, Float, ForeignKey, String, Table, UniqueConstraint

from o2o_platform.kit.tables import Int, metadata

merchants = Table(
    "merchants",
    metadata,
    Column("id", Int, primary_key=True),
    Column("ref", String(64), nullable=False, unique=True),
    Column("name", String(128), nullable=False),
    Column("lat", Float, nullable=False),
    Column("lng", Float, nullable=False, index=True),
    Column("open_min", Int, nullable=False),  # minutes of the city's day
    Column("close_min", Int, nullable=False),
    Column("owner_ref", String(64), index=True),  # accounts.ref
    Column("printer_url", String(255), index=True),  # o2o_domain.printers
    Column("printer_cols", Int, nullable=False, default=48),  # 48: 80 mm paper, 32: 58 mm
    Column("printer_pulls", Boolean, nullable=False, default=False),  # it comes for its tickets by itself
    Column("printer_secret", String(64)),  # what it must show when it comes; null: nothing
)

dishes = Table(
    "dishes",
    metadata,
    Column("id", Int, primary_key=True),
    Column("ref", String(64), nullable=False),
    Column("merchant_id", Int, ForeignKey("merchants.id"), nullable=False, index=True),
    Column("name", String(128), nullable=False),
    Column("price_fen", Int, nullable=False),
    Column("on_shelf", Boolean, nullable=False, default=True),
    Column("initial", Int, nullable=False),
    Column("reserved", Int, nullable=False, default=0),  # pieces ever taken by orders
    Column("returned", Int, nullable=False, default=0),  # pieces given back
    Column("level", Int, nullable=False),
    Column("min_level", Int, nullable=False),
    UniqueConstraint("merchant_id", "ref"),
    CheckConstraint("level >= 0", name="stock_never_negative"),
)
