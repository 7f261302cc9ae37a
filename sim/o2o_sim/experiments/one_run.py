"""One replication, from scenario to metrics: build the city, simulate, measure.

Decides which simulation a kind of scenario needs, and that variants which differ only in rules share one city. Leaves
processes and order to `engine`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.city.build import build_city
from o2o_sim.city.model import City
from o2o_sim.crm.roads import Roads
from o2o_sim.crm.simulate import simulate_pools
from o2o_sim.demand.build import build_trace
from o2o_sim.experiments.metrics import measure
from o2o_sim.experiments.store import Replication
from o2o_sim.experiments.variants import Variant, key, replicate
from o2o_sim.model_run import ModelRun, Stop
from o2o_sim.world import simulate

RULES = {"name", "title", "story", "platform", "printing", "dispatch", "fees", "compare", "load", "slo"}
"""Parts of a scenario that neither city nor demand nor roads depend on."""


@dataclass(frozen=True)
class _Stage:
    """What variants of one replication share."""

    city: City
    roads: Roads | None
    trace: Trace | None


class Runner:
    """Runs replications one after the other and keeps the last city, which the next variant may meet again."""

    def __init__(self) -> None:
        self._at: dict[str, Any] | None = None
        self._stage: _Stage | None = None

    def run(self, variant: Variant, replication: int, *, stop: Stop | None = None) -> Replication | None:
        """One finished replication; None when `stop` ended it early. Raises SimError."""
        began = time.process_time()
        scenario = replicate(variant.scenario, replication)
        run = self._simulate(scenario, self._set(scenario), stop)
        if run.interrupted:
            return None
        return Replication(
            key=key(variant, replication),
            label=variant.label,
            replication=replication,
            seed=scenario.seed,
            events=run.events,
            cpu_s=round(time.process_time() - began, 3),
            metrics=measure(scenario, run),
        )

    def _set(self, scenario: Scenario) -> _Stage:
        at = scenario.model_dump(exclude={**dict.fromkeys(RULES, True), "crm": {"pool"}})
        if self._stage is None or at != self._at:
            city = build_city(scenario)
            pools = scenario.kind == "pools"
            self._stage = _Stage(
                city,
                Roads.of(scenario, city) if pools and city.bds and city.leads else None,
                None if pools else build_trace(scenario, city),
            )
            self._at = at
        return self._stage

    def _simulate(self, scenario: Scenario, stage: _Stage, stop: Stop | None) -> ModelRun:
        if stage.trace is None:
            return simulate_pools(scenario, stage.city, roads=stage.roads, stop=stop)
        return simulate(scenario, stage.city, stage.trace, stop=stop)
