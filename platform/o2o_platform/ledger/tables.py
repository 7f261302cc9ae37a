"""The table of ledger entries: double entry, append-only; debit is positive, a transaction's amounts sum to 0 (A9)."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, String, Table

from o2o_platform.kit.tables import metadata

ledger = Table(
    "ledger",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("txn_id", Integer, nullable=False),
    Column("order_id", Integer, index=True),
    Column("at", Float, nullable=False),
    Column("reason", String(32), nullable=False),  # paid | refunded | settled
    Column("account", String(64), nullable=False),
    Column("amount_fen", Integer, nullable=False),
)
