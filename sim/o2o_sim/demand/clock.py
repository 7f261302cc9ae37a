"""The clock that a scenario really runs by: its own, or the whole day of an order file."""

from __future__ import annotations

from o2o_scenarios.schema import Scenario

DAY_S = 86_400.0


def effective_clock(scenario: Scenario) -> tuple[float, float]:
    """(start_min, duration_s): minute of the day at city second 0, and city seconds during which intents arrive.

    A real day (`demand.orders`) starts at midnight and lasts 24 h, whatever `clock` says.
    """
    if scenario.demand.orders is not None:
        return 0.0, DAY_S
    return float(scenario.clock.start_min), scenario.clock.duration_s
