"""The command `o2o`: puts the commands together; the only module that knows them all."""

from __future__ import annotations

from importlib.metadata import version as version_of
from typing import Annotated

import typer

from o2o_cli.commands import bench, compare, demo, load, runs, scenarios, serve, simulate
from o2o_cli.errors import guarded

app = typer.Typer(
    name="o2o",
    help=(
        "The lab in which an O2O platform's peak day is lived through before it comes.\n\n"
        "Example: o2o simulate lunch_peak"
    ),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
app.command()(demo.demo)
app.add_typer(scenarios.app, name="scenarios")
app.command()(simulate.simulate)
app.command()(serve.serve)
app.command()(load.load)
app.command()(compare.compare)
app.command()(runs.report)
app.command("runs")(runs.runs)
app.command()(bench.bench)


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
    guarded(lambda: app(standalone_mode=False))


if __name__ == "__main__":
    run()
