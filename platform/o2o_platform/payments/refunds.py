"""Asking the provider for the money back: after the commit that owes it, until the provider has confirmed.

Decides that a refund is asked for again and again (the provider knows it by the payment's id, so twice is once), and
that what an ended process still owed is asked for at the next start.
"""

from __future__ import annotations

import asyncio
import logging

import httpx
import msgspec

from o2o_platform.kit.context import Context
from o2o_platform.payments import repository
from o2o_platform.payments.settle import TOPIC
from o2o_platform.payments.signing import HEADER, sign

log = logging.getLogger("o2o.platform.payments")

BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0
AT_ONCE = 16
"""Refunds asked for at the same time."""


class Refunds:
    """The task that pays back. `transport` replaces the network in tests."""

    def __init__(self, ctx: Context, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._ctx = ctx
        self._transport = transport
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Settle what is owed from before, then everything that comes, for ever."""
        ctx = self._ctx
        async with httpx.AsyncClient(transport=self._transport, timeout=10.0) as client, asyncio.TaskGroup() as group:
            cursor = ctx.stream.last_id
            for payment_id, fen in await ctx.db.read(repository.refunds_owed):
                group.create_task(self._settle(client, payment_id, fen))
            async for event in ctx.stream.subscribe((TOPIC,), cursor):
                if event.name == "refund_wanted":
                    group.create_task(self._settle(client, event.payload["payment_id"], event.payload["fen"]))

    async def _settle(self, client: httpx.AsyncClient, payment_id: int, fen: int) -> None:
        pause = BACKOFF_S
        while not await self._ask(client, payment_id, fen):
            await self._ctx.clock.sleep(pause)
            pause = min(pause * 2, MAX_BACKOFF_S)
        now = self._ctx.clock.now()
        await self._ctx.db.write(lambda conn: repository.change(conn, payment_id, refund_done=now))

    async def _ask(self, client: httpx.AsyncClient, payment_id: int, fen: int) -> bool:
        settings = self._ctx.settings
        body = msgspec.json.encode({"payment_id": payment_id, "amount_fen": fen})
        headers = {HEADER: sign(settings.provider_secret, body), "Content-Type": "application/json"}
        url = f"{settings.provider_url.rstrip('/')}/refunds"
        try:
            async with self._gate:
                answer = await client.post(url, content=body, headers=headers)
        except httpx.HTTPError as exc:
            log.warning("refund of payment %s: %s", payment_id, exc or type(exc).__name__)
            return False
        if answer.status_code not in (200, 201, 202):
            log.warning("refund of payment %s: the provider answers %s", payment_id, answer.status_code)
            return False
        return True
