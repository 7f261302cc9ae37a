"""Figures of the order-to-print path: percentiles, stages, throughput against demand, lateness of the generator.

Decides how each figure is counted; leaves verdicts to `slo`, kitchens and riders to `operations`, pictures to `report`.
Times are run seconds. Percentiles are nearest rank: the smallest value that at least q of all values do not exceed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from o2o_results.run import RunTables, empty, floats
from o2o_results.tables import MARKS

Floats = np.ndarray[Any, np.dtype[np.float64]]

GIVEN_UP = ("payment_failed", "closed", "rejected", "cancelled", "refunded")
"""States in which an order has ended without paper or goods being owed."""


def nearest_rank(values: Floats, q: float) -> float:
    """The q-quantile (0 < q <= 1) by nearest rank; NaN for no values. Infinities rank last.

    Of [1, 2, 3, 4] the 0.5-quantile is 2 and the 0.95-quantile is 4.
    """
    if not len(values):
        return math.nan
    rank = max(1, math.ceil(round(q * len(values), 9)))
    return float(np.partition(values, rank - 1)[rank - 1])


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Distribution of a duration in seconds. `n` durations were due, `missing` of them never ended and count as
    infinite, so that a platform does not look fast by losing its slowest orders; `mean_s` is over those that ended."""

    n: int
    missing: int
    p50_s: float
    p95_s: float
    p99_s: float
    max_s: float
    mean_s: float

    @classmethod
    def of(cls, values: Floats) -> Percentiles:
        """Of durations; NaN or infinity: it never ended."""
        due = np.where(np.isnan(values), np.inf, values)
        ended = due[np.isfinite(due)]
        return cls(
            n=len(due),
            missing=len(due) - len(ended),
            p50_s=nearest_rank(due, 0.50),
            p95_s=nearest_rank(due, 0.95),
            p99_s=nearest_rank(due, 0.99),
            max_s=float(due.max()) if len(due) else math.nan,
            mean_s=float(ended.mean()) if len(ended) else math.nan,
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """One step between two consecutive marks, over the orders that have both; `start` and `end` are their names."""

    start: str
    end: str
    n: int
    median_s: float
    p95_s: float
    mean_s: float


@dataclass(frozen=True, slots=True)
class Throughput:
    """Events per bin: bin i is [i * width_s, (i + 1) * width_s); `counts[mark]` has one number a bin."""

    width_s: float
    counts: Mapping[str, np.ndarray[Any, np.dtype[np.int64]]]

    def per_second(self, mark: str) -> Floats:
        """Rate of `mark` in events per run second."""
        return np.asarray(self.counts[mark] / self.width_s, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the intents. `failed` is the platform's fault: no answer, a server error, or paid without paper.

    A refusal by rule (sold out, closed store), a payment refused by the provider, an order rejected by the store or
    cancelled and refunded are outcomes, not failures. `success_share` is over the intents that were sent; NaN if none.
    """

    intents: int
    sent: int
    failed: int
    unfinished: int
    by_state: Mapping[str, int]

    @property
    def success_share(self) -> float:
        """1 - failed / sent."""
        return 1.0 - self.failed / self.sent if self.sent else math.nan


def owed_paper(orders: pa.Table) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Orders [n] that must end on paper: takeout, paid, and not given up before they were printed."""
    takeout = pc.equal(orders.column("kind"), "order")
    given_up = pc.is_in(orders.column("state"), value_set=pa.array(GIVEN_UP))
    owed = pc.and_(
        pc.and_(takeout, pc.is_valid(orders.column("paid"))),
        pc.or_(pc.invert(given_up), pc.is_valid(orders.column("printed"))),
    )
    return np.asarray(owed.to_numpy(), dtype=bool)


def order_to_print_s(orders: pa.Table) -> Floats:
    """Seconds from intent to paper of each order owed paper; infinite where none came."""
    owed = owed_paper(orders)
    taken = floats(orders, "printed")[owed] - floats(orders, "intended")[owed]
    return np.where(np.isnan(taken), np.inf, taken)


def order_to_print(orders: pa.Table) -> Percentiles:
    """The headline: percentiles of `order_to_print_s`."""
    return Percentiles.of(order_to_print_s(orders))


def stages(orders: pa.Table) -> tuple[Stage, ...]:
    """The order-to-print path step by step, over printed takeout orders. Means add up to the whole; medians do not."""
    printed = orders.filter(pc.and_(pc.equal(orders.column("kind"), "order"), pc.is_valid(orders.column("printed"))))
    found: list[Stage] = []
    for start, end in pairwise(MARKS):
        taken = floats(printed, end) - floats(printed, start)
        taken = taken[~np.isnan(taken)]
        mean = float(taken.mean()) if len(taken) else math.nan
        found.append(Stage(start, end, len(taken), nearest_rank(taken, 0.5), nearest_rank(taken, 0.95), mean))
    return tuple(found)


def bin_width_s(span_s: float, bins: int) -> float:
    """The smallest pleasant width (1, 2, 5, 10, 15, 30 s, minutes ...) that cuts `span_s` into at most `bins` bins."""
    for width in (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0):
        if span_s <= width * bins:
            return width
    return 3600.0 * math.ceil(span_s / 3600.0 / bins)


def throughput(orders: pa.Table, *, bins: int = 90) -> Throughput:
    """Demand (`intended`) and what the platform and the city made of it, over time."""
    times = {mark: floats(orders, mark) for mark in ("intended", "paid", "printed", "delivered")}
    times = {mark: values[~np.isnan(values)] for mark, values in times.items()}
    span = max((float(values.max()) for values in times.values() if len(values)), default=1.0)
    width = bin_width_s(span, bins)
    count = int(span // width) + 1
    index = {mark: np.clip((values // width).astype(np.int64), 0, count - 1) for mark, values in times.items()}
    return Throughput(width, {mark: np.bincount(where, minlength=count) for mark, where in index.items()})


def generator_lateness(orders: pa.Table) -> Percentiles:
    """sent - intended of every intent that was sent."""
    late = floats(orders, "sent") - floats(orders, "intended")
    return Percentiles.of(late[~np.isnan(late)])


def outcomes(tables: RunTables) -> Outcomes:
    """Counts of what became of the intents; see Outcomes for what counts as failed."""
    orders = tables.get("orders", empty("orders"))
    requests = tables.get("requests", empty("requests"))
    state = np.asarray(orders.column("state").to_pylist(), dtype=object)
    by_state = {
        str(pair["values"]): int(pair["counts"]) for pair in pc.value_counts(orders.column("state")).to_pylist()
    }
    broken = requests.filter(
        pc.and_(
            pc.equal(requests.column("actor"), "user"),
            pc.or_(pc.equal(requests.column("status"), 0), pc.greater_equal(requests.column("status"), 500)),
        )
    )
    had_error = np.isin(orders.column("order_id").to_numpy(), broken.column("order_id").drop_null().to_numpy())
    no_paper = owed_paper(orders) & np.isnan(floats(orders, "printed"))
    failed = (state == "lost") | ((state == "refused") & had_error) | no_paper
    unfinished = np.asarray(pc.invert(orders.column("terminal")).to_numpy(), dtype=bool)
    sent = orders.num_rows - by_state.get("not_sent", 0)
    return Outcomes(orders.num_rows, sent, int(failed.sum()), int(unfinished.sum()), dict(sorted(by_state.items())))
