"""The job of a model run: scenario to a finished, audited run folder."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from o2o_cli import console
from o2o_cli.errors import Interrupted
from o2o_cli.jobs import world
from o2o_results.audit import audit
from o2o_results.run import RunReader, RunWriter
from o2o_results.runs import RUNS, new_run
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.city.build import build_city
from o2o_sim.city.model import City
from o2o_sim.crm.simulate import simulate_pools
from o2o_sim.model_run import ModelRun
from o2o_sim.world import simulate

DAY_S = 86_400.0


def run_model(
    scenario: Scenario,
    *,
    out: Path | None = None,
    quiet: bool = False,
    built: tuple[City, Trace] | None = None,
    decisions: bool = False,
) -> RunReader:
    """Simulate a scenario of either kind and leave a run. Ctrl-C ends it early and marks it `interrupted`."""
    if scenario.kind == "pools":
        return _run_pools(scenario, out=out, quiet=quiet)
    city, trace = built or world.build(scenario, quiet=quiet)
    writer = new_run(
        scenario, "model", root=RUNS, folder=out, horizon_s=world.horizon_s(scenario), notes=world.notes_of(city, trace)
    )
    with writer, stoppable() as stop:
        writer.write_trace(trace)
        with console.progress(f"simulating {scenario.name}", quiet=quiet) as progress:
            done = simulate(scenario, city, trace, progress=progress, stop=stop, decisions=decisions)
        _finish(writer, done)
    return RunReader(writer.folder)


def _run_pools(scenario: Scenario, *, out: Path | None, quiet: bool) -> RunReader:
    city = build_city(scenario)
    writer = new_run(
        scenario,
        "model",
        root=RUNS,
        folder=out,
        speed=1.0,
        horizon_s=scenario.crm.days * DAY_S,
        notes={"city": city.notes},
    )
    with writer, stoppable() as stop:
        with console.progress(f"simulating {scenario.name}", quiet=quiet) as progress:
            done = simulate_pools(scenario, city, progress=progress, stop=stop)
        _finish(writer, done)
    return RunReader(writer.folder)


def _finish(writer: RunWriter, done: ModelRun) -> None:
    writer.write_all(done.tables)
    writer.note(events=done.events, **done.notes)
    if done.interrupted:
        writer.finish(audit(writer), status="interrupted")
        raise Interrupted(f"the run so far is in {writer.folder}")
    writer.finish(audit(writer))


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C (and SIGTERM) into a flag that long work asks for; a second one interrupts at once."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag.is_set
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if flag.is_set():
            raise KeyboardInterrupt
        flag.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
