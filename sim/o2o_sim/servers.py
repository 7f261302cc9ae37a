"""Servers: a first-come-first-served queue of equal servers whose service times are known on arrival.

Decides when a job begins and ends. Because a job's service time is known when it arrives and nobody overtakes, its
begin is known at once: the earliest instant at which a server is free. So a job costs its caller one event, not three,
and what waited and worked at any instant can be told afterwards from the jobs' times. What is served, and what happens
at the end, is left to the caller.
"""

from __future__ import annotations

from array import array
from heapq import heapreplace

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Servers:
    """`count` servers. Times are seconds on the caller's clock and must not go back."""

    __slots__ = ("_arrived", "_began", "_ended", "_free_at", "count")

    def __init__(self, count: int) -> None:
        if count < 1:
            raise ValueError(f"a queue needs at least one server, not {count}")
        self.count = count
        self._free_at = [float("-inf")] * count
        self._arrived, self._began, self._ended = array("d"), array("d"), array("d")

    def book(self, now: float, service_s: float) -> float:
        """Add a job that takes `service_s`; returns the instant it begins (it ends `service_s` later).

        One server, jobs of 3 s arriving at 0 and 1: they begin at 0 and 3.
        """
        free_at = self._free_at[0]
        begin = now if now > free_at else free_at
        end = begin + service_s
        heapreplace(self._free_at, end)
        self._arrived.append(now)
        self._began.append(begin)
        self._ended.append(end)
        return begin

    def times(self) -> tuple[Floats, Floats, Floats]:
        """(arrived, began, ended) of all jobs booked so far, in order of arrival; some lie in the future."""
        return np.array(self._arrived), np.array(self._began), np.array(self._ended)

    def busy_s(self, now: float) -> float:
        """Server-seconds worked so far."""
        _, began, ended = self.times()
        return float(np.maximum(np.minimum(ended, now) - began, 0.0).sum())

    def max_queue(self, now: float) -> int:
        """Most jobs that ever waited at once: arrived and not begun."""
        arrived, began, _ = self.times()
        late = (began > arrived) & (arrived <= now)
        if not late.any():
            return 0
        moments = np.concatenate((arrived[late], began[late]))
        changes = np.repeat((1, -1), int(late.sum()))
        return int(np.cumsum(changes[np.lexsort((changes, moments))]).max())  # at one instant, first who leaves
