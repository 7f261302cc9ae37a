"""The arrival engine: an open workload, started at the intended times whatever the platform does.

Decides when each intent is started and how late that was. Leaves what an intent does to `journey`. One greenlet sleeps
from intent to intent and spawns a greenlet for each, so a slow answer never delays the next arrival; lateness is the
generator's own fault and is reported apart from the platform's latency.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import gevent
from gevent.pool import Pool

SPIN_S = 0.002
"""The last two milliseconds before an arrival are waited out in yields: timers of the loop are coarser than that."""


class ArrivalEngine:
    """Starts `journey(index)` at `epoch + times_s[index]` for each index, in order."""

    def __init__(self, epoch: float, times_s: Sequence[float], journey: Callable[[int], None]) -> None:
        self._epoch = epoch
        self._times_s = times_s
        self._journey = journey
        self._pool = Pool()
        self.started = 0
        self.stopped = False

    def run(self) -> None:
        """Start all journeys at their times and wait until the last has ended (or `stop` was called)."""
        for index, at_s in enumerate(self._times_s):
            self._sleep_until(self._epoch + at_s)
            if self.stopped:
                break
            self._pool.spawn(self._journey, index)
            self.started += 1
        self._pool.join()

    def stop(self) -> None:
        """Start no more journeys; those under way end by themselves."""
        self.stopped = True

    def _sleep_until(self, wall: float) -> None:
        while not self.stopped:
            left = wall - time.time()
            if left <= 0.0:
                return
            gevent.sleep(min(left - SPIN_S, 0.25) if left > SPIN_S else 0.0)
