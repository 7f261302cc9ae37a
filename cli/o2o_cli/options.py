"""Options that several commands share, and what they mean.

Decides names, help texts and checks once; each command composes them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from o2o_cli.errors import UsageError
from o2o_results.manifest import machine, versions
from o2o_scenarios.loader import load
from o2o_scenarios.schema import Scenario


def _out(out: Path | None) -> Path | None:
    """The folder of --out, if it can take a new run. Raises UsageError."""
    if out is None:
        return None
    _beneath_a_folder(out, "--out")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is a file; name a folder")
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"--out {out}: the folder is not empty; name a new one, so that no earlier run is overwritten")
    return out


def _resumed(out: Path | None) -> Path | None:
    """The folder of --out, which may hold an earlier part of the same work. Raises UsageError."""
    return out if out is not None and out.is_dir() else _out(out)


def file_for(option: str) -> Callable[[Path | None], Path | None]:
    """The path of an option, if a file can be written there: known before the work begins, not after it."""

    def check(path: Path | None) -> Path | None:
        if path is not None:
            _beneath_a_folder(path, option)
            if path.is_dir():
                raise UsageError(f"{option} {path}: is a folder; name a file")
        return path

    return check


def folder_for(option: str) -> Callable[[Path], Path]:
    """The path of an option, if a folder can be made there, or there is one. Raises UsageError."""

    def check(path: Path) -> Path:
        _beneath_a_folder(path, option)
        if path.exists() and not path.is_dir():
            raise UsageError(f"{option} {path}: is a file; name a folder")
        return path

    return check


def _beneath_a_folder(path: Path, option: str) -> None:
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise UsageError(f"{option} {path}: {above} is a file, not a folder")
    if not os.access(above, os.W_OK):
        raise UsageError(f"{option} {path}: no permission to write in {above}")


ScenarioArgument = Annotated[
    str, typer.Argument(metavar="SCENARIO", help="A name of the catalogue (see `o2o scenarios list`) or a YAML file.")
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="FIELD=VALUE", help="Change one field by its dotted name, e.g. demand.orders_per_hour=12000."
    ),
]
SeedOption = Annotated[int | None, typer.Option("--seed", metavar="N", help="Use this seed instead of the file's.")]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FOLDER", callback=_out, help="Write here instead of a new folder in results/runs."),
]
JsonOption = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="PATH", callback=file_for("--json"), help="Also write the figures as JSON under stable names."
    ),
]
ResumeOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="FOLDER",
        callback=_resumed,
        help="Keep runs and report here; an interrupted comparison goes on from it.",
    ),
]
ReportOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", callback=file_for("--out"), help="The HTML file to write.")
]
SchemaOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="FILE", callback=file_for("--out"), help="Write to a file, not to the terminal."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only the essential lines, no progress.")]


def scenario_from(name: str, overrides: list[str] | None, seed: int | None) -> Scenario:
    """The scenario that the shared options describe. Raises ScenarioError."""
    return load(name, overrides or [], seed=seed)


def of_kind(scenario: Scenario, kind: str, command: str) -> Scenario:
    """The scenario, if it is of the kind that a command can run. Raises UsageError."""
    if scenario.kind != kind:
        other = "o2o compare" if kind == "city" else "o2o simulate"
        raise UsageError(
            f"`{scenario.name}` is a scenario of kind `{scenario.kind}`; "
            f"`o2o {command}` runs kind `{kind}` (try `{other}`)"
        )
    return scenario


def write_json(path: Path | None, figures: Mapping[str, Any], *, seed: int | None = None) -> None:
    """Write figures with what others need to check them: machine, versions, seed and argv."""
    if path is None:
        return
    argv = ["o2o", *sys.argv[1:]]  # and not where this machine keeps the command
    whole = {"figures": figures, "seed": seed, "argv": argv, "machine": machine(), "versions": versions()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
