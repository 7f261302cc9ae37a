"""What alembic runs: the revisions, on the connection that it was given, in the transaction that is open there."""

from alembic import context

from o2o_platform.kit.tables import metadata
from o2o_platform.migrations import load_tables

load_tables()
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
)
context.run_migrations()
