"""`o2o simulate`: a scenario in the model."""

from __future__ import annotations

from typing import Annotated

import typer

from o2o_cli.jobs.modelled import run_model
from o2o_cli.jobs.told import tell_run
from o2o_cli.options import (
    JsonOption,
    OutOption,
    QuietOption,
    ScenarioArgument,
    SeedOption,
    SetOption,
    scenario_from,
    write_json,
)
from o2o_results.report import write_report


def simulate(
    scenario: ScenarioArgument,
    set_: SetOption = None,
    seed: SeedOption = None,
    out: OutOption = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Also write the HTML report.")] = True,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Simulate a scenario in the model: same file and seed, same tables, to the bit.

    Example: o2o simulate lunch_peak --set demand.orders_per_hour=12000 --seed 3
    """
    chosen = scenario_from(scenario, set_, seed)
    run = run_model(chosen, out=out, quiet=quiet)
    figures = tell_run(run, quiet=quiet)
    if report:
        typer.echo(f"report: {write_report([run], run.folder / 'report.html')}")
    write_json(json, figures, seed=chosen.seed)
