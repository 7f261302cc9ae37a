"""The SimPy environment on the wall clock, stepped from an asyncio loop.

Decides how simulated time follows the wall: `now` is run seconds since the run's epoch, events are processed when the
wall reaches them, and whatever arrives from outside (an HTTP reply, a message of a feed, paper out of a printer) enters
at the wall's present, never in the past. SimPy's own `rt.RealtimeEnvironment` sleeps between events and would block the
loop, so it is the pattern and not the base.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from simpy import Environment, Event

STEPS_AT_ONCE = 200
"""Events processed before the loop gets its turn, so that sockets are served during a burst."""
LONGEST_SLEEP_S = 0.5
WARM_UP_S = -1.0
"""Run seconds at which the clock stands before the start."""


class RealtimeEnvironment(Environment):
    """An Environment whose clock is the wall's once `start` has said when run second 0 is.

    Until then it stands at WARM_UP_S: what needs no time (log-ins, replies) goes on, what does waits for the run.
    """

    def __init__(self, *, wall: Callable[[], float] = time.time) -> None:
        self._epoch: float | None = None
        self._wall = wall
        super().__init__(initial_time=WARM_UP_S)
        self._woken = asyncio.Event()
        self.worst_lag_s = 0.0
        """How far behind the wall an event was processed at worst: the actors' own lateness."""

    def start(self, epoch: float) -> None:
        """From now on the clock is the wall's; `epoch` is the unix time of run second 0, and may lie a little ahead."""
        self._epoch = epoch
        self._woken.set()

    @property
    def started(self) -> bool:
        """Whether the clock follows the wall."""
        return self._epoch is not None

    def wall_now(self) -> float:
        """Run seconds on the wall clock."""
        return WARM_UP_S if self._epoch is None else self._wall() - self._epoch

    def enter(self, event: Event, value: Any = None) -> None:
        """Trigger an event from outside, at the wall's present."""
        self.catch_up(self.wall_now())
        event.succeed(value)
        self._woken.set()

    def act(self, action: Callable[[], Any]) -> None:
        """Run something that schedules events (e.g. a put into a Store) from outside, at the wall's present."""
        self.catch_up(self.wall_now())
        action()
        self._woken.set()

    def catch_up(self, now: float, *, most: int | None = None) -> bool:
        """Process what is due by `now` and move the clock there; False when `most` events were not enough."""
        done = 0
        while self.peek() <= now:
            if most is not None and done >= most:
                return False
            self.worst_lag_s = max(self.worst_lag_s, now - self.peek())
            self.step()
            done += 1
        self._now = max(self._now, now)
        return True

    async def play(self, stop: Callable[[], bool]) -> None:
        """Follow the wall until `stop()` says so; asked at least twice a second."""
        while not stop():
            self._woken.clear()
            if not self.catch_up(self.wall_now(), most=STEPS_AT_ONCE):
                await asyncio.sleep(0)
                continue
            due_s = LONGEST_SLEEP_S if self._epoch is None else self.peek() - self.wall_now()
            wait = min(max(due_s, 0.0), LONGEST_SLEEP_S)
            try:
                async with asyncio.timeout(wait):
                    await self._woken.wait()
            except TimeoutError:
                pass
