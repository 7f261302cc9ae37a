"""Two platforms on PostgreSQL, one with batches and one without, to which the same things are done."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

import servers
from o2o_platform.kit.clock import ManualClock
from o2o_platform.orders import routes as order_routes
from o2o_platform.orders.place import Placed, place
from o2o_platform.payments import routes as payment_routes
from o2o_platform.payments.callback import take

NOT_COMPARED = {
    "outbox": ("xid", "id"),
    "orders": ("committed", "published"),
    "tickets": ("state", "code", "attempts", "claimed", "claimed_by", "escalation", "escalated"),
}
"""Which transaction it was, and what the dispatcher does meanwhile: it prints in both worlds at its own pace."""


class Unbatched:
    """In place of both lanes: every order, every callback in a unit of its own."""

    def __init__(self, ctx: Any) -> None:
        self._ctx = ctx

    def register(self) -> None:
        pass

    async def place(self, user: Any, key: str, mark: str, body: Any, now: float, risk: Any) -> Placed:
        ctx = self._ctx
        placed: Placed = await ctx.db.write(lambda conn: place(conn, ctx, user, key, mark, body, now, risk))
        return placed

    async def take(self, callback: Any, now: float) -> str:
        ctx = self._ctx
        became: str = await ctx.db.write(lambda conn: take(conn, ctx, callback, now))
        return became

    async def close(self) -> None:
        pass


@asynccontextmanager
async def both_worlds(
    open_world: Callable[..., Any], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Any, Any]]:
    """(with batches, without), each on a database of its own."""

    @asynccontextmanager
    async def one(batched: bool) -> AsyncIterator[Any]:
        with servers.postgres_database() as database, servers.redis_prefix() as (redis_url, prefix):
            where = {"database_url": database, "redis_url": redis_url, "redis_prefix": prefix}
            with monkeypatch.context() as patch:
                if not batched:
                    patch.setattr(order_routes, "Lane", Unbatched)
                    patch.setattr(payment_routes, "Lane", Unbatched)
                opening = open_world(replace(settings, enforce_hours=True, **where), ManualClock())
                world = await opening.__aenter__()
            try:
                yield world
            finally:
                await opening.__aexit__(None, None, None)

    async with one(True) as batched, one(False) as unbatched:
        yield batched, unbatched


async def rows(world: Any, table: str) -> list[dict[str, Any]]:
    """All of a table, as plain values in a fixed order; JSON columns decoded."""
    found = await world.db(lambda conn: [dict(row) for row in conn.execute(text(f"SELECT * FROM {table}")).mappings()])
    for row in found:
        for name in NOT_COMPARED.get(table, ()):
            del row[name]
        if "payload" in row:
            row["payload"] = json.loads(row["payload"])
    if table == "ledger":  # numbers are drawn in blocks: compared is which entries are of one transaction
        numbers: dict[int, int] = {}
        for row in sorted(found, key=lambda row: int(row["id"])):
            row["txn_id"] = numbers.setdefault(row["txn_id"], len(numbers))
    if table == "outbox":
        found = [row for row in found if row["topic"] != "tickets" or row["name"] == "queued"]
    return sorted(found, key=lambda row: json.dumps(row, sort_keys=True, default=str))


async def play(worlds: tuple[Any, Any], tables: tuple[str, ...], script: Callable[[Any], Any]) -> list[Any]:
    """Play the script in both worlds; the answers and all rows must be alike. Returns the answers."""
    said = [await script(world) for world in worlds]
    for batched, unbatched in zip(*said, strict=True):
        assert (batched.status_code, batched.json()) == (unbatched.status_code, unbatched.json())
        assert batched.headers.get("Idempotent-Replayed") == unbatched.headers.get("Idempotent-Replayed")
    for table in tables:
        assert await rows(worlds[0], table) == await rows(worlds[1], table), table
    return list(said[0])
