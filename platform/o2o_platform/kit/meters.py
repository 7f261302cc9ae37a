"""What a process counts of its own work, for /metrics.

Decides that the hot path pays for plain numbers only: a request is a look-up in a dict and three additions; Prometheus'
objects are made of them when somebody asks. Features hang up readers: functions that say how things stand now (a
number, or numbers by label), called at that moment and not before.
"""

from __future__ import annotations

import asyncio
import inspect
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

BOUNDS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Upper ends of the latency histogram's buckets; there is one more without an end."""
ASK_S = 1.0
"""A reader that has not answered by then is left out: a missing figure must not hide the others."""

Value: TypeAlias = float | Mapping[str, float]
"""A figure, or figures by the value of the meter's label."""
Reader: TypeAlias = Callable[[], Value | Awaitable[Value]]
Kind: TypeAlias = Literal["gauge", "counter"]


class Meters:
    """Of one process."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str, int], list[float]] = {}
        self._readers: dict[str, tuple[Kind, str, str, Reader]] = {}

    def request(self, method: str, route: str, status: int, took_s: float) -> None:
        """One answered request; `route` is the path's template, so that ids make no meters."""
        key = (method, route, status)
        cell = self._requests.get(key)
        if cell is None:
            cell = self._requests[key] = [0] * (len(BOUNDS_S) + 1) + [0.0]
        cell[bisect_left(BOUNDS_S, took_s)] += 1
        cell[-1] += took_s

    def read(self, name: str, text: str, reader: Reader, *, kind: Kind = "gauge", label: str = "name") -> None:
        """Show `o2o_NAME`, as `reader()` says; of a mapping the keys are values of `label`.

        A counter's name ends in _total. A reader that raises is left out.
        """
        self._readers[name] = (kind, text, label, reader)

    @property
    def requests(self) -> int:
        """Answered so far."""
        return int(sum(sum(cell[:-1]) for cell in self._requests.values()))

    async def exposition(self) -> bytes:
        """Everything in Prometheus' text format."""
        names = list(self._readers)
        values = await asyncio.gather(*(_ask(self._readers[name][3]) for name in names))
        registry = CollectorRegistry()
        registry.register(_Collected([*self._http(), *self._read(dict(zip(names, values, strict=True)))]))
        ProcessCollector(registry=registry)
        return generate_latest(registry)

    def _http(self) -> Iterable[Metric]:
        answered = CounterMetricFamily(
            "o2o_requests_total", "Answered requests by route and status.", labels=["method", "route", "status"]
        )
        latency = HistogramMetricFamily(
            "o2o_request_seconds", "From the request to the last byte of its answer.", labels=["method", "route"]
        )
        by_route: dict[tuple[str, str], list[float]] = {}
        for (method, route, status), cell in sorted(self._requests.items()):
            answered.add_metric([method, route, str(status)], sum(cell[:-1]))
            known = by_route.get((method, route), [0.0] * len(cell))
            by_route[method, route] = [a + b for a, b in zip(known, cell, strict=True)]
        for (method, route), cell in by_route.items():
            ends = [*map(str, BOUNDS_S), "+Inf"]
            sums = [sum(cell[: number + 1]) for number in range(len(ends))]
            latency.add_metric([method, route], list(zip(ends, sums, strict=True)), sum_value=cell[-1])
        return answered, latency

    def _read(self, values: Mapping[str, Value | None]) -> Iterable[Metric]:
        for name, value in values.items():
            if value is None:
                continue
            kind, text, label, _ = self._readers[name]
            family = CounterMetricFamily if kind == "counter" else GaugeMetricFamily
            if isinstance(value, Mapping):
                metric = family(f"o2o_{name}", text, labels=[label])
                for key, number in value.items():
                    metric.add_metric([str(key)], float(number))
            else:
                metric = family(f"o2o_{name}", text, value=float(value))
            yield metric


class _Collected:
    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = list(metrics)

    def collect(self) -> Iterable[Metric]:
        return self._metrics


async def _ask(reader: Reader) -> Value | None:
    try:
        value = reader()
        if inspect.isawaitable(value):
            async with asyncio.timeout(ASK_S):
                value = await value
    except Exception:  # whatever a reader meets: the others are shown
        return None
    return value
