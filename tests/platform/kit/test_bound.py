"""How far the outbox may be read: never past a transaction that is still open, whoever begins meanwhile (W9)."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from o2o_platform.kit.outbox import BOUND
from o2o_platform.settings import Settings

pytestmark = pytest.mark.anyio

XMAX = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


@pytest.mark.parametrize("deployment", ["scaled"], indirect=True)
async def test_transactions_that_begin_meanwhile_do_not_move_it(settings: Settings, deployment: str) -> None:
    asks = await asyncpg.connect(settings.database_url)
    holds = await asyncpg.connect(settings.database_url)
    others = [await asyncpg.connect(settings.database_url) for _ in range(6)]
    try:
        done = False

        async def begin_and_end(conn: asyncpg.Connection) -> None:
            while not done:
                async with conn.transaction():
                    await conn.fetchval("SELECT pg_current_xact_id()::text")
                    await conn.fetchval("SELECT 1")

        async def bounds() -> list[tuple[int, int]]:
            return [(await asks.fetchval(BOUND), await asks.fetchval(XMAX)) for _ in range(300)]

        busy = [asyncio.create_task(begin_and_end(conn)) for conn in others]
        assert [(bound, top) for bound, top in await bounds() if not 0 < bound <= top] == []
        async with holds.transaction():
            held = int(await holds.fetchval("SELECT pg_current_xact_id()::text"))
            assert [bound for bound, _ in await bounds() if not 0 < bound <= held] == []
        done = True
        await asyncio.gather(*busy)
        assert await asks.fetchval(BOUND) > held
    finally:
        for conn in (asks, holds, *others):
            await conn.close()
