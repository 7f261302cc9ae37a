"""Shoppers: so many orders placed and paid over HTTP, as fast as it goes, each asked for again until it is answered.

Decides how many are at it at once, and what is kept of each: the rows that `o2o_loadtest.peak` keeps of its users.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec

from o2o_loadtest.peak.http import Pool
from o2o_loadtest.peak.orders import Orders, pay_link
from o2o_loadtest.peak.world import World

PAUSES_S = (0.05, 0.2, 0.5, 1.0)
"""Before a request is made again; the last one stands for all further ones."""
PATIENCE_S = 60.0
TIMEOUT_S = 15.0

Row = dict[str, Any]


class Shoppers:
    """Places and pays `count` orders, `at_once` of them at a time. Rows are in `users` and `requests` afterwards."""

    def __init__(self, world: World, *, count: int, at_once: int, seed: int, prefix: str) -> None:
        self._platform = Pool(world.targets[0], limit=at_once, timeout_s=TIMEOUT_S)
        self._providers: dict[str, Pool] = {}
        self._orders = Orders(world, seed=seed, prefix=prefix)
        self._count = count
        self._at_once = at_once
        self._zero = 0.0
        self.epoch = 0.0
        """Unix time of second 0."""
        self.users: list[Row] = []
        self.requests: list[Row] = []
        self.paid = 0

    async def run(self, progress: Callable[[float], None]) -> float:
        """Until all are served; seconds it took. Raises OSError without a server."""
        await self._platform.open(self._at_once)
        self.epoch, self._zero = time.time(), time.perf_counter()
        numbers = iter(range(self._count))

        async def one_after_the_other() -> None:
            for number in numbers:
                await self._shop(number)
                progress(len(self.users) / self._count)

        try:
            await asyncio.gather(*(one_after_the_other() for _ in range(self._at_once)))
        finally:
            for pool in (self._platform, *self._providers.values()):
                pool.close()
        return self._now()

    async def _shop(self, number: int) -> None:
        order = self._orders.next()
        sent = self._now()
        row: Row = {
            "n": number,
            "key": order.key,
            "user_id": order.user_id,
            "merchant_id": order.merchant_id,
            "intended": sent,
            "sent": sent,
            "outcome": "lost",
            "answer": None,
            "paid": None,
        }
        self.users.append(row)
        status, answer = await self._until_answered(self._platform, order.request, number, "POST /orders")
        if not status:
            return
        row["outcome"] = "placed" if status == 201 else "refused"
        row["answer"] = msgspec.json.decode(answer)
        link = pay_link(answer) if status == 201 else None
        if link is None:
            return
        provider = self._providers.get(link[0])
        if provider is None:
            provider = self._providers[link[0]] = Pool(link[0], limit=self._at_once, timeout_s=TIMEOUT_S)
        status, _ = await self._until_answered(provider, link[1], number, "POST /pay/{id}")
        if 200 <= status < 300:
            row["paid"] = self._now()
            self.paid += 1

    async def _until_answered(self, pool: Pool, request: bytes, number: int, name: str) -> tuple[int, bytes]:
        """(status, body); status 0: patience is at an end."""
        began, tries = self._now(), 0
        while True:
            sent = self._now()
            status, body = await _asked(pool, request)
            self._note(number, name, sent, status)
            if 200 <= status < 500 and status != 429:
                return status, body
            pause = PAUSES_S[min(tries, len(PAUSES_S) - 1)]
            tries += 1
            if self._now() + pause - began > PATIENCE_S:
                return 0, b""
            await asyncio.sleep(pause)

    def _note(self, number: int, name: str, sent: float, status: int) -> None:
        ok = 200 <= status < 300
        self.requests.append(
            {
                "order_id": number,
                "actor": "user",
                "name": name,
                "intended": sent,
                "sent": sent,
                "ended": self._now() if status else None,
                "status": status,
                "ok": ok,
                "error": None if ok else str(status),
            }
        )

    def _now(self) -> float:
        return time.perf_counter() - self._zero


def _asked(pool: Pool, request: bytes) -> asyncio.Future[tuple[int, bytes]]:
    answer: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()

    def done(status: int, body: bytes) -> None:
        if not answer.done():
            answer.set_result((status, body))

    pool.ask(request, done)
    return answer
