"""Deadlines: things that must have happened a fixed time after they began, watched without an event each.

Decides when a deadline is looked at. Because all things of one kind wait equally long, they fall due in the order in
which they began; so one process sleeps until the oldest that is still open, and those settled in time cost no event.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from simpy import Environment, Event

T = TypeVar("T")


class Deadlines(Generic[T]):
    """Calls `overdue(thing)` when `after_s` have passed since `watch(thing)` and `is_open(thing)` still holds."""

    def __init__(
        self, env: Environment, after_s: float, *, is_open: Callable[[T], bool], overdue: Callable[[T], None]
    ) -> None:
        self._env = env
        self._after_s = after_s
        self._is_open = is_open
        self._overdue = overdue
        self._due: deque[tuple[float, T]] = deque()
        self._asleep = False

    def watch(self, thing: T) -> None:
        """Start the clock of `thing` now."""
        self._due.append((self._env.now + self._after_s, thing))
        if not self._asleep:
            self._sleep()

    def _sleep(self) -> None:
        self._asleep = True
        delay = max(self._due[0][0] - self._env.now, 0.0)
        self._env.timeout(delay).callbacks.append(self._wake)

    def _wake(self, _: Event) -> None:
        self._asleep = False
        due = self._due
        while due and (due[0][0] <= self._env.now or not self._is_open(due[0][1])):
            _at, thing = due.popleft()
            if self._is_open(thing):
                self._overdue(thing)
        if due and not self._asleep:
            self._sleep()
