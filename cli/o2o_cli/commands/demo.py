"""`o2o demo`: the main job on the embedded default, in a few minutes: one lunch, modelled and live, one report."""

from __future__ import annotations

from typing import Annotated

import typer

from o2o_cli import console
from o2o_cli.errors import EXIT_NOT_MET
from o2o_cli.jobs import world
from o2o_cli.jobs.live import compressed, run_load
from o2o_cli.jobs.modelled import run_model
from o2o_cli.jobs.told import tell_run
from o2o_cli.options import QuietOption, SeedOption
from o2o_results.audit import clean
from o2o_results.report import write_report
from o2o_scenarios.loader import load as load_scenario

SCENARIO = "lunch_peak"
SPEED = 60.0
ORDERS_PER_HOUR = 900.0
RIDERS = 800


def demo(
    duration: Annotated[
        float, typer.Option("--duration", min=5.0, metavar="S", help="Wall seconds during which orders arrive live.")
    ] = 30.0,
    seed: SeedOption = None,
    quiet: QuietOption = False,
) -> None:
    """Run lunch_peak in the model and against a live platform on SQLite, audit both, and make one report.

    The city runs sixty times as fast as the clock, so that the last rider is home within a minute or two.

    Example: o2o demo
    """
    overrides = [
        f"demand.orders_per_hour={ORDERS_PER_HOUR:g}",
        "demand.deals_per_hour=60",
        f"city.riders.count={RIDERS}",
    ]
    chosen = compressed(load_scenario(SCENARIO, overrides, seed=seed), speed=SPEED, duration_s=duration, drain_s=None)
    built = world.build(chosen, quiet=quiet)
    console.err.print(f"1/2 the model: {len(built[1]):,} intents")
    model = run_model(chosen, quiet=quiet, built=built)
    tell_run(model, quiet=quiet)
    console.err.print(
        f"2/2 live: the same {len(built[1]):,} intents against a platform, printers and riders on this machine"
    )
    live = run_load(chosen, built=built, quiet=quiet)
    tell_run(live, quiet=quiet)
    typer.echo(f"report: {write_report([model, live], live.folder / 'report.html')}")
    if not (clean(model.manifest.verdicts) and clean(live.manifest.verdicts)):
        raise typer.Exit(EXIT_NOT_MET)
