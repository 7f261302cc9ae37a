"""The calibration loop: a fixed piece of work whose time says how fast this machine is right now.

Decides the loop and how it is timed: in CPU seconds of this process, as the benchmarks are, so that neighbours on the
machine disturb neither much. A benchmark divided by it compares across machines and moments much better than seconds
do. The loop must never change: every baseline is a multiple of it.
"""

from __future__ import annotations

import time

import numpy as np

ROUNDS = 9


def loop() -> int:
    """About 4 ms on a machine of 2020: attribute, dict, string and float work in Python, then sorts and products."""
    total = 0
    counts: dict[str, int] = {}
    for number in range(12_000):
        key = f"k{number & 255}"
        counts[key] = counts.get(key, 0) + number
        total += (number * 2_654_435_761) & 0xFFFF
    for key in sorted(counts):
        total ^= counts[key] + len(key)
    values = np.arange(40_000, dtype=np.float64)
    values = np.sort((values * 7919.0) % 40_009.0)
    matrix = values[:14_400].reshape(120, 120)
    return total + int((matrix @ matrix).sum() % 1000.0)


def calibrate(rounds: int = ROUNDS) -> float:
    """CPU seconds of the fastest of `rounds` loops: the fastest is the one that was disturbed least."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        loop()
        best = min(best, time.process_time() - began)
    return best
