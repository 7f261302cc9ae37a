"""The table of ledger entries: double entry, append-only; debit is positive, a transaction's amounts sum to 0 (A9)."""

from __future__ import annotations

from sqlalchemy import Column, Float, String, Table

from o2o_platform.kit.tables import Int, metadata

ledger = Table(
    "ledger",
    metadata,
    Column("id", Int, primary_key=True),
    Column("txn_id", Int, nullable=False, index=True),
    Column("order_id", Int, index=True),
    Column("at", Float, nullable=False),
    Column("reason", String(32), nullable=False),  # paid | refunded | settled
    Column("account", String(64), nullable=False),
    Column("amount_fen", Int, nullable=False),
)

TXN_SEQUENCE = "ledger_txn_id_seq"
"""Counts the transactions on PostgreSQL."""
