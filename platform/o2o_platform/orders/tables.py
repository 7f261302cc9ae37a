"""The table of orders: takeout orders and deal purchases share it (A4), told apart by `kind`.

Marks are unix seconds, null until reached; names as in the run tables. `ref` is the client's Idempotency-Key, unique
per user. `lines` is a JSON array of [dish_id, name, qty, unit_fen]: what was sold, at the price it was sold at.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, String, Table, Text, UniqueConstraint

from o2o_platform.kit.tables import Int, metadata

orders = Table(
    "orders",
    metadata,
    Column("id", Int, primary_key=True),
    Column("kind", String(16), nullable=False),  # order | deal
    Column("ref", String(128), nullable=False),
    Column("order_no", String(32)),
    Column("fingerprint", String(64), nullable=False),  # of the request's body: a key is not used for two orders
    Column("user_id", Int, nullable=False),
    Column("user_ref", String(64), nullable=False),
    Column("segment", String(32)),
    Column("merchant_id", Int, ForeignKey("merchants.id"), nullable=False),
    Column("deal_id", Int),
    Column("rider_id", Int),
    Column("state", String(20), nullable=False),  # o2o_domain.orders.OrderState
    Column("reason", String(64)),
    Column("lines", Text, nullable=False),
    Column("items_fen", Int, nullable=False),
    Column("discount_fen", Int, nullable=False),
    Column("delivery_fee_fen", Int, nullable=False),
    Column("total_fen", Int, nullable=False),
    Column("commission_share", Float, nullable=False),  # the rule's version this order was placed under (G3)
    Column("paid_fen", Int, nullable=False, default=0),
    Column("refunded_fen", Int, nullable=False, default=0),
    Column("coupon_code", String(32)),
    Column("coupon_refused", String(128)),  # reasons, comma-separated
    Column("risk", String(8)),  # o2o_domain.risk: allow | review | unknown (not to be had); null: nobody was asked
    Column("drop_lat", Float),
    Column("drop_lng", Float),
    Column("address", String(255)),
    Column("phone", String(32)),
    Column("note", String(255)),
    Column("pay_deadline", Float),
    Column("seeking_since", Float),  # set while the order waits for a rider
    Column("accepted", Float, nullable=False),
    Column("paid", Float),
    Column("committed", Float),
    Column("published", Float),
    Column("cooking", Float),
    Column("ready", Float),
    Column("assigned", Float),
    Column("picked_up", Float),
    Column("delivered", Float),
    Column("closed", Float),  # when the terminal state was reached
    Column("promised", Float),
    Column("stars", Int, nullable=False, default=0),
    UniqueConstraint("user_id", "ref"),
)

Index("orders_by_merchant", orders.c.merchant_id, orders.c.id)
# Partial indexes: only the few orders that wait for something are in them.
Index(
    "orders_unpaid",
    orders.c.pay_deadline,
    sqlite_where=orders.c.state == "pending_payment",
    postgresql_where=orders.c.state == "pending_payment",
)
Index(
    "orders_without_rider",
    orders.c.seeking_since,
    sqlite_where=orders.c.seeking_since.is_not(None),
    postgresql_where=orders.c.seeking_since.is_not(None),
)
