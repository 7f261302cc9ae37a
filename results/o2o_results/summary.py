"""All figures of one run under stable names: what reports show, `--json` writes and comparisons compare.

Decides the names; each figure is counted in `statistics`, `operations` and `slo`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from o2o_results.manifest import Manifest, Status, World
from o2o_results.notification import Notification, notification
from o2o_results.operations import Deliveries, Pools, deliveries, kitchen_utilisation, pools, rider_utilisation
from o2o_results.run import RunTables, empty
from o2o_results.slo import Objective, Validity, objectives, validity
from o2o_results.statistics import (
    Outcomes,
    Percentiles,
    Stage,
    generator_lateness,
    nearest_rank,
    order_to_print,
    outcomes,
    stages,
)
from o2o_scenarios.schema import Scenario


class Run(Protocol):
    """What RunReader and RunWriter share: a manifest and tables."""

    @property
    def manifest(self) -> Manifest: ...

    @property
    def tables(self) -> RunTables: ...


@dataclass(frozen=True, slots=True)
class Use:
    """How busy a group (kitchens, riders) was: shares of the time at work, over members that were at work."""

    n: int
    mean: float
    p95: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The figures of one run."""

    printing: Percentiles
    stages: tuple[Stage, ...]
    lateness: Percentiles
    outcomes: Outcomes
    deliveries: Deliveries
    kitchens: Use
    riders: Use
    pools: Pools
    notification: Notification
    objectives: tuple[Objective, ...]
    validity: Validity

    def metrics(self) -> dict[str, float]:
        """The figures as one flat mapping of stable names, for comparisons and gates. NaN: nothing to measure."""
        values: dict[str, float] = {
            "order_to_print_p50_s": self.printing.p50_s,
            "order_to_print_p95_s": self.printing.p95_s,
            "order_to_print_p99_s": self.printing.p99_s,
            "order_to_print_mean_s": self.printing.mean_s,
            "unprinted_orders": self.printing.missing,
            "generator_lateness_p99_s": self.lateness.p99_s,
            "intents": self.outcomes.intents,
            "failed": self.outcomes.failed,
            "unfinished": self.outcomes.unfinished,
            "success_share": self.outcomes.success_share,
            "delivered": self.deliveries.delivered,
            "late_share": self.deliveries.late_share,
            "delivery_p50_min": self.deliveries.p50_min,
            "delivery_p95_min": self.deliveries.p95_min,
            "kitchen_use_mean": self.kitchens.mean,
            "rider_use_mean": self.riders.mean,
            "leads_signed": self.pools.signed,
            "leads_private": self.pools.private,
            "lead_drops": self.pools.drops,
            "lead_visits": self.pools.visits,
            "idle_share": self.pools.idle_share,
            "idle_days": self.pools.idle_days,
        }
        values |= self.notification.metrics()
        for stage in self.stages:
            values[f"stage_{stage.end}_p50_s"] = stage.median_s
            values[f"stage_{stage.end}_p95_s"] = stage.p95_s
        return values

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values; a figure that is infinite or was not measured is null."""
        raw: dict[str, Any] = asdict(self)
        raw["outcomes"]["success_share"] = self.outcomes.success_share
        raw["deliveries"]["late_share"] = self.deliveries.late_share
        raw["notification"] |= {
            "wrong_share": self.notification.wrong_share,
            "escalated_share": self.notification.escalated_share,
        }
        raw["objectives"] = [asdict(objective) | {"ok": objective.ok} for objective in self.objectives]
        raw["metrics"] = self.metrics()
        finite: dict[str, Any] = _finite(raw)
        return finite


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def summarise(
    tables: RunTables,
    scenario: Scenario,
    *,
    world: World = "model",
    status: Status = "finished",
    speed: float | None = None,
) -> Summary:
    """The figures of a run's tables. `speed` (city seconds per run second) defaults to the scenario's."""
    pace = scenario.clock.speed if speed is None else speed
    orders = tables.get("orders", empty("orders"))
    printing, outcome, late = order_to_print(orders), outcomes(tables), generator_lateness(orders)
    delivered = deliveries(orders, promise_min=scenario.slo.promise_min, speed=pace)
    return Summary(
        printing=printing,
        stages=stages(orders),
        lateness=late,
        outcomes=outcome,
        deliveries=delivered,
        kitchens=_use(kitchen_utilisation(tables)),
        riders=_use(rider_utilisation(tables)),
        pools=pools(tables, speed=pace),
        notification=notification(tables, scenario, speed=pace),
        objectives=objectives(scenario, printing, outcome, delivered),
        validity=validity(scenario, world, status, late),
    )


def summary_of(run: Run) -> Summary:
    """The figures of a run on disk or being written. Raises pydantic's ValidationError for a damaged scenario."""
    manifest = run.manifest
    scenario = Scenario.model_validate(manifest.scenario)
    return summarise(run.tables, scenario, world=manifest.world, status=manifest.status, speed=manifest.speed)


def _use(shares: Any) -> Use:
    known = shares[~(shares != shares)]
    return Use(len(known), float(known.mean()) if len(known) else math.nan, nearest_rank(known, 0.95))
