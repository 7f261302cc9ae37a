"""The model world: one run of a scenario on the simulated clock, from city and trace to run tables.

Decides how the clock is stepped, when the run ends and how the tables are put together. The city's actors and the
modelled platform are started here and know nothing of each other but the port.

Time base: `env.now` is run seconds since the epoch. City times (arrivals, cooking, riding, shifts, patience, repair)
are divided by `clock.speed`; the platform's, payments' and printers' are not.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa
from simpy import Environment

from o2o_results.tables import TABLES
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.actors.log import ActorLog
from o2o_sim.actors.spawn import spawn_actors
from o2o_sim.city.model import City
from o2o_sim.city.road_table import road_table
from o2o_sim.demand.clock import effective_clock
from o2o_sim.model_run import ModelRun, Progress, Stop
from o2o_sim.platform_model.model import PlatformModel
from o2o_sim.platform_model.run_tables import platform_tables
from o2o_sim.platform_model.samples import platform_samples
from o2o_sim.tempo import Tempo

STEPS = 200
"""Parts into which the horizon is cut to tell progress and to ask whether to stop."""


def horizon_s(scenario: Scenario) -> float:
    """Run seconds until the run ends: arrivals and drain, compressed by `clock.speed`."""
    _, duration_s = effective_clock(scenario)
    return (duration_s + scenario.clock.drain_s) / scenario.clock.speed


def simulate(
    scenario: Scenario,
    city: City,
    trace: Trace,
    *,
    progress: Progress | None = None,
    stop: Stop | None = None,
    decisions: bool = False,
) -> ModelRun:
    """Run `trace` in `city` against the modelled platform.

    Same scenario, city and trace: same tables, to the bit. Orders still open at the horizon stay with terminal=false.
    `decisions` also writes the table `decisions` (inputs and outputs of the rules, for parity tests). With `stop` the
    run ends early: it is `interrupted`, and intents whose time had not come are `not_sent`.
    """
    env = Environment()
    tempo = Tempo(scenario.clock.speed)
    model = PlatformModel(env, scenario, city, trace, tempo, decisions=decisions)
    env.process(model.run())
    actors = spawn_actors(env, scenario, city, trace, model, tempo, attached=model.attached)
    end_s = horizon_s(scenario)
    interrupted = False
    with _few_collections():
        for part in range(1, STEPS + 1):
            if stop is not None and stop():
                interrupted = True
                break
            env.run(until=end_s * part / STEPS)
            if progress is not None:
                progress(part / STEPS)
        tables = _tables(model, actors)
    events = next(env._eid)
    notes = {"intents": len(trace), "speed": scenario.clock.speed, "city": city.notes, "trace": trace.notes}
    return ModelRun(tables, horizon_s=float(env.now), events=events, interrupted=interrupted, notes=notes)


def _tables(model: PlatformModel, actors: ActorLog) -> dict[str, pa.Table]:
    tables = {name: schema.empty_table() for name, schema in TABLES.items()}
    tables |= platform_tables(model)
    tables |= actors.tables(model.desk.env.now)  # in the app_printer's age the notes are the actors'
    samples = pa.Table.from_pylist(platform_samples(model), schema=TABLES["samples"])
    tables["samples"] = pa.concat_tables([samples, tables["samples"]])
    tables["roads"] = road_table(model.desk.city.graph)
    return tables


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let Python look for cycles of dead objects rarely: the run makes millions of objects, and few cycles."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 50, 50)
    try:
        yield
    finally:
        gc.set_threshold(*before)
