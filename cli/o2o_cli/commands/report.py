"""`o2o report`: a page about one run or two."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from o2o_cli.errors import UsageError
from o2o_cli.options import ReportOption
from o2o_results.report import write_report
from o2o_results.runs import RUNS, find_run


def report(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RUN [RUN]", help="A run's folder or name, `latest`, `latest:model`, `latest:live`."),
    ],
    out: ReportOption = None,
    root: Annotated[Path, typer.Option("--root", metavar="FOLDER", help="Where the runs lie.")] = RUNS,
) -> None:
    """One HTML page, offline, about a run, or about two side by side (e.g. model and live).

    Example: o2o report latest:model latest:live --out both.html
    """
    if len(names) > 2:
        raise UsageError(f"a report takes one run or two, not {len(names)}")
    found = [find_run(name, root) for name in names]
    path = out or found[-1].folder / ("report.html" if len(found) == 1 else "report-both.html")
    typer.echo(f"report: {write_report(found, path)}")
