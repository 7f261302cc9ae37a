"""`o2o runs` and `o2o report`: what was run, and a page about it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from o2o_cli import console
from o2o_cli.errors import UsageError
from o2o_cli.jobs.report import make_report
from o2o_results.runs import RUNS, find_run, list_runs


def runs(
    root: Annotated[Path, typer.Option("--root", metavar="FOLDER", help="Where the runs lie.")] = RUNS,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many, newest first.")] = 30,
) -> None:
    """The runs made so far, newest first.

    Example: o2o runs --limit 5
    """
    listed = list_runs(root)
    rows = []
    for run in listed[:limit]:
        if run.manifest is None:
            rows.append([run.folder.name, "", "damaged", "", "", run.error or ""])
            continue
        manifest = run.manifest
        broken = sum(not verdict.ok for verdict in manifest.verdicts)
        audit = "-" if not manifest.verdicts else ("clean" if not broken else f"{broken} broken")
        rows.append(
            [
                run.folder.name,
                manifest.world,
                manifest.status,
                audit,
                str(manifest.seed),
                (manifest.table_hash or "")[:12],
            ]
        )
    if not rows:
        typer.echo(f"no runs in {root} yet; make one: o2o simulate lunch_peak")
        return
    console.table(f"Runs in {root}", ["run", "world", "status", "audit", "seed", "tables"], rows)


def report(
    names: Annotated[
        list[str],
        typer.Argument(metavar="RUN [RUN]", help="A run's folder or name, `latest`, `latest:model`, `latest:live`."),
    ],
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="The HTML file to write.")] = None,
    root: Annotated[Path, typer.Option("--root", metavar="FOLDER", help="Where the runs lie.")] = RUNS,
) -> None:
    """One HTML page, offline, about a run, or about two side by side (e.g. model and live).

    Example: o2o report latest:model latest:live --out both.html
    """
    if len(names) > 2:
        raise UsageError(f"a report takes one run or two, not {len(names)}")
    found = [find_run(name, root) for name in names]
    path = out or found[-1].folder / ("report.html" if len(found) == 1 else "report-both.html")
    typer.echo(f"report: {make_report(found, path)}")
