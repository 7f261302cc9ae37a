"""`o2o runs`: what was run so far."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from o2o_cli import console
from o2o_cli.errors import UsageError
from o2o_results.runs import RUNS, list_runs


def runs(
    root: Annotated[Path, typer.Option("--root", metavar="FOLDER", help="Where the runs lie.")] = RUNS,
    limit: Annotated[int, typer.Option("--limit", min=1, help="Show at most so many, newest first.")] = 30,
) -> None:
    """The runs made so far, newest first.

    Example: o2o runs --limit 5
    """
    if root != RUNS and not root.is_dir():
        raise UsageError(f"--root {root}: {'is a file, not a folder' if root.exists() else 'no such folder'}")
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
