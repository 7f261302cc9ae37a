"""Servers: a first-come-first-served queue of equal servers whose service times are known on arrival.

Decides when a job begins and ends. Because a job's service time is known when it arrives and nobody overtakes, its
begin is known at once: the earliest instant at which a server is free. So a job costs its caller one event, not three,
and a waiting line needs no storage. What is served, and what happens at the end, is left to the caller.
"""

from __future__ import annotations

from collections import deque
from heapq import heapreplace


class Servers:
    """`count` servers. Times are seconds on the caller's clock and must not go back."""

    __slots__ = ("_begins", "_busy_s", "_ends", "_free_at", "count", "max_queue")

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"a queue needs at least one server, not {count}")
        self.count = count
        self.max_queue = 0
        """Most jobs that ever waited at once."""
        self._free_at = [float("-inf")] * count
        self._begins: deque[float] = deque()  # of jobs that have not begun
        self._ends: deque[tuple[float, float]] = deque()  # (begin, end) of jobs that have begun or will
        self._busy_s = 0.0  # of jobs that left _ends

    def book(self, now: float, service_s: float) -> float:
        """Add a job that takes `service_s`; returns the instant it begins (it ends `service_s` later).

        One server, jobs of 3 s arriving at 0 and 1: they begin at 0 and 3.
        """
        free_at = self._free_at[0]
        begin = now if now > free_at else free_at
        heapreplace(self._free_at, begin + service_s)
        if begin > now:
            begins = self._begins
            while begins and begins[0] <= now:
                begins.popleft()
            begins.append(begin)
            if len(begins) > self.max_queue:
                self.max_queue = len(begins)
        self._busy_s += service_s
        self._ends.append((begin, begin + service_s))
        while self._ends[0][1] <= now < begin + service_s:
            self._ends.popleft()
        return begin

    def waiting(self, now: float) -> int:
        """Jobs that have arrived and not begun."""
        begins = self._begins
        while begins and begins[0] <= now:
            begins.popleft()
        return len(begins)

    def busy(self, now: float) -> int:
        """Servers at work."""
        return sum(free_at > now for free_at in self._free_at)

    def busy_s(self, now: float) -> float:
        """Server-seconds worked so far."""
        ahead = sum(end - max(begin, now) for begin, end in self._ends if end > now)
        return self._busy_s - ahead
