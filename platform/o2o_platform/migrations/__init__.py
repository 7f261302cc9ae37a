"""The schema's history, as alembic revisions; one history for SQLite and PostgreSQL.

Decides that a platform brings its database up to date when it starts, and refuses one that is newer than itself.
A change of the schema: change the feature's `tables.py`, then `python -m o2o_platform.migrations "what changes"` writes
the revision to be looked over and committed (a test compares tables and history on both databases).
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

from o2o_platform.errors import PlatformError

TABLES = (
    "accounts",
    "coupons",
    "crm",
    "deals",
    "delivery",
    "helpers",
    "ledger",
    "merchants",
    "notices",
    "orders",
    "payments",
    "printing",
    "reservation",
    "reviews",
    "wallets",
)
"""Features with tables of their own."""


def load_tables() -> None:
    """Hang every feature's tables on the shared metadata."""
    for name in TABLES:
        import_module(f"o2o_platform.{name}.tables")


def config(connection: Connection | None = None) -> Config:
    """alembic's configuration, for work on this connection."""
    made = Config()
    made.set_main_option("script_location", "o2o_platform:migrations")
    made.attributes["connection"] = connection
    return made


@cache
def _known() -> tuple[str, ...]:
    """Every revision, the newest first."""
    return tuple(found.revision for found in ScriptDirectory.from_config(config()).walk_revisions())


def upgrade(connection: Connection) -> None:
    """Bring the schema up to date, in the connection's transaction. Raises PlatformError if that cannot be done."""
    current = MigrationContext.configure(connection).get_current_revision()
    if current == _known()[0]:
        return
    if current is None and inspect(connection).has_table("orders"):
        raise PlatformError("foreign_schema", "this database was made by a version without migrations: use a new one")
    if current is not None and current not in _known():
        raise PlatformError("newer_schema", f"this database is of a newer version (revision {current})")
    command.upgrade(config(connection), "head")
