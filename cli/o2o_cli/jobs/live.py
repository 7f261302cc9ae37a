"""The job of a live run: scenario to a finished, audited run folder, against an own platform or a given one."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path

from o2o_cli import console
from o2o_cli.errors import Interrupted, UsageError
from o2o_cli.jobs import world
from o2o_cli.jobs.deployment import Deployment, scaled_platform
from o2o_cli.jobs.helpers import with_helpers
from o2o_cli.jobs.modelled import stoppable
from o2o_cli.jobs.platform import settings_for, write_settings
from o2o_domain.notification import Age, by_hand
from o2o_loadtest.live import Target, run_live
from o2o_results.audit import audit
from o2o_results.run import RunReader
from o2o_results.runs import RUNS, new_run
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.city.model import City


def compressed(scenario: Scenario, *, speed: float | None, duration_s: float | None, drain_s: float | None) -> Scenario:
    """The scenario as a live run plays it: `speed` city seconds a wall second; durations are wall seconds.

    Both worlds can run it, and then meet the same trace at the same pace.
    """
    pace = speed if speed is not None else (scenario.load.speed or scenario.clock.speed)
    clock = scenario.clock.model_copy(
        update={
            "speed": pace,
            **({} if duration_s is None else {"duration_s": duration_s * pace}),
            **({} if drain_s is None else {"drain_s": drain_s * pace}),
        }
    )
    return scenario.model_copy(update={"clock": clock})


def must_be_live(scenario: Scenario) -> None:
    """Raises UsageError for a scenario that only the model can play."""
    age = Age(scenario.printing.age)
    if by_hand(age):
        raise UsageError(
            f"printing.age {age}: people who write are only in the model; live are app_printer and cloud "
            "(e.g. --set printing.age=cloud)"
        )


def given_target(url: str) -> Target:
    """A platform that runs already. Raises UsageError: not on this machine, or its password was not given."""
    local = world.loopback(url)
    password = os.environ.get("O2O_ADMIN_PASSWORD")
    if not password:
        raise UsageError("--target needs the password of the platform's account `admin` in O2O_ADMIN_PASSWORD")
    return Target(password, url=local)


def run_load(
    scenario: Scenario,
    *,
    built: tuple[City, Trace],
    target: Target | None = None,
    deployment: Deployment | None = None,
    out: Path | None = None,
    web_ui: bool = False,
    quiet: bool = False,
) -> RunReader:
    """Replay the scenario's trace live.

    Without a target a platform of its own is started in the run's folder: embedded, or as `deployment` says.
    """
    if target is not None and scenario.platform.helper_faults:
        raise UsageError("--target: the scenario kills helpers; it can only kill those of a platform of its own")
    must_be_live(scenario)
    city, trace = built
    writer = new_run(
        scenario, "live", root=RUNS, folder=out, horizon_s=world.horizon_s(scenario), notes=world.notes_of(city, trace)
    )
    with writer, stoppable() as stop:
        writer.write_trace(trace)
        with ExitStack() as stack:
            if target is not None:
                goal = target
            elif deployment is not None:
                goal = stack.enter_context(scaled_platform(scenario, writer.folder, deployment))
                writer.note(deployment=asdict(deployment))
            else:
                goal = _own_platform(scenario, writer.folder)
            progress = stack.enter_context(console.phases(quiet=quiet))
            done = run_live(scenario, city, trace, goal, writer.folder, progress=progress, stop=stop, web_ui=web_ui)
        writer.manifest = replace(writer.manifest, horizon_s=done.horizon_s)
        writer.write_all(done.tables)
        writer.note(**done.notes)
        writer.finish(audit(writer), status="interrupted" if done.interrupted else "finished")
    if done.interrupted:
        raise Interrupted(f"the run so far is in {writer.folder}")
    return RunReader(writer.folder)


def _own_platform(scenario: Scenario, folder: Path) -> Target:
    password = secrets.token_urlsafe(16)
    plain, helpers = with_helpers(settings_for(scenario), scenario, folder.resolve())
    settings = replace(plain, database_url=f"sqlite:///{folder.resolve() / 'platform.db'}", admin_password=password)
    path = folder / "live-settings.json"
    write_settings(settings, path)
    argv = [sys.executable, "-m", "o2o_cli.main", "serve", "--port", "0", "--provider-port", "0"]
    return Target(password, argv=[*argv, "--settings", str(path), "--announce", "--stop-on-eof"], helpers=helpers)
