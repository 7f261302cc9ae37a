"""Jobs that vendors' clouds have taken."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from o2o_platform.kit.tables import Int

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_OPEN = sa.text("done IS NULL")


def upgrade() -> None:
    """Make it so."""
    op.create_table(
        "vendor_jobs",
        sa.Column("ticket_id", Int, autoincrement=False, nullable=False),
        sa.Column("merchant_id", Int, nullable=False),
        sa.Column("vendor", sa.String(length=16), nullable=False),
        sa.Column("serial", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("taken", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sa.Column("ask_at", sa.Float(), nullable=False),
        sa.Column("done", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["ticket_id"], ["tickets.id"]),
        sa.PrimaryKeyConstraint("ticket_id"),
    )
    op.create_index(
        "vendor_jobs_open", "vendor_jobs", ["ask_at"], unique=False, sqlite_where=_OPEN, postgresql_where=_OPEN
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_index("vendor_jobs_open", table_name="vendor_jobs")
    op.drop_table("vendor_jobs")
