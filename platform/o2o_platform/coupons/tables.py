"""The tables of coupons and of what users hold of them.

`committed_fen` is what is held by claims and redeemed on orders; it never exceeds `budget_fen` (checked by the
database as well). `claimed` counts claims ever made, `redeemed` and `redeemed_fen` the redemptions on orders that
stand, `returned` those given back.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Float, ForeignKey, Index, Integer, String, Table, Text

from o2o_platform.kit.tables import metadata

coupons = Table(
    "coupons",
    metadata,
    Column("code", String(32), primary_key=True),
    Column("threshold_fen", Integer, nullable=False),
    Column("off_fen", Integer, nullable=False),
    Column("budget_fen", Integer, nullable=False),
    Column("per_user", Integer, nullable=False),
    Column("segments", Text, nullable=False),  # JSON list; empty: every segment
    Column("committed_fen", Integer, nullable=False, default=0),
    Column("claimed", Integer, nullable=False, default=0),
    Column("redeemed", Integer, nullable=False, default=0),
    Column("returned", Integer, nullable=False, default=0),
    Column("redeemed_fen", Integer, nullable=False, default=0),
    Column("created_at", Float, nullable=False),  # unix seconds
    CheckConstraint("committed_fen >= 0 AND committed_fen <= budget_fen", name="coupon_budget"),
)

coupon_claims = Table(
    "coupon_claims",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("code", String(32), ForeignKey("coupons.code"), nullable=False),
    Column("user_id", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # claimed | redeemed | returned
    Column("hold_fen", Integer, nullable=False),  # of the budget, by this claim
    Column("order_id", Integer, unique=True),  # the order it is redeemed on
    Column("claimed_at", Float, nullable=False),
    Column("redeemed_at", Float),
    Column("returned_at", Float),
    Index("coupon_claims_of_user", "code", "user_id"),
)
