"""The table of tickets: one first copy per paid order, made in the transaction that takes the payment (A14)."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from o2o_platform.kit.tables import metadata

tickets = Table(
    "tickets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_id", Integer, ForeignKey("orders.id"), nullable=False),
    Column("merchant_id", Integer, nullable=False),
    Column("copy_no", Integer, nullable=False),  # 1: first copy; 2..: reprint
    Column("state", String(16), nullable=False),  # o2o_domain.tickets.TicketState
    Column("code", String(32)),
    Column("attempts", Integer, nullable=False, default=0),
    Column("queued", Float, nullable=False),
    Column("claimed", Float),
    Column("rendered", Float),
    Column("delivered_to_printer", Float),
    Column("printed", Float),
    Column("escalation", String(16)),  # app | sms | phone
    Column("escalated", Float),  # when it last rose
    UniqueConstraint("order_id", "copy_no"),
)

_OPEN = ("queued", "offered", "claimed", "failed", "unconfirmed")
Index("tickets_open", tickets.c.id, sqlite_where=tickets.c.state.in_(_OPEN))
