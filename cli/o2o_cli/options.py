"""Options that several commands share, and what they mean.

Decides names, help texts and checks once; each command composes them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from o2o_cli.errors import UsageError
from o2o_results.manifest import machine, versions
from o2o_scenarios.loader import load
from o2o_scenarios.schema import Scenario

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
    Path | None, typer.Option("--out", metavar="FOLDER", help="Write here instead of a new folder in results/runs.")
]
JsonOption = Annotated[
    Path | None, typer.Option("--json", metavar="PATH", help="Also write the figures as JSON under stable names.")
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


def checked_out(out: Path | None) -> Path | None:
    """The folder of --out, if it can take a new run. Raises UsageError."""
    if out is None:
        return None
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is a file; name a folder")
    if out.is_dir() and any(out.iterdir()):
        raise UsageError(f"--out {out}: the folder is not empty; name a new one, so that no earlier run is overwritten")
    return out


def write_json(path: Path | None, figures: Mapping[str, Any], *, seed: int | None = None) -> None:
    """Write figures with what others need to check them: machine, versions, seed and argv."""
    if path is None:
        return
    whole = {"figures": figures, "seed": seed, "argv": sys.argv, "machine": machine(), "versions": versions()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=2, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
