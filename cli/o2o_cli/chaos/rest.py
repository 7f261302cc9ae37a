"""When a platform that was hurt has healed: nothing is on its way any more, and all sides have heard of each other.

Decides what is looked at, in the platform's own tables, its streams and the provider's statement, and that it must hold
twice in a row. What is then wrong stays wrong: finding that is the audit's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import redis.asyncio as redis_client
from redis.exceptions import RedisError

from o2o_loadtest.errors import TargetError
from o2o_loadtest.peak.gather import read_statement

PAUSE_S = 0.5
TWICE = 2
OPEN = "('queued', 'offered', 'claimed')"
_COUNTS = f"""
SELECT (SELECT count(*) FROM tickets WHERE state IN {OPEN}) AS tickets_open,
       (SELECT count(*) FROM orders o WHERE o.state = 'paid'
           AND NOT EXISTS (SELECT 1 FROM tickets t WHERE t.order_id = o.id)) AS paid_without_ticket,
       (SELECT count(*) FROM orders WHERE state = 'pending_payment') AS orders_unpaid,
       (SELECT count(*) FROM payments WHERE refund_wanted IS NOT NULL AND refund_done IS NULL) AS refunds_owed
"""


@dataclass(frozen=True)
class Rest:
    """Where to look."""

    database_url: str
    redis_url: str
    redis_prefix: str
    provider_url: str
    all_ready: Callable[[], bool]

    async def unrest(self) -> dict[str, int]:
        """What is still on its way, by name; nothing: at rest. A side that does not answer counts as 1."""
        found = {} if self.all_ready() else {"processes_down": 1}
        for ask in (self._database, self._streams):
            found.update(await _or(ask, ask.__name__.strip("_") + "_away"))
        return {name: count for name, count in found.items() if count}

    async def _database(self) -> dict[str, int]:
        conn: Any = await asyncpg.connect(self.database_url, timeout=5.0)
        try:
            counts = dict(await conn.fetchrow(_COUNTS))
            states = dict(await conn.fetch("SELECT id, state FROM payments"))
        finally:
            await conn.close()
        charges = await asyncio.to_thread(read_statement, self.provider_url)
        counts["payments_apart"] = sum(
            1
            for charge in charges
            if charge["charged_fen"] > charge["refunded_fen"] and states.get(charge["payment_id"]) not in _PAID
        )
        counts["charges_pending"] = sum(1 for charge in charges if charge["state"] == "pending")
        return counts

    async def _streams(self) -> dict[str, int]:
        """Entries that a group has not read, or read and not acknowledged."""
        client = redis_client.Redis.from_url(self.redis_url, socket_timeout=5.0)
        try:
            behind = pending = 0
            async for key in client.scan_iter(f"{self.redis_prefix}*", _type="stream"):
                for group in await client.xinfo_groups(key):
                    behind += int(group.get("lag") or 0)
                    pending += int(group["pending"])
            return {"stream_unread": behind, "stream_unacknowledged": pending}
        finally:
            await client.aclose()


_PAID = ("paid", "refunded", "part_refunded")


async def _or(ask: Callable[[], Awaitable[dict[str, int]]], name: str) -> dict[str, int]:
    try:
        return await ask()
    except (OSError, asyncpg.PostgresError, RedisError, TargetError):
        return {name: 1}


async def until_rest(
    rest: Rest, *, limit_s: float, progress: Callable[[dict[str, int]], None] = lambda unrest: None
) -> tuple[float, dict[str, int]]:
    """Wait; (seconds that it took, what is still on its way when the limit was reached)."""
    began, calm = time.monotonic(), 0
    while True:
        unrest = await rest.unrest()
        calm = 0 if unrest else calm + 1
        progress(unrest)
        took = time.monotonic() - began
        if calm >= TWICE or took > limit_s:
            return took, unrest
        await asyncio.sleep(PAUSE_S)
