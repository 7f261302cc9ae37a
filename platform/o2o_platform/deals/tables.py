"""The tables of deals and vouchers. Times are unix seconds.

A purchase is an order of kind `deal` in the shared orders table (A4); paying it issues one voucher, for all its pieces.
`sold` counts pieces in orders that are unpaid, issued or redeemed, and never exceeds `stock`.
"""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Column, Float, ForeignKey, Index, String, Table, UniqueConstraint

from o2o_platform.kit.tables import Int, metadata

deals = Table(
    "deals",
    metadata,
    Column("id", Int, primary_key=True),
    Column("ref", String(64)),  # the merchant's own name for it; null: none given
    Column("merchant_id", Int, ForeignKey("merchants.id"), nullable=False, index=True),
    Column("title", String(128), nullable=False),
    Column("price_fen", Int, nullable=False),
    Column("list_fen", Int, nullable=False),
    Column("stock", Int, nullable=False),
    Column("sold", Int, nullable=False, default=0),
    Column("valid_until", Float, nullable=False),  # for buying and for redeeming
    Column("published_at", Float, nullable=False),
    Column("published_by", Int, nullable=False),  # accounts.id
    UniqueConstraint("merchant_id", "ref"),
    CheckConstraint("sold >= 0 AND sold <= stock", name="deal_never_oversold"),
)

vouchers = Table(
    "vouchers",
    metadata,
    Column("id", Int, primary_key=True),
    Column("code", String(16), nullable=False, unique=True),  # digits: it is read out on the telephone, too
    Column("order_id", Int, ForeignKey("orders.id"), nullable=False, unique=True),
    Column("deal_id", Int, ForeignKey("deals.id"), nullable=False),
    Column("merchant_id", Int, ForeignKey("merchants.id"), nullable=False),
    Column("user_id", Int, nullable=False),
    Column("qty", Int, nullable=False),
    Column("state", String(16), nullable=False),  # o2o_domain.deals.VoucherState
    Column("valid_until", Float, nullable=False),
    Column("issued", Float, nullable=False),
    Column("redeemed", Float),
    Column("refunded", Float),
    Column("redemptions", Int, nullable=False, default=0),  # times a redemption succeeded
    Column("channel", String(8)),  # qr | pos | phone (A6)
    Column("redeemed_by", Int),  # accounts.id
    CheckConstraint("redemptions <= 1", name="voucher_redeemed_once"),
)

Index("vouchers_of_user", vouchers.c.user_id, vouchers.c.id)
