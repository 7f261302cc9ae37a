"""The one collection of tables that all features share.

Each feature keeps its own `tables.py` and hangs its tables on `metadata`; whoever prefers mapped classes derives them
from `Base` (same metadata). `kit` itself owns only the outbox. Queries live in the features' repositories.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, MetaData, String, Table, Text
from sqlalchemy.orm import DeclarativeBase

metadata = MetaData()


class Base(DeclarativeBase):
    """Base of mapped classes, on the shared metadata."""

    metadata = metadata


outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),  # the stream's cursor: gapless, in order of commit
    Column("at", Float, nullable=False),  # unix seconds
    Column("topic", String(32), nullable=False, index=True),  # orders | tickets | riders | leads ...
    Column("name", String(32), nullable=False),  # what happened: paid, accepted, assigned ...
    Column("payload", Text, nullable=False),  # JSON object
)
"""What happened, written in the transaction that made it happen."""
