"""Printers have addresses of any protocol; tickets are offered; signs of printers that come by themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from o2o_platform.kit.tables import Int

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_UNDER_WAY = sa.text("state IN ('queued', 'offered', 'claimed')")


def upgrade() -> None:
    """Make it so."""
    with op.batch_alter_table("merchants") as batch:
        batch.add_column(sa.Column("printer_url", sa.String(length=255), nullable=True))
        batch.add_column(sa.Column("printer_pulls", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.add_column(sa.Column("printer_secret", sa.String(length=64), nullable=True))
    op.execute(
        "UPDATE merchants SET printer_url = 'tcp://' || printer_host || ':' || printer_port "
        "WHERE printer_host IS NOT NULL"
    )
    with op.batch_alter_table("merchants") as batch:
        batch.alter_column("printer_pulls", server_default=None)
        batch.drop_column("printer_host")
        batch.drop_column("printer_port")
    op.create_index(op.f("ix_merchants_printer_url"), "merchants", ["printer_url"], unique=False)
    with op.batch_alter_table("tickets") as batch:
        batch.add_column(sa.Column("offered", sa.Float(), nullable=True))
    op.create_index(
        "tickets_under_way",
        "tickets",
        ["merchant_id", "id"],
        unique=False,
        sqlite_where=_UNDER_WAY,
        postgresql_where=_UNDER_WAY,
    )
    op.create_table(
        "printer_signs",
        sa.Column("merchant_id", Int, autoincrement=False, nullable=False),
        sa.Column("seen", sa.Float(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("detail", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("merchant_id"),
    )


def downgrade() -> None:
    """Take it back; printers that are not on raw TCP are forgotten."""
    op.drop_table("printer_signs")
    op.drop_index("tickets_under_way", table_name="tickets")
    with op.batch_alter_table("tickets") as batch:
        batch.drop_column("offered")
    op.drop_index(op.f("ix_merchants_printer_url"), table_name="merchants")
    with op.batch_alter_table("merchants") as batch:
        batch.add_column(sa.Column("printer_host", sa.String(length=255), nullable=True))
        batch.add_column(sa.Column("printer_port", Int, nullable=True))
        batch.drop_column("printer_secret")
        batch.drop_column("printer_pulls")
        batch.drop_column("printer_url")
