"""When intents arrive: a Poisson process whose rate follows the daily curve, weather and holiday (S5).

Decides the rate over the window and draws the instants by exact inversion of its integral: unit-rate arrivals are
mapped through it, so that a higher rate moves every arrival earlier and adds some at the end, and the k-th intent of
two variants is the same one (common random numbers). Leaves who orders what to `choices`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from o2o_scenarios.schema import DemandSpec
from o2o_sim.city.model import Floats
from o2o_sim.errors import DemandError

_DAY_MIN = 1440.0
MAX_INTENTS = 20_000_000
"""More intents than this do not fit into the memory of one machine: an hour at 5,500 orders a second."""


@dataclass(frozen=True)
class RateCurve:
    """A rate that is linear on each piece: from `rate0` at `start_s` to `rate1` at `end_s`, per second; float64 [k]."""

    start_s: Floats
    end_s: Floats
    rate0: Floats
    rate1: Floats

    def total(self) -> float:
        """The integral over all pieces: the expected number of arrivals."""
        return float(self._areas().sum())

    def rate(self, at_s: Floats) -> Floats:
        """Rate per second at instants within the window."""
        piece = np.clip(np.searchsorted(self.start_s, at_s, side="right") - 1, 0, len(self.start_s) - 1)
        share = (at_s - self.start_s[piece]) / (self.end_s - self.start_s)[piece]
        result: Floats = self.rate0[piece] + (self.rate1 - self.rate0)[piece] * share
        return result

    def between(self, low_s: float, high_s: float) -> float:
        """The integral from `low_s` to `high_s`: the arrivals expected in between."""
        low = np.clip(low_s, self.start_s, self.end_s)
        high = np.clip(high_s, self.start_s, self.end_s)
        slope = (self.rate1 - self.rate0) / (self.end_s - self.start_s)
        at_low = self.rate0 + slope * (low - self.start_s)
        at_high = self.rate0 + slope * (high - self.start_s)
        return float(((at_low + at_high) / 2 * (high - low)).sum())

    def scaled(self, factor: float) -> RateCurve:
        """The same curve with every rate times `factor`."""
        return RateCurve(self.start_s, self.end_s, self.rate0 * factor, self.rate1 * factor)

    def invert(self, area: Floats) -> Floats:
        """The instants at which the integral reaches `area` (each within [0, total])."""
        areas = self._areas()
        edges = np.concatenate(([0.0], np.cumsum(areas)))
        piece = np.clip(np.searchsorted(edges, area, side="right") - 1, 0, len(areas) - 1)
        rest = area - edges[piece]
        length = (self.end_s - self.start_s)[piece]
        slope = (self.rate1 - self.rate0)[piece] / length
        # rest = rate0 t + slope t^2 / 2, solved in the form that stays exact when the slope or rate0 is 0.
        root = np.sqrt(np.maximum(0.0, self.rate0[piece] ** 2 + 2 * slope * rest))
        below = self.rate0[piece] + root
        step = np.divide(2 * rest, below, out=np.zeros_like(rest), where=below > 0)
        result: Floats = self.start_s[piece] + np.minimum(step, length)
        return result

    def _areas(self) -> Floats:
        result: Floats = (self.rate0 + self.rate1) / 2 * (self.end_s - self.start_s)
        return result


def shape(spec: DemandSpec, start_min: float, duration_s: float) -> RateCurve:
    """The daily curve over the window, scaled to mean 1; seconds from the window's start.

    Weights are linear between the knots and level before the first and after the last of a day. Raises DemandError
    if the knots are not in order of time, or all weights within the window are 0.
    """
    if not spec.curve:
        flat = np.ones(1)
        return RateCurve(np.zeros(1), np.full(1, duration_s), flat, flat)
    minutes = np.asarray([knot.at_min for knot in spec.curve], dtype=np.float64)
    weights = np.asarray([knot.weight for knot in spec.curve], dtype=np.float64)
    if (np.diff(minutes) <= 0).any():
        where = int(np.argmax(np.diff(minutes) <= 0)) + 1
        raise DemandError(
            f"demand.curve: knot {where} (at_min {minutes[where]:g}) must come after knot {where - 1} "
            f"(at_min {minutes[where - 1]:g})"
        )
    first, last = start_min, start_min + duration_s / 60.0
    starts: list[float] = []
    ends: list[float] = []
    left: list[float] = []
    right: list[float] = []
    for day in range(int(first // _DAY_MIN), int(last // _DAY_MIN) + 1):
        cuts = np.unique(np.concatenate(([0.0, _DAY_MIN], minutes))) + day * _DAY_MIN
        cuts = np.unique(np.clip(cuts, first, last))
        for a, b in pairwise(cuts):
            starts.append((a - first) * 60.0)
            ends.append((b - first) * 60.0)
            left.append(float(np.interp(a - day * _DAY_MIN, minutes, weights)))
            right.append(float(np.interp(b - day * _DAY_MIN, minutes, weights)))
    curve = RateCurve(np.asarray(starts), np.asarray(ends), np.asarray(left), np.asarray(right))
    if curve.total() <= 0:
        raise DemandError(
            f"demand.curve: every weight between minute {first:g} and {last:g} is 0, one above 0 is needed"
        )
    return curve.scaled(duration_s / curve.total())


def circumstances(spec: DemandSpec) -> float:
    """Factor on the rate by weather and holiday (S5): 1 on a clear working day."""
    weather = {"clear": 1.0, "rain": spec.rain_multiplier, "storm": spec.storm_multiplier}[spec.weather]
    return weather * (spec.holiday_multiplier if spec.holiday else 1.0)


def arrivals(rng: np.random.Generator, curve: RateCurve) -> Floats:
    """The instants of a Poisson process of this rate, ascending, float64 [n]. Raises DemandError above MAX_INTENTS."""
    total = curve.total()
    if total > MAX_INTENTS:
        raise DemandError(
            f"demand: {total:,.0f} intents are expected in this window, at most {MAX_INTENTS:,} fit a run"
        )
    reached, parts = 0.0, []
    while reached < total:
        gaps = rng.standard_exponential(max(64, int((total - reached) * 1.02) + 64))
        areas = reached + np.cumsum(gaps)
        parts.append(areas[areas < total])
        reached = float(areas[-1])
    return curve.invert(np.concatenate(parts)) if parts else np.zeros(0)
