"""`o2o scenarios`: the catalogue, one scenario in full, a check of a file, and the JSON Schema for editors."""

from __future__ import annotations

import json
from typing import Annotated

import typer
import yaml

from o2o_cli import console
from o2o_cli.options import ScenarioArgument, SchemaOption, SeedOption, SetOption, scenario_from
from o2o_scenarios.errors import ScenarioError
from o2o_scenarios.loader import catalogue, json_schema, load, scenario_hash

app = typer.Typer(
    help="List, show and check scenarios.\n\nExample: o2o scenarios show lunch_peak",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@app.command("list")
def list_() -> None:
    """The scenarios of the catalogue, a line each.

    Example: o2o scenarios list
    """
    rows = []
    for name, path in catalogue().items():
        try:
            scenario = load(str(path))
        except ScenarioError as error:
            rows.append([name, "", f"not valid: {error}"])
        else:
            rows.append([name, scenario.kind, scenario.title])
    console.table("Scenarios", ["name", "kind", "title"], rows)


@app.command()
def show(name: ScenarioArgument, set_: SetOption = None, seed: SeedOption = None) -> None:
    """One scenario in full, as YAML, every default written out.

    Example: o2o scenarios show lunch_peak --set demand.weather=rain
    """
    scenario = scenario_from(name, set_, seed)
    text = yaml.safe_dump(scenario.model_dump(mode="json"), allow_unicode=True, sort_keys=False, width=110)
    typer.echo(f"# {scenario.name}, hash {scenario_hash(scenario)[:12]}")
    typer.echo(text, nl=False)


@app.command()
def check(names: Annotated[list[str], typer.Argument(metavar="SCENARIO...", help="Names or files to check.")]) -> None:
    """Check scenarios; the first that is not valid is told with file, line and what is allowed.

    Example: o2o scenarios check my_lunch.yaml
    """
    for name in names:
        scenario = load(name)
        typer.echo(
            f"{name}: valid (scenario {scenario.name}, kind {scenario.kind}, hash {scenario_hash(scenario)[:12]})"
        )


@app.command()
def schema(out: SchemaOption = None) -> None:
    """The JSON Schema of a scenario file; editors use it to complete and check fields.

    Example: o2o scenarios schema --out scenario.schema.json
    """
    text = json.dumps(json_schema(), indent=2, ensure_ascii=False)
    if out is None:
        typer.echo(text)
    else:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")
        typer.echo(f"schema: {out}")
