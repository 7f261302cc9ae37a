"""The table of reviews: at most one an order. The stars stand on the order as well, where run tables look for them."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, String, Table

from o2o_platform.kit.tables import Int, metadata

reviews = Table(
    "reviews",
    metadata,
    Column("order_id", Int, ForeignKey("orders.id"), primary_key=True),
    Column("merchant_id", Int, ForeignKey("merchants.id"), nullable=False, index=True),
    Column("user_id", Int, nullable=False),
    Column("stars", Int, nullable=False),
    Column("text", String(1000), nullable=False),
    Column("at", Float, nullable=False, index=True),  # unix seconds
)
