"""The schema of the database at hand, brought up to date."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from o2o_platform.migrations import upgrade

_LOCK = 7_106_701
"""Of the advisory lock under which one process at a time changes the schema."""


async def bring_up_to_date(url: URL) -> None:
    """Make or change the tables; processes that start at once wait for one another."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as conn:
            await conn.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
            await conn.run_sync(upgrade)
    finally:
        await engine.dispose()
