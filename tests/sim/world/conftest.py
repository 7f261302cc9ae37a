"""Runs of the model on the small town."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from o2o_scenarios.trace import Trace
from o2o_sim.model_run import ModelRun
from o2o_sim.world import simulate


@pytest.fixture(scope="session")
def play(town: Callable[..., Any], intents: Callable[..., Trace]) -> Callable[..., ModelRun]:
    """A function: simulate the given intents in the town, with the scenario's fields overridden."""

    def run(*rows: dict[str, Any], **over: Any) -> ModelRun:
        scenario, city = town(over)
        return simulate(scenario, city, intents(city, *rows))

    return run


@pytest.fixture(scope="session")
def row() -> Callable[..., dict[str, Any]]:
    """A function: the row of a run's table at a position."""

    def at(run: ModelRun, table: str, position: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = run.tables[table].slice(position, 1).to_pylist()[0]
        return found

    return at
