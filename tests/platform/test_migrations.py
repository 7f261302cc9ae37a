"""The schema's history makes exactly the tables that the features declare, on both databases."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

import o2o_platform
from o2o_platform import migrations
from o2o_platform.errors import PlatformError
from o2o_platform.kit.database import open_database
from o2o_platform.kit.tables import metadata
from o2o_platform.settings import Settings

pytestmark = pytest.mark.anyio


def differences(conn: Connection) -> list[Any]:
    migrations.load_tables()
    found = compare_metadata(MigrationContext.configure(conn, opts={"compare_type": True}), metadata)
    if conn.dialect.name == "postgresql":
        # Written by hand in the revision: what PostgreSQL calls a transaction's number, and the index over it.
        found = [one for one in found if "outbox" not in repr(one)]
    return found


async def on(settings: Settings, work: Any) -> Any:
    """`work(conn)` on the settings' database."""
    if settings.database_url.startswith("sqlite"):
        engine = create_engine(settings.database_url)
        with engine.begin() as conn:
            return work(conn)
    engine_of = create_async_engine(
        settings.database_url.replace("postgresql:", "postgresql+asyncpg:"), poolclass=NullPool
    )
    async with engine_of.begin() as opened:
        return await opened.run_sync(work)


async def test_history_and_tables_agree(settings: Settings, anyio_backend: str) -> None:
    db = open_database(settings.database_url, durable=False)
    await db.start()
    await db.stop()
    assert await on(settings, differences) == []


async def test_all_can_be_taken_back_and_made_again(settings: Settings, anyio_backend: str) -> None:
    db = open_database(settings.database_url, durable=False)
    await db.start()
    await db.stop()

    def back_and_forth(conn: Connection) -> None:
        command.downgrade(migrations.config(conn), "base")
        assert set(inspect(conn).get_table_names()) <= {"alembic_version"}
        command.upgrade(migrations.config(conn), "head")

    await on(settings, back_and_forth)
    assert await on(settings, differences) == []


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
async def test_a_database_of_another_version_is_refused(settings: Settings, tmp_path: Path) -> None:
    engine = create_engine(settings.database_url)
    with engine.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE IF NOT EXISTS alembic_version (version_num VARCHAR(32) NOT NULL)")
        conn.exec_driver_sql("DELETE FROM alembic_version")
        conn.exec_driver_sql("INSERT INTO alembic_version VALUES ('9999')")
    with pytest.raises(PlatformError, match="newer version"):
        open_database(settings.database_url)
    old = create_engine(f"sqlite:///{tmp_path}/old.db")
    with old.begin() as conn:
        conn.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY)")
    with pytest.raises(PlatformError, match="without migrations"):
        open_database(f"sqlite:///{tmp_path}/old.db")


def test_every_table_is_known_to_the_history() -> None:
    folder = Path(o2o_platform.__file__).parent
    with_tables = {path.parent.name for path in folder.glob("*/tables.py")} - {"kit"}
    assert with_tables == set(migrations.TABLES)


def test_revisions_follow_one_another() -> None:
    files = sorted(Path(migrations.__file__).parent.glob("versions/*.py"))
    assert [re.match(r"\d{4}", path.name)[0] for path in files] == [f"{n:04d}" for n in range(1, len(files) + 1)]  # type: ignore[index]
