"""Telling another service something, thousands of times: POST, a status, and no more.

Decides how long to wait for it. The connections are `exchange`'s; what is told must be told safely twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from o2o_platform.kit.exchange import Exchange

MAX_IDLE = 64
"""Connections kept open while nobody uses them."""


class Callbacks:
    """POSTs to one URL."""

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        self._exchange = Exchange(url, max_idle=MAX_IDLE)
        self._timeout_s = timeout_s

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer. Raises OSError (TimeoutError is one) if there is none."""
        async with asyncio.timeout(self._timeout_s):
            return (await self._exchange.post(body, headers))[0]

    async def close(self) -> None:
        """Hang up everywhere."""
        self._exchange.close()
