"""`o2o compare`: variants of a scenario under the same chance, with paired confidence intervals."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from o2o_cli import console
from o2o_cli.errors import Interrupted, UsageError
from o2o_cli.jobs.modelled import stoppable
from o2o_cli.options import (
    JsonOption,
    QuietOption,
    ResumeOption,
    ScenarioArgument,
    SeedOption,
    SetOption,
    scenario_from,
    write_json,
)
from o2o_results.comparison import Comparison
from o2o_results.report.compare_report import write_compare_report
from o2o_scenarios.document import dotted
from o2o_scenarios.errors import ScenarioError
from o2o_scenarios.overrides import parse_override
from o2o_sim.errors import ComparisonStopped
from o2o_sim.experiments.compare import compare as run_comparison
from o2o_sim.experiments.variants import Variant, check

COMPARISONS = Path("results") / "runs"


def compare(
    scenario: ScenarioArgument,
    vary: Annotated[
        str | None,
        typer.Option(
            "--vary",
            metavar="FIELD=A,B,C",
            help="The field that differs, and its values; the first is the baseline (default: the scenario's).",
        ),
    ] = None,
    replications: Annotated[
        int | None,
        typer.Option("--replications", "-n", min=2, help="Runs of each variant (default: the scenario's)."),
    ] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Processes (default: one a core).")] = None,
    set_: SetOption = None,
    seed: SeedOption = None,
    out: ResumeOption = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Simulate variants of a scenario and say what differs, and how surely.

    Every variant meets the same city, leads and luck (common random numbers), so differences are paired by
    replication. Runs go to all cores; Ctrl-C keeps what is finished, and the same command with --out goes on.

    Example: o2o compare pool_quota --vary crm.pool.quota=20,40,100 -n 20
    """
    plan = scenario_from(scenario, set_, seed).compare
    vary, runs = vary or plan.vary, replications or plan.replications
    if vary is None:
        raise UsageError(f"{scenario} does not say what to vary: write --vary FIELD=A,B")
    variants = variants_of(scenario, vary, runs, set_, seed)
    folder = out or COMPARISONS / f"compare-{variants[0].scenario.name}"
    count = workers or len(os.sched_getaffinity(0))
    try:
        with stoppable() as stop, console.progress(f"comparing {scenario}", quiet=quiet) as progress:
            found = run_comparison(
                variants,
                runs,
                workers=count,
                out=folder,
                progress=lambda done, total: progress(done / total),
                stop=stop,
            )
    except ComparisonStopped as error:
        raise Interrupted(str(error)) from error
    tell(found)
    typer.echo(f"report: {write_compare_report(found, folder / 'compare.html')}")
    write_json(json, found.to_json(), seed=variants[0].scenario.seed)


def variants_of(name: str, vary: str, replications: int, set_: list[str] | None, seed: int | None) -> list[Variant]:
    """One variant a value of `--vary`. Raises UsageError, ScenarioError, ExperimentError."""
    field, equals, raw = vary.partition("=")
    values = [value.strip() for value in raw.split(",")]
    if not equals or len(values) < 2 or not all(values):
        raise UsageError(
            f"--vary {vary}: write FIELD=A,B with two values or more, e.g. --vary crm.pool.quota=20,40,100"
        )
    if len(set(values)) < len(values):
        raise UsageError(f"--vary {vary}: the values must differ")
    scenario_from(name, set_, seed)  # whatever is wrong below is wrong with --vary
    try:
        path, _ = parse_override(f"{field}={values[0]}")
        variants = [
            Variant(f"{dotted(path)}={value}", scenario_from(name, [*(set_ or []), f"{field}={value}"], seed))
            for value in values
        ]
    except ScenarioError as error:
        raise UsageError(str(error).replace("--set", "--vary", 1)) from error
    check(variants, replications)
    return variants


def tell(found: Comparison) -> None:
    """Print each metric: mean and interval of each variant, and the paired difference from the baseline."""
    rows = []
    for metric in found.metrics:
        for variant in found.variants:
            mean = found.mean(metric.name, variant.label)
            told = "baseline"
            if variant.label != found.baseline:
                change = found.difference(metric.name, variant.label)
                figures = (change.interval.mean, change.interval.low, change.interval.high)
                middle, low, high = (f"{value:+.{metric.digits}f}" for value in figures)
                told = f"{middle} [{low}, {high}]" if change.shown else "no difference shown"
            first = variant.label == found.variants[0].label
            label = variant.label.partition("=")[2] or variant.label
            figure = f"{mean.mean:.{metric.digits}f} ± {(mean.high - mean.low) / 2:.{metric.digits}f}"
            rows.append([metric.title if first else "", label, figure, told])
    console.table(
        f"{found.title}: {found.replications} replications, {found.confidence:.0%} intervals, "
        f"paired with {found.baseline}",
        ["metric", "variant", "mean", "difference"],
        rows,
    )
    console.out.print(f"stopped by: {found.stopping_rule}")
