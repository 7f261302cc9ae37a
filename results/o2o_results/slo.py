"""Verdicts of a run: is it valid, and does it meet the scenario's service-level objectives?

Decides only pass or miss against figures from `statistics` and `operations`. A run whose generator was late is INVALID:
its latencies say something about the generator, not about the platform.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from o2o_results.manifest import Status, World
from o2o_results.operations import Deliveries
from o2o_results.statistics import Outcomes, Percentiles
from o2o_scenarios.schema import Scenario


@dataclass(frozen=True, slots=True)
class Objective:
    """One SLO: `value` must not pass `target` on the wrong side. `ok` is None when there was nothing to measure."""

    name: str
    label: str
    unit: Literal["s", "share"]
    sense: Literal["at most", "at least"]
    target: float
    value: float

    @property
    def ok(self) -> bool | None:
        """True: met; False: missed; None: nothing to measure (the value is NaN)."""
        if math.isnan(self.value):
            return None
        return self.value <= self.target if self.sense == "at most" else self.value >= self.target


@dataclass(frozen=True, slots=True)
class Validity:
    """Whether the run's figures may be used, and if not, why."""

    valid: bool
    reason: str = ""


def objectives(
    scenario: Scenario, printing: Percentiles, outcome: Outcomes, delivered: Deliveries
) -> tuple[Objective, ...]:
    """The scenario's SLOs against a run's figures."""
    slo = scenario.slo
    return (
        Objective(
            "order_to_print_p95_s", "order to print p95", "s", "at most", slo.order_to_print_p95_s, printing.p95_s
        ),
        Objective("success_share", "success", "share", "at least", slo.success_share, outcome.success_share),
        Objective("late_share", "late deliveries", "share", "at most", slo.late_share, delivered.late_share),
    )


def validity(scenario: Scenario, world: World, status: Status, lateness: Percentiles) -> Validity:
    """INVALID: a run that did not finish, or a live run whose generator was later than allowed at p99."""
    if status not in ("finished", "running"):
        return Validity(False, f"the run was {status}; its figures cover what had happened until then")
    allowed_ms = scenario.load.lateness_p99_ms
    if world == "live" and lateness.n and lateness.p99_s * 1000 > allowed_ms:
        return Validity(
            False, f"the generator was {lateness.p99_s * 1000:.1f} ms late at p99; at most {allowed_ms:g} ms is allowed"
        )
    return Validity(True)
