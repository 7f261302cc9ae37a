"""The table of payments: one per order; the platform's side of what the provider charged and gave back."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table

from o2o_platform.kit.tables import metadata

payments = Table(
    "payments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("order_id", Integer, ForeignKey("orders.id"), nullable=False, unique=True),
    Column("amount_fen", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # o2o_domain.payments.PaymentState
    Column("requested", Float, nullable=False),
    Column("confirmed", Float),  # when the user confirmed, as the provider says
    Column("callback", Float),  # when the provider's first callback was taken
    Column("refund_fen", Integer, nullable=False, default=0),
    Column("refund_wanted", Float),  # set when a refund is owed, cleared by nothing
    Column("refund_done", Float),  # the provider has confirmed it
)

_OWED = payments.c.refund_wanted.is_not(None) & payments.c.refund_done.is_(None)
Index("payments_refund_owed", payments.c.id, sqlite_where=_OWED)
