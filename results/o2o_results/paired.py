"""Paired comparison of variants that met the same chance: differences per replication, with t confidence intervals.

Decides what may be said: a difference is "shown" only if its interval excludes 0, otherwise the words are "no
difference shown". Replication i of two variants shares its seed (common random numbers), so that their difference has
less spread than either; the differences of different replications are independent, which is what Student's t needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import stdtr, stdtrit  # Student's t as scipy.stats has it, without its import time

from o2o_results.errors import ResultsError


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of n values with its two-sided t interval. With n < 2 or a NaN the bounds are NaN."""

    n: int
    mean: float
    low: float
    high: float

    @property
    def half_width(self) -> float:
        """Half of the interval's width."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Mean of b - a over replications, with its confidence interval and p-value (two-sided paired t-test)."""

    interval: Interval
    p_value: float
    confidence: float

    @property
    def shown(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval.low > 0 or self.interval.high < 0

    @property
    def direction(self) -> Literal["higher", "lower", "none"]:
        """Of b against a; `none` when no difference is shown."""
        if not self.shown:
            return "none"
        return "higher" if self.interval.mean > 0 else "lower"

    def words(self, digits: int = 2) -> str:
        """`+3.20 (2.10 to 4.30)`, or `no difference shown (-0.40 to 0.90)`."""
        low, high = f"{self.interval.low:.{digits}f}", f"{self.interval.high:.{digits}f}"
        if math.isnan(self.interval.low):
            return "not measured" if math.isnan(self.interval.mean) else "no interval: too few replications"
        if not self.shown:
            return f"no difference shown ({low} to {high})"
        return f"{self.interval.mean:+.{digits}f} ({low} to {high})"


def mean_interval(values: Sequence[float], *, confidence: float = 0.95) -> Interval:
    """Mean and t interval. Of [1, 2, 3] at 0.95: 2 with (-0.484, 4.484)."""
    array = np.asarray(values, dtype=np.float64)
    count = len(array)
    mean = float(array.mean()) if count else math.nan
    if count < 2 or not np.isfinite(array).all():
        return Interval(count, mean, math.nan, math.nan)
    half = float(stdtrit(count - 1, 0.5 + confidence / 2) * array.std(ddof=1) / math.sqrt(count))
    return Interval(count, mean, mean - half, mean + half)


def paired(a: Sequence[float], b: Sequence[float], *, confidence: float = 0.95) -> PairedDifference:
    """b - a, pair by pair. Raises ResultsError when they differ in length.

    When all differences are equal the interval has no width: equal runs show no difference, and a constant shift one.
    """
    if len(a) != len(b):
        raise ResultsError(f"paired comparison needs as many replications on both sides, not {len(a)} and {len(b)}")
    differences = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    interval = mean_interval([float(d) for d in differences], confidence=confidence)
    if math.isnan(interval.low):
        return PairedDifference(interval, math.nan, confidence)
    spread = float(differences.std(ddof=1))
    if spread == 0.0:
        return PairedDifference(interval, 1.0 if interval.mean == 0 else 0.0, confidence)
    t = interval.mean / (spread / math.sqrt(interval.n))
    return PairedDifference(interval, float(2 * stdtr(interval.n - 1, -abs(t))), confidence)


def replications_needed(differences: Sequence[float], *, half_width: float, confidence: float = 0.95) -> int:
    """How many replications the interval of these differences would need to be within +-half_width (at least 2)."""
    array = np.asarray(differences, dtype=np.float64)
    if len(array) < 2 or half_width <= 0:
        raise ResultsError("an estimate of replications needs two differences and a positive half width")
    spread = float(array.std(ddof=1))
    count = 2
    while stdtrit(count - 1, 0.5 + confidence / 2) * spread / math.sqrt(count) > half_width and count < 100_000:
        count = count + 1 if count < 100 else int(count * 1.1)
    return count
