"""`o2o bench`: the hot paths, as ratios to a calibration loop of the same run."""

from __future__ import annotations

from typing import Annotated

import typer

from o2o_cli.bench.runner import run_bench
from o2o_cli.options import JsonOption, QuietOption


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Benchmarks to run (default: all).")
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Few rounds, under a minute: does every benchmark still run?")
    ] = False,
    gate: Annotated[bool, typer.Option("--gate", help="Exit 1 when a row says SHORT.")] = False,
    save: Annotated[bool, typer.Option("--save-baseline", help="Keep this run as the baseline.")] = False,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Benchmark the hot paths; each row is a ratio to a calibration loop measured in the same run.

    Example: o2o bench pricing escpos --gate
    """
    code = run_bench(names or [], gate=gate, json_path=json, smoke=smoke, save_baseline=save, quiet=quiet)
    if code:
        raise typer.Exit(code)
