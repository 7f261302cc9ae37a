"""The reference for pgbench writes the rows that one order of the lane writes, no more and no less."""

from __future__ import annotations

import asyncio
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text

import servers
from o2o_platform.orders.lane.statements import single_order_script

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("deployment", ["scaled"], indirect=True)]

TABLES = ("orders", "payments", "reservation_fences", "coupon_claims", "outbox", "tickets", "ledger")


async def counts(world: Any) -> dict[str, int]:
    """Rows by table."""

    def unit(conn: Any) -> dict[str, int]:
        return {table: conn.execute(text(f"SELECT count(*) FROM {table}")).scalar_one() for table in TABLES}

    found: dict[str, int] = await world.db(unit)
    return found


async def test_one_order_of_the_script_is_one_order_of_the_lane(world: Any, settings: Any, tmp_path: Path) -> None:
    if shutil.which("pgbench") is None:
        servers.missing("pgbench is not installed")
    coupon = {"code": "PEAK0", "threshold_fen": 100, "off_fen": 300, "budget_fen": 10**9, "per_user": 1000}
    await world.admin.post("/admin/coupons", [coupon])
    shop, user = await world.shop(*((f"菜{n}", 1000, 10**6) for n in range(6))), await world.actor("consumer")
    items = [{"dish_id": dish, "qty": 1} for dish in shop.dishes[:2]]
    before = await counts(world)
    assert (await world.place(user, shop, items=items, coupon_code="PEAK0")).json()["discount_fen"] == 300
    ours = {table: rows - before[table] for table, rows in (await counts(world)).items()}

    script = tmp_path / "order.sql"
    script.write_text(
        single_order_script(
            first_merchant=shop.id, merchants=1, first_dish=min(shop.dishes), dishes=6, users=50, coupons=1,
            coupon_percent=100,
        )
    )  # fmt: skip
    url = make_url(settings.database_url)
    place = ["-h", str(url.host), "-p", str(url.port or 5432), "-U", str(url.username or "root"), str(url.database)]
    before = await counts(world)
    command = ["pgbench", "-n", "-M", "prepared", "-t", "10", "-f", str(script), *place]
    running = await asyncio.create_subprocess_exec(*command, stdout=DEVNULL, stderr=PIPE)
    _, said = await running.communicate()
    assert running.returncode == 0, said.decode()
    theirs = {table: rows - before[table] for table, rows in (await counts(world)).items()}
    assert theirs == {table: 10 * rows for table, rows in ours.items()}
    (budget,) = await world.export("coupons")
    assert (budget["redeemed"], budget["committed_fen"]) == (11, 3300)
