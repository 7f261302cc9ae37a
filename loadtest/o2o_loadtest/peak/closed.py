"""The closed loop: each of C connections sends its next order when it has the answer to the last one. For capacity.

Decides that the first `warmup_s` seconds are not counted, and that latency counts from sent to answered (a closed loop
has no intended times, so its latencies say little about users).
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Callable

from o2o_loadtest.peak.figures import Figures, figures
from o2o_loadtest.peak.http import Pool
from o2o_loadtest.peak.orders import Orders

AFTER_FAILURE_S = 0.05
"""A connection that got no answer, or was told to come later, waits so long: else it would only count refusals."""


class ClosedLoop:
    """Runs once; `placed` grows meanwhile."""

    def __init__(self, pool: Pool, orders: Orders, *, connections: int, seconds: float, warmup_s: float) -> None:
        self._pool = pool
        self._orders = orders
        self._connections = connections
        self._seconds = seconds
        self._warmup_s = warmup_s
        self._latencies = array("d")
        self._statuses: Counter[int] = Counter()
        self._running = 0
        self._begins = self._ends = 0.0
        self._over = asyncio.Event()
        self.placed = 0
        self.paid = 0

    async def run(self) -> Figures:
        """Until the seconds are over and the last answer is there. Raises OSError without a server."""
        await self._pool.open(self._connections)
        epoch, cpu = time.time(), time.process_time()
        now = time.perf_counter()
        self._begins, self._ends = now + self._warmup_s, now + self._warmup_s + self._seconds
        self._running = self._connections
        for _ in range(self._connections):
            self._next()
        await self._over.wait()
        all_sent = sum(self._statuses.values())
        cpu_s = time.process_time() - cpu
        share = self._seconds / (self._seconds + self._warmup_s)
        return figures(
            "closed",
            self._seconds,
            self._statuses,
            self._latencies,
            cpu_s=cpu_s * share if all_sent else 0.0,
            epoch=epoch,
        )

    def stop(self) -> None:
        """Send nothing more; what is under way is waited for."""
        self._ends = 0.0

    def _next(self) -> None:
        if time.perf_counter() >= self._ends:
            self._running -= 1
            if not self._running:
                self._over.set()
            return
        self._pool.ask(self._orders.next().request, self._answered(time.perf_counter()))

    def _answered(self, sent: float) -> Callable[[int, bytes], None]:
        def done(status: int, body: bytes) -> None:
            now = time.perf_counter()
            if status == 201:
                self.placed += 1
            if self._begins <= now < self._ends:
                self._statuses[status] += 1
                if status == 201:
                    self._latencies.append(now - sent)
            if status == 0 or status >= 429:
                asyncio.get_running_loop().call_later(AFTER_FAILURE_S, self._next)
            else:
                self._next()

        return done
