"""The table of accounts.

`ref` is the name under which whoever created the account knows it (a login name, or a scenario's id such as
`user-17`); it is unique. `manager_id` makes the sales organisation a tree (A7): a BD's superior, and that one's.
`merchant_ref` binds a merchant's account to the merchant of that ref.
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, String, Table

from o2o_platform.kit.tables import Int, metadata

accounts = Table(
    "accounts",
    metadata,
    Column("id", Int, primary_key=True),
    Column("ref", String(64), nullable=False, unique=True),
    Column("role", String(16), nullable=False),  # o2o_domain.roles.Role
    Column("name", String(64), nullable=False),
    Column("phone", String(32)),
    Column("segment", String(32)),
    Column("manager_id", Int, ForeignKey("accounts.id")),
    Column("merchant_ref", String(64)),
    Column("password_hash", String(200)),  # null: cannot log in with a password
    Column("synthetic", Boolean, nullable=False),  # made in bulk for a test or a run
    Column("created_at", Float, nullable=False),  # unix seconds
)
