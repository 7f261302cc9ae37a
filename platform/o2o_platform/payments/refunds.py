"""Asking the provider for the money back: after the commit that owes it, until the provider has confirmed.

Decides that a refund is asked for again and again (the provider knows it by its id, so twice is once), and that what
an ended process still owed is asked for at the next start.
"""

from __future__ import annotations

import asyncio
import logging

import httpx
import msgspec

from o2o_platform.kit.context import Context
from o2o_platform.payments import owed
from o2o_platform.payments.owed import TOPIC
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
        self._under_way: set[int] = set()

    async def run(self) -> None:
        """Settle what is owed from before, then everything that comes, for ever."""
        ctx = self._ctx
        self._under_way.clear()
        async with httpx.AsyncClient(transport=self._transport, timeout=10.0) as client, asyncio.TaskGroup() as group:

            def begin(refund_id: int, payment_id: int, fen: int) -> None:
                if refund_id not in self._under_way:
                    self._under_way.add(refund_id)
                    group.create_task(self._settle(client, refund_id, payment_id, fen))

            cursor, last = ctx.stream.last_id, 0
            while page := await ctx.db.read(lambda conn, after=last: owed.still_owed(conn, after=after)):  # type: ignore[misc]
                for row in page:
                    begin(row.id, row.payment_id, row.fen)
                last = page[-1].id
            async for event in ctx.stream.subscribe((TOPIC,), cursor):
                if event.name == "refund_wanted":
                    told = event.payload
                    begin(told["refund_id"], told["payment_id"], told["fen"])

    async def _settle(self, client: httpx.AsyncClient, refund_id: int, payment_id: int, fen: int) -> None:
        pause = BACKOFF_S
        try:
            while not await self._ask(client, refund_id, payment_id, fen):
                await self._ctx.clock.sleep(pause)
                pause = min(pause * 2, MAX_BACKOFF_S)
            now = self._ctx.clock.now()
            await self._ctx.db.write(lambda conn: owed.confirm(conn, refund_id, now))
        finally:
            self._under_way.discard(refund_id)

    async def _ask(self, client: httpx.AsyncClient, refund_id: int, payment_id: int, fen: int) -> bool:
        settings = self._ctx.settings
        body = msgspec.json.encode({"refund_id": str(refund_id), "payment_id": payment_id, "amount_fen": fen})
        headers = {HEADER: sign(settings.provider_secret, body), "Content-Type": "application/json"}
        url = f"{settings.provider_url.rstrip('/')}/refunds"
        try:
            async with self._gate:
                answer = await client.post(url, content=body, headers=headers)
        except httpx.HTTPError as exc:
            log.warning("refund %s of payment %s: %s", refund_id, payment_id, exc or type(exc).__name__)
            return False
        if answer.status_code not in (200, 201, 202):
            log.warning("refund %s of payment %s: the provider answers %s", refund_id, payment_id, answer.status_code)
            return False
        return True
