"""The provider's callbacks: signed, told again with a growing pause until the platform has answered 2xx.

Decides which messages a charge is told by (one, several, a stale refusal after it, none), that a platform which does
not answer is told at its next address, and how many are under way at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from o2o_platform.kit.clock import Clock
from o2o_platform.payments.sandbox.books import Books, Charge
from o2o_platform.payments.signing import HEADER, sign

log = logging.getLogger("o2o.sandbox")

BACKOFF_S = 0.5
MAX_BACKOFF_S = 30.0
MAX_CALLS = 20
"""A callback that failed this often is given up; the statement still tells."""
AT_ONCE = 64

Post = Callable[[bytes, dict[str, str]], Awaitable[int]]
"""Tells the platform: fn(body, headers) -> status; OSError without an answer."""


class Telling:
    """Tells the platform of charges. `posts`: one for each of the platform's addresses."""

    def __init__(self, books: Books, secret: str, clock: Clock, posts: Sequence[Post]) -> None:
        self._books = books
        self._secret = secret
        self._clock = clock
        self._posts = posts
        self._turn = 0
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def tell(self, charge: Charge) -> None:
        """Everything that there is to tell of a charge that is confirmed."""
        how, now = charge.how, self._clock.now()
        if how.silent:
            return
        if how.callback_s and charge.confirmed is not None and (wait_s := charge.confirmed + how.callback_s - now) > 0:
            await self._clock.sleep(wait_s)
        told_fen = charge.amount_fen if charge.state == "refused" else charge.taken_fen
        message = self._message(charge, charge.state, told_fen if how.told_fen is None else how.told_fen)
        for _ in range(1 + how.duplicates):
            await self._until_heard(charge, message)
        if how.stale_refusal:
            await self._until_heard(charge, self._message(charge, "refused", charge.amount_fen))

    @staticmethod
    def _message(charge: Charge, outcome: str, fen: int) -> bytes:
        told = {"payment_id": charge.payment_id, "outcome": outcome, "amount_fen": fen, "confirmed": charge.confirmed}
        return msgspec.json.encode(told)

    async def _until_heard(self, charge: Charge, message: bytes) -> None:
        headers = {HEADER: sign(self._secret, message), "Content-Type": "application/json"}
        pause = BACKOFF_S
        for _ in range(MAX_CALLS):
            while (down_s := self._books.standing.down_for(self._clock.now())) > 0.0:
                await self._clock.sleep(down_s)
            if await self._heard(charge, message, headers):
                charge.callbacks += 1
                self._books.note(charge)
                return
            await self._clock.sleep(pause)
            pause = min(pause * 2, MAX_BACKOFF_S)

    async def _heard(self, charge: Charge, message: bytes, headers: dict[str, str]) -> bool:
        post = self._posts[self._turn % len(self._posts)]
        try:
            async with self._gate:
                status = await post(message, headers)
        except OSError as exc:
            log.warning("callback of payment %s: %s", charge.payment_id, exc or type(exc).__name__)
        else:
            if 200 <= status < 300:
                return True
            log.warning("callback of payment %s: the platform answers %s", charge.payment_id, status)
        self._turn += 1  # the next address has its turn
        return False
