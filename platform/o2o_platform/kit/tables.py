"""The one collection of tables that all features share.

Each feature keeps its own `tables.py` and hangs its tables on `metadata`; whoever prefers mapped classes derives them
from `Base` (same metadata). `kit` itself owns only the outbox. Queries live in the features' repositories.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Integer, MetaData, String, Table, Text
from sqlalchemy.orm import DeclarativeBase

metadata = MetaData()

Int = BigInteger().with_variant(Integer, "sqlite")
"""Whole numbers have 64 bits on both databases (SQLite numbers its rows only in an INTEGER)."""


class Base(DeclarativeBase):
    """Base of mapped classes, on the shared metadata."""

    metadata = metadata


outbox = Table(
    "outbox",
    metadata,
    Column("id", Int, primary_key=True),  # on SQLite the stream's cursor: gapless, in order of commit
    # On PostgreSQL an xid8, the transaction that inserted it (see the migration): (xid, id) below the oldest open
    # transaction is an order that nothing is inserted into afterwards. On SQLite 0: there is one writer.
    Column("xid", Int, nullable=False, server_default="0"),
    Column("at", Float, nullable=False),  # unix seconds
    Column("topic", String(32), nullable=False),  # orders | tickets | riders | leads ...
    Column("name", String(32), nullable=False),  # what happened: paid, accepted, assigned ...
    Column("payload", Text, nullable=False),  # JSON object
)
"""What happened, written in the transaction that made it happen."""
