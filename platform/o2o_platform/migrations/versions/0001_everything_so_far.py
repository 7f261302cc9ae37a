"""Everything so far: the tables of the platform as of the order-to-print path on PostgreSQL.

Revision 0001, the first.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from o2o_platform.kit.tables import Int

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", Int, nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("phone", sa.String(length=32), nullable=True),
        sa.Column("segment", sa.String(length=32), nullable=True),
        sa.Column("manager_id", Int, nullable=True),
        sa.Column("merchant_ref", sa.String(length=64), nullable=True),
        sa.Column("password_hash", sa.String(length=200), nullable=True),
        sa.Column("synthetic", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["manager_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ref"),
    )
    op.create_table(
        "breaker_events",
        sa.Column("id", Int, nullable=False),
        sa.Column("process", sa.String(length=64), nullable=False),
        sa.Column("helper", sa.String(length=32), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=False),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "coupons",
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("threshold_fen", Int, nullable=False),
        sa.Column("off_fen", Int, nullable=False),
        sa.Column("budget_fen", Int, nullable=False),
        sa.Column("per_user", Int, nullable=False),
        sa.Column("segments", sa.Text(), nullable=False),
        sa.Column("committed_fen", Int, nullable=False),
        sa.Column("claimed", Int, nullable=False),
        sa.Column("redeemed", Int, nullable=False),
        sa.Column("returned", Int, nullable=False),
        sa.Column("redeemed_fen", Int, nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.CheckConstraint("committed_fen >= 0 AND committed_fen <= budget_fen", name="coupon_budget"),
        sa.PrimaryKeyConstraint("code"),
    )
    op.create_table(
        "dispatch_slots",
        sa.Column("slot", Int, autoincrement=False, nullable=False),
        sa.Column("owner", Int, nullable=True),
        sa.PrimaryKeyConstraint("slot"),
    )
    op.create_table(
        "ledger",
        sa.Column("id", Int, nullable=False),
        sa.Column("txn_id", Int, nullable=False),
        sa.Column("order_id", Int, nullable=True),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", Int, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_ledger_order_id"), "ledger", ["order_id"], unique=False)
    op.create_index(op.f("ix_ledger_txn_id"), "ledger", ["txn_id"], unique=False)
    op.create_table(
        "merchants",
        sa.Column("id", Int, nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lng", sa.Float(), nullable=False),
        sa.Column("open_min", Int, nullable=False),
        sa.Column("close_min", Int, nullable=False),
        sa.Column("owner_ref", sa.String(length=64), nullable=True),
        sa.Column("printer_host", sa.String(length=255), nullable=True),
        sa.Column("printer_port", Int, nullable=True),
        sa.Column("printer_cols", Int, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ref"),
    )
    op.create_index(op.f("ix_merchants_lng"), "merchants", ["lng"], unique=False)
    op.create_index(op.f("ix_merchants_owner_ref"), "merchants", ["owner_ref"], unique=False)
    op.create_table(
        "notices",
        sa.Column("id", Int, nullable=False),
        sa.Column("ticket_id", Int, nullable=False),
        sa.Column("order_id", Int, nullable=False),
        sa.Column("merchant_id", Int, nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("recipient", sa.String(length=64), nullable=False),
        sa.Column("text", sa.String(length=255), nullable=False),
        sa.Column("made", sa.Float(), nullable=False),
        sa.Column("sent", sa.Float(), nullable=True),
        sa.Column("answered", sa.Float(), nullable=True),
        sa.Column("answer", sa.String(length=16), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ticket_id", "level"),
    )
    op.create_index(
        "notices_unsent",
        "notices",
        ["id"],
        unique=False,
        sqlite_where=sa.text("sent IS NULL"),
        postgresql_where=sa.text("sent IS NULL"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", Int, nullable=False),
        sa.Column("xid", Int, server_default="0", nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("topic", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "provider_statement",
        sa.Column("payment_id", Int, autoincrement=False, nullable=False),
        sa.Column("seq", Int, nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("charged_fen", Int, nullable=False),
        sa.Column("refunded_fen", Int, nullable=False),
        sa.Column("confirmed", sa.Float(), nullable=True),
        sa.Column("changed", sa.Float(), nullable=False),
        sa.Column("checked", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("payment_id"),
    )
    op.create_index(
        "statement_unchecked",
        "provider_statement",
        ["seq"],
        unique=False,
        sqlite_where=sa.text("checked IS NULL"),
        postgresql_where=sa.text("checked IS NULL"),
    )
    op.create_table(
        "reconciliation_cursors",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("value", Int, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "reconciliations",
        sa.Column("id", Int, nullable=False),
        sa.Column("payment_id", Int, nullable=False),
        sa.Column("order_id", Int, nullable=True),
        sa.Column("verdict", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("fen", Int, nullable=False),
        sa.Column("since", sa.Float(), nullable=False),
        sa.Column("found", sa.Float(), nullable=False),
        sa.Column("repaired", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_reconciliations_payment_id"), "reconciliations", ["payment_id"], unique=False)
    op.create_table(
        "refunds",
        sa.Column("id", Int, nullable=False),
        sa.Column("payment_id", Int, nullable=False),
        sa.Column("order_id", Int, nullable=True),
        sa.Column("key", sa.String(length=128), nullable=True),
        sa.Column("fen", Int, nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("items", sa.Text(), nullable=True),
        sa.Column("by", Int, nullable=True),
        sa.Column("wanted", sa.Float(), nullable=False),
        sa.Column("done", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id", "key"),
    )
    op.create_index(op.f("ix_refunds_payment_id"), "refunds", ["payment_id"], unique=False)
    op.create_index(
        "refunds_owed",
        "refunds",
        ["id"],
        unique=False,
        sqlite_where=sa.text("done IS NULL"),
        postgresql_where=sa.text("done IS NULL"),
    )
    op.create_table(
        "reservation_fences",
        sa.Column("order_id", Int, autoincrement=False, nullable=False),
        sa.Column("branch", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "branch"),
    )
    op.create_table(
        "reservations",
        sa.Column("order_id", Int, autoincrement=False, nullable=False),
        sa.Column("user_id", Int, nullable=False),
        sa.Column("ref", sa.String(length=128), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("stage", sa.String(length=10), nullable=False),
        sa.Column("branches", sa.String(length=32), nullable=False),
        sa.Column("pieces", sa.Text(), nullable=False),
        sa.Column("balance_fen", Int, nullable=True),
        sa.Column("since", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_index(
        "reservations_trying",
        "reservations",
        ["user_id", "ref"],
        unique=True,
        sqlite_where=sa.text("stage = 'trying'"),
        postgresql_where=sa.text("stage = 'trying'"),
    )
    op.create_index(
        "reservations_under_way",
        "reservations",
        ["since"],
        unique=False,
        sqlite_where=sa.text("stage IN ('trying', 'confirming', 'cancelling')"),
        postgresql_where=sa.text("stage IN ('trying', 'confirming', 'cancelling')"),
    )
    op.create_table(
        "riders",
        sa.Column("id", Int, nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lng", sa.Float(), nullable=False),
        sa.Column("speed_kmh", sa.Float(), nullable=False),
        sa.Column("online", sa.Boolean(), nullable=False),
        sa.Column("order_id", Int, nullable=True),
        sa.Column("on", sa.Float(), nullable=False),
        sa.Column("off", sa.Float(), nullable=True),
        sa.Column("orders", Int, nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "riders_free",
        "riders",
        ["lat"],
        unique=False,
        sqlite_where=sa.text("online AND order_id IS NULL"),
        postgresql_where=sa.text("online AND order_id IS NULL"),
    )
    op.create_table(
        "wallet_top_ups",
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("user_id", Int, nullable=False),
        sa.Column("amount_fen", Int, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.CheckConstraint("amount_fen > 0", name="top_up_positive"),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("wallet_top_ups_of_user", "wallet_top_ups", ["user_id"], unique=False)
    op.create_table(
        "wallets",
        sa.Column("user_id", Int, autoincrement=False, nullable=False),
        sa.Column("balance_fen", Int, nullable=False),
        sa.Column("held_fen", Int, nullable=False),
        sa.CheckConstraint("balance_fen >= 0 AND held_fen >= 0", name="wallet_never_negative"),
        sa.PrimaryKeyConstraint("user_id"),
    )
    op.create_table(
        "coupon_claims",
        sa.Column("id", Int, nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("user_id", Int, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("hold_fen", Int, nullable=False),
        sa.Column("nth", Int, nullable=True),
        sa.Column("order_id", Int, nullable=True),
        sa.Column("claimed_at", sa.Float(), nullable=False),
        sa.Column("redeemed_at", sa.Float(), nullable=True),
        sa.Column("returned_at", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["code"],
            ["coupons.code"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code", "user_id", "nth", name="coupon_claims_nth"),
        sa.UniqueConstraint("order_id"),
    )
    op.create_index("coupon_claims_of_user", "coupon_claims", ["code", "user_id"], unique=False)
    op.create_table(
        "deals",
        sa.Column("id", Int, nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=True),
        sa.Column("merchant_id", Int, nullable=False),
        sa.Column("title", sa.String(length=128), nullable=False),
        sa.Column("price_fen", Int, nullable=False),
        sa.Column("list_fen", Int, nullable=False),
        sa.Column("stock", Int, nullable=False),
        sa.Column("sold", Int, nullable=False),
        sa.Column("valid_until", sa.Float(), nullable=False),
        sa.Column("published_at", sa.Float(), nullable=False),
        sa.Column("published_by", Int, nullable=False),
        sa.CheckConstraint("sold >= 0 AND sold <= stock", name="deal_never_oversold"),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("merchant_id", "ref"),
    )
    op.create_index(op.f("ix_deals_merchant_id"), "deals", ["merchant_id"], unique=False)
    op.create_table(
        "dishes",
        sa.Column("id", Int, nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("merchant_id", Int, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("price_fen", Int, nullable=False),
        sa.Column("on_shelf", sa.Boolean(), nullable=False),
        sa.Column("initial", Int, nullable=False),
        sa.Column("reserved", Int, nullable=False),
        sa.Column("returned", Int, nullable=False),
        sa.Column("level", Int, nullable=False),
        sa.Column("min_level", Int, nullable=False),
        sa.CheckConstraint("level >= 0", name="stock_never_negative"),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("merchant_id", "ref"),
    )
    op.create_index(op.f("ix_dishes_merchant_id"), "dishes", ["merchant_id"], unique=False)
    op.create_table(
        "lead_owners",
        sa.Column("bd_id", Int, nullable=False),
        sa.Column("held", Int, nullable=False),
        sa.CheckConstraint("held >= 0", name="held_not_negative"),
        sa.ForeignKeyConstraint(
            ["bd_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("bd_id"),
    )
    op.create_table(
        "leads",
        sa.Column("id", Int, nullable=False),
        sa.Column("ref", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lng", sa.Float(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("owner_id", Int, nullable=True),
        sa.Column("claimed_at", sa.Float(), nullable=True),
        sa.Column("last_visit_at", sa.Float(), nullable=True),
        sa.Column("contract_at", sa.Float(), nullable=True),
        sa.Column("extensions", Int, nullable=False),
        sa.Column("protected_until", sa.Float(), nullable=True),
        sa.Column("term_start", sa.Float(), nullable=True),
        sa.Column("due_at", sa.Float(), nullable=True),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("converted_at", sa.Float(), nullable=True),
        sa.Column("claims", Int, nullable=False),
        sa.Column("drops", Int, nullable=False),
        sa.Column("visits", Int, nullable=False),
        sa.Column("private_since", sa.Float(), nullable=True),
        sa.Column("idle_since", sa.Float(), nullable=True),
        sa.Column("private_s", sa.Float(), nullable=False),
        sa.Column("idle_s", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"],
            ["accounts.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("ref"),
    )
    op.create_index(op.f("ix_leads_owner_id"), "leads", ["owner_id"], unique=False)
    op.create_index(
        "leads_due",
        "leads",
        ["due_at"],
        unique=False,
        sqlite_where=sa.text("owner_id IS NOT NULL"),
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.create_index("leads_place", "leads", ["lat", "lng"], unique=False)
    op.create_table(
        "orders",
        sa.Column("id", Int, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("ref", sa.String(length=128), nullable=False),
        sa.Column("order_no", sa.String(length=32), nullable=True),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("user_id", Int, nullable=False),
        sa.Column("user_ref", sa.String(length=64), nullable=False),
        sa.Column("segment", sa.String(length=32), nullable=True),
        sa.Column("merchant_id", Int, nullable=False),
        sa.Column("deal_id", Int, nullable=True),
        sa.Column("rider_id", Int, nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.Column("lines", sa.Text(), nullable=False),
        sa.Column("items_fen", Int, nullable=False),
        sa.Column("discount_fen", Int, nullable=False),
        sa.Column("delivery_fee_fen", Int, nullable=False),
        sa.Column("total_fen", Int, nullable=False),
        sa.Column("commission_share", sa.Float(), nullable=False),
        sa.Column("paid_fen", Int, nullable=False),
        sa.Column("refunded_fen", Int, nullable=False),
        sa.Column("coupon_code", sa.String(length=32), nullable=True),
        sa.Column("coupon_refused", sa.String(length=128), nullable=True),
        sa.Column("risk", sa.String(length=8), nullable=True),
        sa.Column("drop_lat", sa.Float(), nullable=True),
        sa.Column("drop_lng", sa.Float(), nullable=True),
        sa.Column("address", sa.String(length=255), nullable=True),
        sa.Column("phone", sa.String(length=32), nullable=True),
        sa.Column("note", sa.String(length=255), nullable=True),
        sa.Column("pay_deadline", sa.Float(), nullable=True),
        sa.Column("seeking_since", sa.Float(), nullable=True),
        sa.Column("accepted", sa.Float(), nullable=False),
        sa.Column("paid", sa.Float(), nullable=True),
        sa.Column("committed", sa.Float(), nullable=True),
        sa.Column("published", sa.Float(), nullable=True),
        sa.Column("cooking", sa.Float(), nullable=True),
        sa.Column("ready", sa.Float(), nullable=True),
        sa.Column("assigned", sa.Float(), nullable=True),
        sa.Column("picked_up", sa.Float(), nullable=True),
        sa.Column("delivered", sa.Float(), nullable=True),
        sa.Column("closed", sa.Float(), nullable=True),
        sa.Column("promised", sa.Float(), nullable=True),
        sa.Column("stars", Int, nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("user_id", "ref"),
    )
    op.create_index("orders_by_merchant", "orders", ["merchant_id", "id"], unique=False)
    op.create_index(
        "orders_unpaid",
        "orders",
        ["pay_deadline"],
        unique=False,
        sqlite_where=sa.text("state = 'pending_payment'"),
        postgresql_where=sa.text("state = 'pending_payment'"),
    )
    op.create_index(
        "orders_without_rider",
        "orders",
        ["seeking_since"],
        unique=False,
        sqlite_where=sa.text("seeking_since IS NOT NULL"),
        postgresql_where=sa.text("seeking_since IS NOT NULL"),
    )
    op.create_table(
        "payouts",
        sa.Column("id", Int, nullable=False),
        sa.Column("merchant_id", Int, nullable=False),
        sa.Column("amount_fen", Int, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("by", Int, nullable=False),
        sa.Column("txn_id", Int, nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_payouts_merchant_id"), "payouts", ["merchant_id"], unique=False)
    op.create_table(
        "lead_events",
        sa.Column("id", Int, nullable=False),
        sa.Column("lead_id", Int, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("actor_id", Int, nullable=True),
        sa.Column("owner_id", Int, nullable=True),
        sa.Column("owned", Int, nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(
            ["lead_id"],
            ["leads.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_lead_events_lead_id"), "lead_events", ["lead_id"], unique=False)
    op.create_table(
        "lead_visits",
        sa.Column("id", Int, nullable=False),
        sa.Column("lead_id", Int, nullable=False),
        sa.Column("bd_id", Int, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=False),
        sa.Column("lng", sa.Float(), nullable=False),
        sa.Column("distance_m", sa.Float(), nullable=False),
        sa.Column("note", sa.String(length=500), nullable=False),
        sa.Column("signed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["bd_id"],
            ["accounts.id"],
        ),
        sa.ForeignKeyConstraint(
            ["lead_id"],
            ["leads.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_lead_visits_lead_id"), "lead_visits", ["lead_id"], unique=False)
    op.create_table(
        "payments",
        sa.Column("id", Int, nullable=False),
        sa.Column("order_id", Int, nullable=False),
        sa.Column("method", sa.String(length=8), nullable=False),
        sa.Column("amount_fen", Int, nullable=False),
        sa.Column("taken_fen", Int, nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested", sa.Float(), nullable=False),
        sa.Column("confirmed", sa.Float(), nullable=True),
        sa.Column("callback", sa.Float(), nullable=True),
        sa.Column("disputed", sa.Float(), nullable=True),
        sa.Column("refund_fen", Int, nullable=False),
        sa.Column("refund_wanted", sa.Float(), nullable=True),
        sa.Column("refund_done", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id"),
    )
    op.create_index(
        "payments_disputed",
        "payments",
        ["id"],
        unique=False,
        sqlite_where=sa.text("disputed IS NOT NULL"),
        postgresql_where=sa.text("disputed IS NOT NULL"),
    )
    op.create_table(
        "reviews",
        sa.Column("order_id", Int, nullable=False),
        sa.Column("merchant_id", Int, nullable=False),
        sa.Column("user_id", Int, nullable=False),
        sa.Column("stars", Int, nullable=False),
        sa.Column("text", sa.String(length=1000), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("order_id"),
    )
    op.create_index(op.f("ix_reviews_at"), "reviews", ["at"], unique=False)
    op.create_index(op.f("ix_reviews_merchant_id"), "reviews", ["merchant_id"], unique=False)
    op.create_table(
        "tickets",
        sa.Column("id", Int, nullable=False),
        sa.Column("order_id", Int, nullable=False),
        sa.Column("merchant_id", Int, nullable=False),
        sa.Column("copy_no", Int, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=True),
        sa.Column("attempts", Int, nullable=False),
        sa.Column("queued", sa.Float(), nullable=False),
        sa.Column("claimed", sa.Float(), nullable=True),
        sa.Column("claimed_by", Int, nullable=True),
        sa.Column("rendered", sa.Float(), nullable=True),
        sa.Column("delivered_to_printer", sa.Float(), nullable=True),
        sa.Column("printed", sa.Float(), nullable=True),
        sa.Column("escalation", sa.String(length=16), nullable=True),
        sa.Column("escalated", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("order_id", "copy_no"),
    )
    op.create_index(
        "tickets_open",
        "tickets",
        ["id"],
        unique=False,
        sqlite_where=sa.text("state IN ('queued', 'offered', 'claimed', 'failed', 'unconfirmed')"),
        postgresql_where=sa.text("state IN ('queued', 'offered', 'claimed', 'failed', 'unconfirmed')"),
    )
    op.create_table(
        "vouchers",
        sa.Column("id", Int, nullable=False),
        sa.Column("code", sa.String(length=16), nullable=False),
        sa.Column("order_id", Int, nullable=False),
        sa.Column("deal_id", Int, nullable=False),
        sa.Column("merchant_id", Int, nullable=False),
        sa.Column("user_id", Int, nullable=False),
        sa.Column("qty", Int, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("valid_until", sa.Float(), nullable=False),
        sa.Column("issued", sa.Float(), nullable=False),
        sa.Column("redeemed", sa.Float(), nullable=True),
        sa.Column("refunded", sa.Float(), nullable=True),
        sa.Column("redemptions", Int, nullable=False),
        sa.Column("channel", sa.String(length=8), nullable=True),
        sa.Column("redeemed_by", Int, nullable=True),
        sa.CheckConstraint("redemptions <= 1", name="voucher_redeemed_once"),
        sa.ForeignKeyConstraint(
            ["deal_id"],
            ["deals.id"],
        ),
        sa.ForeignKeyConstraint(
            ["merchant_id"],
            ["merchants.id"],
        ),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["orders.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("code"),
        sa.UniqueConstraint("order_id"),
    )
    op.create_index("vouchers_of_user", "vouchers", ["user_id", "id"], unique=False)
    if op.get_bind().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def _postgresql() -> None:
    # The transaction that wrote an event: see o2o_platform.kit.outbox.
    op.execute("ALTER TABLE outbox DROP COLUMN xid")
    op.execute("ALTER TABLE outbox ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id()")
    op.execute("CREATE INDEX outbox_position ON outbox (xid, id)")
    op.execute("CREATE SEQUENCE ledger_txn_id_seq OWNED BY ledger.txn_id")
    op.execute(
        "CREATE FUNCTION lead_events_are_kept() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'lead_events is append-only'; END $$"
    )
    op.execute(
        "CREATE TRIGGER lead_events_are_kept BEFORE UPDATE OR DELETE ON lead_events "
        "FOR EACH ROW EXECUTE FUNCTION lead_events_are_kept()"
    )


def _sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER lead_events_no_{verb.lower()} BEFORE {verb} ON lead_events "
            "BEGIN SELECT RAISE(ABORT, 'lead_events is append-only'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER lead_events_are_kept ON lead_events")
        op.execute("DROP FUNCTION lead_events_are_kept")
    op.drop_index("vouchers_of_user", table_name="vouchers")
    op.drop_table("vouchers")
    op.drop_index(
        "tickets_open",
        table_name="tickets",
        sqlite_where=sa.text("state IN ('queued', 'offered', 'claimed', 'failed', 'unconfirmed')"),
        postgresql_where=sa.text("state IN ('queued', 'offered', 'claimed', 'failed', 'unconfirmed')"),
    )
    op.drop_table("tickets")
    op.drop_index(op.f("ix_reviews_merchant_id"), table_name="reviews")
    op.drop_index(op.f("ix_reviews_at"), table_name="reviews")
    op.drop_table("reviews")
    op.drop_index(
        "payments_disputed",
        table_name="payments",
        sqlite_where=sa.text("disputed IS NOT NULL"),
        postgresql_where=sa.text("disputed IS NOT NULL"),
    )
    op.drop_table("payments")
    op.drop_index(op.f("ix_lead_visits_lead_id"), table_name="lead_visits")
    op.drop_table("lead_visits")
    op.drop_index(op.f("ix_lead_events_lead_id"), table_name="lead_events")
    op.drop_table("lead_events")
    op.drop_index(op.f("ix_payouts_merchant_id"), table_name="payouts")
    op.drop_table("payouts")
    op.drop_index(
        "orders_without_rider",
        table_name="orders",
        sqlite_where=sa.text("seeking_since IS NOT NULL"),
        postgresql_where=sa.text("seeking_since IS NOT NULL"),
    )
    op.drop_index(
        "orders_unpaid",
        table_name="orders",
        sqlite_where=sa.text("state = 'pending_payment'"),
        postgresql_where=sa.text("state = 'pending_payment'"),
    )
    op.drop_index("orders_by_merchant", table_name="orders")
    op.drop_table("orders")
    op.drop_index("leads_place", table_name="leads")
    op.drop_index(
        "leads_due",
        table_name="leads",
        sqlite_where=sa.text("owner_id IS NOT NULL"),
        postgresql_where=sa.text("owner_id IS NOT NULL"),
    )
    op.drop_index(op.f("ix_leads_owner_id"), table_name="leads")
    op.drop_table("leads")
    op.drop_table("lead_owners")
    op.drop_index(op.f("ix_dishes_merchant_id"), table_name="dishes")
    op.drop_table("dishes")
    op.drop_index(op.f("ix_deals_merchant_id"), table_name="deals")
    op.drop_table("deals")
    op.drop_index("coupon_claims_of_user", table_name="coupon_claims")
    op.drop_table("coupon_claims")
    op.drop_table("wallets")
    op.drop_index("wallet_top_ups_of_user", table_name="wallet_top_ups")
    op.drop_table("wallet_top_ups")
    op.drop_index(
        "riders_free",
        table_name="riders",
        sqlite_where=sa.text("online AND order_id IS NULL"),
        postgresql_where=sa.text("online AND order_id IS NULL"),
    )
    op.drop_table("riders")
    op.drop_index(
        "reservations_under_way",
        table_name="reservations",
        sqlite_where=sa.text("stage IN ('trying', 'confirming', 'cancelling')"),
        postgresql_where=sa.text("stage IN ('trying', 'confirming', 'cancelling')"),
    )
    op.drop_index(
        "reservations_trying",
        table_name="reservations",
        sqlite_where=sa.text("stage = 'trying'"),
        postgresql_where=sa.text("stage = 'trying'"),
    )
    op.drop_table("reservations")
    op.drop_table("reservation_fences")
    op.drop_index(
        "refunds_owed",
        table_name="refunds",
        sqlite_where=sa.text("done IS NULL"),
        postgresql_where=sa.text("done IS NULL"),
    )
    op.drop_index(op.f("ix_refunds_payment_id"), table_name="refunds")
    op.drop_table("refunds")
    op.drop_index(op.f("ix_reconciliations_payment_id"), table_name="reconciliations")
    op.drop_table("reconciliations")
    op.drop_table("reconciliation_cursors")
    op.drop_index(
        "statement_unchecked",
        table_name="provider_statement",
        sqlite_where=sa.text("checked IS NULL"),
        postgresql_where=sa.text("checked IS NULL"),
    )
    op.drop_table("provider_statement")
    op.drop_table("outbox")
    op.drop_index(
        "notices_unsent",
        table_name="notices",
        sqlite_where=sa.text("sent IS NULL"),
        postgresql_where=sa.text("sent IS NULL"),
    )
    op.drop_table("notices")
    op.drop_index(op.f("ix_merchants_owner_ref"), table_name="merchants")
    op.drop_index(op.f("ix_merchants_lng"), table_name="merchants")
    op.drop_table("merchants")
    op.drop_index(op.f("ix_ledger_txn_id"), table_name="ledger")
    op.drop_index(op.f("ix_ledger_order_id"), table_name="ledger")
    op.drop_table("ledger")
    op.drop_table("dispatch_slots")
    op.drop_table("coupons")
    op.drop_table("breaker_events")
    op.drop_table("accounts")
