"""The open loop: orders at their intended times, whatever the platform does; a user retries, then pays.

Decides the schedule (exponential gaps from a seed: users do not know of each other), that latency counts from the
intended time to the answer that the user takes home, and how lateness of the generator itself is told apart.
"""

from __future__ import annotations

import asyncio
import time
from array import array
from collections import Counter
from collections.abc import Sequence

import numpy as np

from o2o_loadtest.peak.figures import Figures, figures
from o2o_loadtest.peak.http import Pool
from o2o_loadtest.peak.journey import Journey, Log, Shopping
from o2o_loadtest.peak.orders import Orders

TICK_S = 0.001
"""Timers are no finer; whatever has come due is sent together."""
FINISH_S = 30.0
"""Answers that are still out are waited for so long after the last arrival, and those who retry as long as they do."""


def schedule(rate: float, seconds: float, seed: int) -> list[float]:
    """Intended times in seconds: `rate` a second on average, exactly round(rate x seconds) of them."""
    count = round(rate * seconds)
    gaps = np.random.default_rng(seed).exponential(1.0, count + 1)
    times = np.cumsum(gaps)
    return [float(at) for at in times[:-1] * (seconds / times[-1])] if count else []


class OpenLoop:
    """Runs once; `placed` grows meanwhile. `times_s` begin with `warmup_s` seconds that are not counted."""

    def __init__(
        self,
        pools: Sequence[Pool],
        orders: Orders,
        times_s: Sequence[float],
        *,
        seconds: float,
        connections: int,
        warmup_s: float = 0.0,
        pay: bool = False,
        give_up_s: float = 0.0,
        log: Log | None = None,
    ) -> None:
        self._pools = pools
        self._orders = orders
        self._times_s = times_s
        self._seconds = seconds
        self._warmup_s = warmup_s
        self._connections = connections
        self._finish_s = FINISH_S + give_up_s
        self._latencies = array("d")
        self._late = array("d")
        self._statuses: Counter[int] = Counter()
        self._over = asyncio.Event()
        self._stopped = False
        self._next = self._left = 0
        self._shopping = Shopping(pools, self._done, pay=pay, give_up_s=give_up_s, log=log)
        self._shopping.all_paid = self._look
        self.placed = 0

    @property
    def paid(self) -> int:
        """Payments that the provider took."""
        return self._shopping.paid

    async def run(self) -> Figures:
        """Until the last user went home. Raises OSError without a server."""
        for pool in self._pools:
            await pool.open(min(self._connections, 16))
        epoch, cpu = time.time(), time.process_time()
        self._shopping.begin(epoch)
        self._left = len(self._times_s)
        if self._left:
            self._tick()
            for _ in range(int(self._warmup_s + self._seconds + self._finish_s) + 1):
                try:
                    await asyncio.wait_for(self._over.wait(), 1.0)
                    break
                except TimeoutError:
                    continue
        return figures(
            "open",
            self._seconds,
            self._statuses,
            self._latencies,
            self._late,
            cpu_s=time.process_time() - cpu,
            epoch=epoch,
            paid=self.paid,
        )

    def stop(self) -> None:
        """Send nothing new; users who are at it are waited for."""
        self._stopped = True

    def _tick(self) -> None:
        now = self._shopping.now()
        while self._next < len(self._times_s) and not self._stopped:
            intended = self._times_s[self._next]
            if intended > now:
                wait = max(intended - now, TICK_S)
                asyncio.get_running_loop().call_later(wait, self._tick)
                return
            Journey(self._shopping, self._next, self._orders.next(), intended).begin()
            if intended >= self._warmup_s:
                self._late.append(now - intended)
            self._next += 1
            now = self._shopping.now()
        self._left -= len(self._times_s) - self._next  # not sent
        self._look()

    def _done(self, journey: Journey) -> None:
        counts = journey.intended >= self._warmup_s
        if counts:
            self._statuses[journey.status] += 1
        if journey.status == 201:
            self.placed += 1
            if counts:
                self._latencies.append(journey.answered - journey.intended)
        self._left -= 1
        self._look()

    def _look(self) -> None:
        """Is the last user home?"""
        all_sent = self._stopped or self._next == len(self._times_s)
        if not self._left and all_sent and not self._shopping.paying:
            self._over.set()
