"""The table of notices: one for each step of a ticket's ladder, written in the transaction that takes it (A14)."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, String, Table, UniqueConstraint

from o2o_platform.kit.tables import Int, metadata

notices = Table(
    "notices",
    metadata,
    Column("id", Int, primary_key=True),
    Column("ticket_id", Int, nullable=False),
    Column("order_id", Int, nullable=False),
    Column("merchant_id", Int, nullable=False),
    Column("level", String(16), nullable=False),  # o2o_domain.tickets.Escalation
    Column("recipient", String(64), nullable=False),  # who is told: the owner's account, else the merchant's ref
    Column("text", String(255), nullable=False),
    Column("made", Float, nullable=False),
    Column("sent", Float),  # handed to the channel
    Column("answered", Float),
    Column("answer", String(16)),  # o2o_domain.notices.Answer
    UniqueConstraint("ticket_id", "level"),
)

Index("notices_unsent", notices.c.id, sqlite_where=notices.c.sent.is_(None), postgresql_where=notices.c.sent.is_(None))
