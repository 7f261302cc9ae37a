"""The command `o2o`: puts the commands together; the only module that knows them all.

Decides names and order, and that a command's module is imported when the command is called and not before, so that
`o2o --help` does not wait for scipy, DuckDB and Locust. Leaves options and texts to the modules in `commands`.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version as version_of
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from o2o_cli.errors import guarded

COMMANDS = {
    "demo": "One lunch, modelled and live, both audited, in one report.",
    "scenarios": "List, show and check scenarios.",
    "simulate": "A scenario in the model: same file and seed, same tables.",
    "up": "The scaled platform: all its processes under one supervisor.",
    "serve": "The reference platform: all on SQLite, or scaled workers.",
    "relay": "Scaled: copies the outbox into the stream.",
    "dispatch": "Scaled: brings tickets to the printers.",
    "provider": "The sandbox payment provider, on its own.",
    "printers": "Virtual printers on TCP ports; paper goes to a file.",
    "vendor-cloud": "A stand-in for printer vendors' clouds, on its own.",
    "load": "A scenario's trace against a live platform, as it comes.",
    "chaos": "Break the platform on purpose, and audit what is left.",
    "compare": "Variants of a scenario: what differs, and how surely.",
    "report": "One HTML page, offline, about a run, or two side by side.",
    "runs": "The runs made so far, newest first.",
    "bench": "The hot paths, as ratios to a calibration loop.",
}
"""Every command and its line in `o2o --help`. `commands/NAME.py` (a hyphen is "_" there) holds a function
NAME, or a Typer `app` of several."""


class _LateGroup(TyperGroup):
    """A group whose members are placeholders until one is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, _, rest = super().resolve_command(ctx, args)  # against the placeholders: unknown names, near matches
        return name, command(str(name)), rest


def command(name: str) -> Any:
    """The command `name`, from its module."""
    python_name = name.replace("-", "_")
    module = import_module(f"o2o_cli.commands.{python_name}")
    found: typer.Typer | None = getattr(module, "app", None)
    if found is None:
        found = typer.Typer(add_completion=False, rich_markup_mode=None)
        found.command(name)(getattr(module, python_name))
    return typer.main.get_command(found)


app = typer.Typer(
    name="o2o",
    cls=_LateGroup,
    help=(
        "The lab in which an O2O platform's peak day is lived through before it comes.\n\n"
        "Example: o2o simulate lunch_peak"
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
for _name, _line in COMMANDS.items():
    app.command(_name, help=_line)(lambda: None)


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"o2o {version_of('o2o-lab')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def run() -> None:
    """Entry point of the console script."""
    guarded(lambda: app(prog_name="o2o", standalone_mode=False))


if __name__ == "__main__":
    run()
