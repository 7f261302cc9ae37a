"""`simulate_pools`: one season of a scenario of kind `pools`, from city to run tables.

Decides how the clock is stepped, progress told and the tables completed. The course of the days is `season`'s.
"""

from __future__ import annotations

from simpy import Environment

from o2o_results.tables import TABLES
from o2o_scenarios.schema import Scenario
from o2o_sim.city.model import City
from o2o_sim.crm.behaviour import DAY_S
from o2o_sim.crm.roads import Roads
from o2o_sim.crm.season import Season
from o2o_sim.errors import SimError
from o2o_sim.model_run import ModelRun, Progress, Stop


def simulate_pools(
    scenario: Scenario,
    city: City,
    *,
    roads: Roads | None = None,
    progress: Progress | None = None,
    stop: Stop | None = None,
) -> ModelRun:
    """Simulate `crm.days` of the city's BDs and leads.

    Same scenario and city, same tables to the bit. `roads` saves the travel matrix when several variants meet one
    city. `stop` is asked once a simulated day; a run that was stopped is `interrupted` and ends there. Raises SimError
    when the city has no BDs or no leads.
    """
    if not city.bds or not city.leads:
        raise SimError("crm.bds and crm.leads: a simulation of the pools needs at least one of each")
    env = _CountingEnvironment()
    season = Season(env, scenario, city, roads or Roads.of(scenario, city))
    interrupted = False
    for day in range(1, scenario.crm.days + 1):
        if stop is not None and stop():
            interrupted = True
            break
        env.run(until=day * DAY_S)
        if progress is not None:
            progress(day / scenario.crm.days)
    season.pools.close()
    tables = {name: schema.empty_table() for name, schema in TABLES.items()} | season.pools.tables()
    return ModelRun(tables, horizon_s=float(env.now), events=env.processed, interrupted=interrupted)


class _CountingEnvironment(Environment):
    """Counts the events it processes: a faster run with another count is another run."""

    def __init__(self) -> None:
        super().__init__()
        self.processed = 0

    def step(self) -> None:
        self.processed += 1
        super().step()
