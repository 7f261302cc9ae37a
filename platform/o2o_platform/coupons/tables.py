"""The tables of coupons and of what users hold of them.

`committed_fen` is what is held by claims and redeemed on orders; it never exceeds `budget_fen` (checked by the
database as well). `claimed` counts claims ever made, `redeemed` and `redeemed_fen` the redemptions on orders that
stand, `returned` those given back.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Float, ForeignKey, Index, String, Table, Text, UniqueConstraint

from o2o_platform.kit.tables import Int, metadata

coupons = Table(
    "coupons",
    metadata,
    Column("code", String(32), primary_key=True),
    Column("threshold_fen", Int, nullable=False),
    Column("off_fen", Int, nullable=False),
    Column("budget_fen", Int, nullable=False),
    Column("per_user", Int, nullable=False),
    Column("segments", Text, nullable=False),  # JSON list; empty: every segment
    Column("committed_fen", Int, nullable=False, default=0),
    Column("claimed", Int, nullable=False, default=0),
    Column("redeemed", Int, nullable=False, default=0),
    Column("returned", Int, nullable=False, default=0),
    Column("redeemed_fen", Int, nullable=False, default=0),
    Column("created_at", Float, nullable=False),  # unix seconds
    CheckConstraint("committed_fen >= 0 AND committed_fen <= budget_fen", name="coupon_budget"),
)

coupon_claims = Table(
    "coupon_claims",
    metadata,
    Column("id", Int, primary_key=True),
    Column("code", String(32), ForeignKey("coupons.code"), nullable=False),
    Column("user_id", Int, nullable=False),
    Column("state", String(16), nullable=False),  # claimed | redeemed | returned
    Column("hold_fen", Int, nullable=False),  # of the budget, by this claim
    Column("nth", Int),  # 1..per_user: the user's so-manieth standing claim; null once returned
    Column("order_id", Int, unique=True),  # the order it is redeemed on
    Column("claimed_at", Float, nullable=False),
    Column("redeemed_at", Float),
    Column("returned_at", Float),
    # Two claims that were decided on the same facts cannot both stand: the guard of the limit per user.
    UniqueConstraint("code", "user_id", "nth", name="coupon_claims_nth"),
    Index("coupon_claims_of_user", "code", "user_id"),
)
