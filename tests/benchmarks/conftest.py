"""The benchmark suite of `o2o bench`. An ordinary test run does not collect it: benchmarks need a quiet machine.

`bench(function, units=..., unit=...)` times a function with pytest-benchmark, between two measurements of the
calibration loop. The first line of a benchmark's docstring is its row in the table.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from o2o_cli.bench.calibration import calibrate

if not os.environ.get("O2O_BENCH"):
    collect_ignore_glob = ["test_*.py"]

SMOKE = os.environ.get("O2O_BENCH") == "smoke"
Bench = Callable[..., Any]


@pytest.fixture
def bench(request: pytest.FixtureRequest, benchmark: Any) -> Iterator[Bench]:
    """Time `function()`, which does `units` of `unit`; returns its last result. `events`: of a model's run, if any."""
    before = calibrate()

    def timed(function: Callable[[], Any], *, units: int = 1, unit: str = "calls", rounds: int = 0) -> Any:
        benchmark.extra_info.update(what=_title(request), units=units, unit=unit)
        if rounds:  # a round takes a good part of a second: so many are enough
            return benchmark.pedantic(function, rounds=min(rounds, 3) if SMOKE else rounds, warmup_rounds=1)
        return benchmark(function)

    timed.extra_info = benchmark.extra_info  # type: ignore[attr-defined]
    yield timed
    benchmark.extra_info["calibration_s"] = min(before, calibrate())


def _title(request: pytest.FixtureRequest) -> str:
    text: str = request.function.__doc__
    return text.splitlines()[0].rstrip(".")
