"""The tables of wallets: `balance_fen` may be spent, `held_fen` is reserved by orders that are not yet settled.

A top-up is a row under its key, so that one that is told twice is done once.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Float, Index, String, Table

from o2o_platform.kit.tables import Int, metadata

wallets = Table(
    "wallets",
    metadata,
    Column("user_id", Int, primary_key=True, autoincrement=False),
    Column("balance_fen", Int, nullable=False),
    Column("held_fen", Int, nullable=False),
    CheckConstraint("balance_fen >= 0 AND held_fen >= 0", name="wallet_never_negative"),
)

top_ups = Table(
    "wallet_top_ups",
    metadata,
    Column("key", String(128), primary_key=True),
    Column("user_id", Int, nullable=False),
    Column("amount_fen", Int, nullable=False),
    Column("at", Float, nullable=False),  # unix seconds
    CheckConstraint("amount_fen > 0", name="top_up_positive"),
    Index("wallet_top_ups_of_user", "user_id"),
)
