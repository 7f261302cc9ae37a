"""`o2o load`: a scenario's trace against a running platform, with printers, kitchens and riders at its end."""

from __future__ import annotations

from typing import Annotated

import typer

from o2o_cli import console
from o2o_cli.errors import EXIT_NOT_MET, UsageError
from o2o_cli.jobs import world
from o2o_cli.jobs.deployment import deployment_of
from o2o_cli.jobs.live import compressed, given_target, must_be_live, run_load
from o2o_cli.jobs.modelled import run_model
from o2o_cli.jobs.told import tell_run
from o2o_cli.options import (
    JsonOption,
    OutOption,
    QuietOption,
    ScenarioArgument,
    SeedOption,
    SetOption,
    of_kind,
    scenario_from,
    write_json,
)
from o2o_results.audit import clean
from o2o_results.report import write_report
from o2o_results.summary import summary_of


def load(
    scenario: ScenarioArgument,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="URL",
            help="A platform that runs already (loopback only); else one is started for the run.",
        ),
    ] = None,
    deployment: Annotated[
        str,
        typer.Option(
            "--deployment",
            metavar="KIND",
            help="The platform started for the run: embedded (one process, SQLite) or scaled (see `o2o up`).",
        ),
    ] = "embedded",
    workers: Annotated[int, typer.Option("--workers", min=1, max=64, help="Scaled: processes that answer.")] = 2,
    dispatchers: Annotated[int, typer.Option("--dispatchers", min=1, max=64, help="Scaled: that print.")] = 1,
    database: Annotated[
        str | None,
        typer.Option("--database", metavar="URL", help="Scaled: make the run's database there (default: own server)."),
    ] = None,
    redis: Annotated[
        str | None, typer.Option("--redis", metavar="URL", help="Scaled: use this server (default: one of its own).")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Scaled: leave database and state behind.")] = False,
    speed: Annotated[
        float | None,
        typer.Option(
            "--speed",
            min=0.001,
            max=1e6,
            metavar="K",
            help="City seconds per wall second (default: the scenario's load.speed).",
        ),
    ] = None,
    duration: Annotated[
        float | None, typer.Option("--duration", min=1.0, metavar="S", help="Wall seconds during which orders arrive.")
    ] = None,
    drain: Annotated[
        float | None, typer.Option("--drain", min=0.0, metavar="S", help="Wall seconds at most to let open orders end.")
    ] = None,
    set_: SetOption = None,
    seed: SeedOption = None,
    out: OutOption = None,
    twin: Annotated[
        bool,
        typer.Option("--twin/--no-twin", help="Also run the model on the same trace, and report both side by side."),
    ] = True,
    gate: Annotated[
        bool, typer.Option("--gate", help="Exit 1 unless the run is valid, its audit clean and its SLOs met.")
    ] = False,
    ui: Annotated[
        bool, typer.Option("--ui", help="Show Locust's web page at http://127.0.0.1:8089 while it runs.")
    ] = False,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Replay a scenario's trace against the live platform as an open workload.

    Orders come at their intended times whatever the platform does, and latency counts from then. Without --target the
    platform, its payment provider and a printer for each merchant are started on this machine and stopped at the end.

    Example: o2o load lunch_peak --duration 120
    """
    chosen = compressed(
        of_kind(scenario_from(scenario, set_, seed), "city", "load"), speed=speed, duration_s=duration, drain_s=drain
    )
    must_be_live(chosen)
    goal = given_target(target) if target else None
    scaled = deployment_of(deployment, workers, dispatchers, database, redis, keep)
    if goal and scaled:
        raise UsageError("--target is a platform that runs already; --deployment scaled starts one: choose")
    built = world.build(chosen, quiet=quiet)
    if not quiet:
        rate = len(built[1]) * chosen.clock.speed / chosen.clock.duration_s
        console.err.print(f"load: {rate:.1f} intents/s for {chosen.clock.duration_s / chosen.clock.speed:.0f} s")
    live = run_load(chosen, built=built, target=goal, deployment=scaled, out=out, web_ui=ui, quiet=quiet)
    figures = tell_run(live, quiet=quiet)
    runs = [live]
    if twin:
        runs.insert(0, run_model(chosen, quiet=quiet, built=built))
        tell_run(runs[0], quiet=quiet)
    typer.echo(f"report: {write_report(runs, live.folder / 'report.html')}")
    write_json(json, figures, seed=chosen.seed)
    summary = summary_of(live)
    met = (
        summary.validity.valid and clean(live.manifest.verdicts) and all(o.ok is not False for o in summary.objectives)
    )
    if gate and not met:
        raise typer.Exit(EXIT_NOT_MET)
