"""Sampling: how many of something there were, every ten run seconds, told afterwards from when each began and ended.

Decides the instants and the counting. The clock is never stopped for it, so that sampling cannot change a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

SAMPLE_S = 10.0
"""Run seconds between two samples."""

Times: TypeAlias = Iterable[float | None] | npt.NDArray[np.float64]


def instants(end_s: float) -> npt.NDArray[np.float64]:
    """0, 10, 20, ... up to `end_s`."""
    return np.arange(0.0, end_s + 1e-9, SAMPLE_S)


def level(at: npt.NDArray[np.float64], begins: Times, ends: Times) -> npt.NDArray[np.int64]:
    """At each instant, how many have begun and not ended; None (or NaN) in `ends`: not yet."""
    return _passed(at, begins) - _passed(at, ends)


def counts(at: npt.NDArray[np.float64], times: Times) -> npt.NDArray[np.int64]:
    """How many `times` fall into the ten seconds up to each instant; the first counts those at 0 and before."""
    return np.diff(_passed(at, times), prepend=0)


def long_form(at: npt.NDArray[np.float64], series: Mapping[str, npt.NDArray[Any]]) -> list[dict[str, Any]]:
    """Rows of the run table `samples`, by instant and then in the order of `series`."""
    rows = zip(at.tolist(), *(values.tolist() for values in series.values()), strict=True)
    return [
        {"at": instant, "metric": metric, "value": float(value)}
        for instant, *values in rows
        for metric, value in zip(series, values, strict=True)
    ]


def _passed(at: npt.NDArray[np.float64], times: Times) -> npt.NDArray[np.int64]:
    if not isinstance(times, np.ndarray):
        times = np.array([time for time in times if time is not None], dtype=np.float64)
    return np.searchsorted(np.sort(times[~np.isnan(times)]), at, side="right")
