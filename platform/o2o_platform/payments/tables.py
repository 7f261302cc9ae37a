"""The tables of payments: one payment an order, its refunds; what the provider's statement says; repairs; payouts.

Times are unix seconds, money is fen.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, String, Table, Text, UniqueConstraint

from o2o_platform.kit.tables import Int, metadata

payments = Table(
    "payments",
    metadata,
    Column("id", Int, primary_key=True),
    Column("order_id", Int, ForeignKey("orders.id"), nullable=False, unique=True),
    Column("method", String(8), nullable=False, default="provider"),  # provider | balance
    Column("amount_fen", Int, nullable=False),
    Column("taken_fen", Int),  # what was really taken, where that is not amount_fen
    Column("state", String(16), nullable=False),  # o2o_domain.payments.PaymentState
    Column("requested", Float, nullable=False),
    Column("confirmed", Float),  # when the user confirmed, as the provider says
    Column("callback", Float),  # when the provider's first callback was taken
    Column("disputed", Float),  # when another amount than due was first heard of; stays
    Column("refund_fen", Int, nullable=False, default=0),  # owed back in all, the sum of `refunds`
    Column("refund_wanted", Float),  # of the latest refund
    Column("refund_done", Float),  # the provider has confirmed all of them
)
"""One per order; the platform's side of what the provider charged and gave back."""

_DISPUTED = payments.c.disputed.is_not(None)
Index("payments_disputed", payments.c.id, sqlite_where=_DISPUTED, postgresql_where=_DISPUTED)

refunds = Table(
    "refunds",
    metadata,
    Column("id", Int, primary_key=True),
    Column("payment_id", Int, nullable=False, index=True),
    Column("order_id", Int),  # null: money for a payment that is not ours
    Column("key", String(128)),  # the client's Idempotency-Key, of a refund that somebody asked for
    Column("fen", Int, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("items", Text),  # JSON: [[dish_id, qty], ...] that the refund is for, where somebody said so
    Column("by", Int),  # accounts.id; null: a rule
    Column("wanted", Float, nullable=False),
    Column("done", Float),  # the provider has confirmed it; at once for money of a wallet
    UniqueConstraint("order_id", "key"),
)
"""Each part of money owed back; the provider knows it by its id, so asking twice gives it back once."""

_OWED = refunds.c.done.is_(None)
Index("refunds_owed", refunds.c.id, sqlite_where=_OWED, postgresql_where=_OWED)

statement = Table(
    "provider_statement",
    metadata,
    Column("payment_id", Int, primary_key=True, autoincrement=False),
    Column("seq", Int, nullable=False),  # the provider's number of the entry's last change
    Column("state", String(8), nullable=False),  # pending | ok | refused
    Column("charged_fen", Int, nullable=False),
    Column("refunded_fen", Int, nullable=False),
    Column("confirmed", Float),
    Column("changed", Float, nullable=False),
    Column("checked", Float),  # when it was found to agree with the payment, or judged to be for people
)
"""The provider's side, as far as it has been pulled."""

_UNCHECKED = statement.c.checked.is_(None)
Index("statement_unchecked", statement.c.seq, sqlite_where=_UNCHECKED, postgresql_where=_UNCHECKED)

cursors = Table(
    "reconciliation_cursors",
    metadata,
    Column("name", String(16), primary_key=True),  # statement: the last seq pulled | payments: the last id looked at
    Column("value", Int, nullable=False),
)

reconciliations = Table(
    "reconciliations",
    metadata,
    Column("id", Int, primary_key=True),
    Column("payment_id", Int, nullable=False, index=True),
    Column("order_id", Int),
    Column("verdict", String(20), nullable=False),  # o2o_domain.reconcile.Repair
    Column("reason", String(32), nullable=False),
    Column("fen", Int, nullable=False),
    Column("since", Float, nullable=False),  # since when the sides differed
    Column("found", Float, nullable=False),
    Column("repaired", Float),  # null: for people
)
"""What was found to differ, and when it was repaired (G11)."""

payouts = Table(
    "payouts",
    metadata,
    Column("id", Int, primary_key=True),
    Column("merchant_id", Int, ForeignKey("merchants.id"), nullable=False, index=True),
    Column("amount_fen", Int, nullable=False),
    Column("at", Float, nullable=False),
    Column("by", Int, nullable=False),  # accounts.id
    Column("txn_id", Int, nullable=False),  # ledger.txn_id
)
"""What merchants were paid out of what was settled (A9)."""
