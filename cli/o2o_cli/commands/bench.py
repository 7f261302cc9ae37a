"""`o2o bench`: the hot paths as ratios to a calibration loop; the order path as ratios to pgbench; the printers.

Decides that `o2o bench` with names, options or nothing at all means the suite of hot paths (`hot-paths`), and that the
benchmarks which need servers and minutes are asked for by name.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from o2o_cli.options import JsonOption, QuietOption

DEFAULT = "hot-paths"

GateOption = Annotated[bool, typer.Option("--gate", help="Exit 1 when a row says SHORT.")]
AllGateOption = Annotated[bool, typer.Option("--gate", help="Exit 1 when a row says anything but PASS.")]
SmokeOption = Annotated[bool, typer.Option("--smoke", help="A second each, a small world: does it still run?")]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="A PostgreSQL server that runs (a database of its own is made there) instead of starting one.",
    ),
]
RedisOption = Annotated[
    str | None, typer.Option("--redis", metavar="URL", help="A Redis server that runs instead of starting one.")
]


class _WithDefault(TyperGroup):
    """A group whose first word may be left out."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0] != "--help" and args[0] not in self.commands):
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_WithDefault,
    help=(
        "Benchmark the hot paths (hot-paths, the default), or the order path against pgbench.\n\n"
        "Example: o2o bench order-path --seconds 10"
    ),
    add_completion=False,
    rich_markup_mode=None,
)


@app.command(DEFAULT)
def hot_paths(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Benchmarks to run (default: all).")
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Few rounds, under a minute: does every benchmark still run?")
    ] = False,
    gate: GateOption = False,
    save: Annotated[bool, typer.Option("--save-baseline", help="Keep this run as the baseline.")] = False,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Benchmark the hot paths; each row is a ratio to a calibration loop measured in the same run.

    Example: o2o bench hot-paths pricing --gate
    """
    from o2o_cli.bench.runner import run_bench

    _exit(run_bench(names or [], gate=gate, json_path=json, smoke=smoke, save_baseline=save, quiet=quiet))


@app.command("order-path")
def order_path(
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=600, help="Seconds a measurement takes.")] = 10.0,
    pairs: Annotated[int, typer.Option("--pairs", min=1, max=50, help="Pairs of ours and pgbench.")] = 5,
    database: DatabaseOption = None,
    redis: RedisOption = None,
    smoke: SmokeOption = False,
    gate: AllGateOption = False,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Orders a second of one worker on PostgreSQL against pgbench running the same statements, and the p99 below that.

    Example: o2o bench order-path --seconds 10 --pairs 5
    """
    from o2o_cli.bench.order_path import run_order_path

    _exit(
        run_order_path(
            seconds=seconds,
            pairs=pairs,
            database=database,
            redis=redis,
            smoke=smoke,
            gate=gate,
            json_path=json,
            quiet=quiet,
        )
    )


@app.command("end-to-end")
def end_to_end(
    seconds: Annotated[
        float, typer.Option("--seconds", min=2, max=600, help="Seconds that a rate must be sustained.")
    ] = 10.0,
    database: DatabaseOption = None,
    redis: RedisOption = None,
    smoke: SmokeOption = False,
    gate: AllGateOption = False,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """The rate sustained from the order to the last byte sent to the printer, as a share of the order rate.

    Example: o2o bench end-to-end --seconds 10
    """
    from o2o_cli.bench.end_to_end import run_end_to_end

    _exit(
        run_end_to_end(
            seconds=seconds, database=database, redis=redis, smoke=smoke, gate=gate, json_path=json, quiet=quiet
        )
    )


@app.command("printers")
def printers(
    count: Annotated[int, typer.Option("--count", min=1, max=20_000, help="Printers, each connected.")] = 10_000,
    rate: Annotated[float, typer.Option("--rate", min=0.1, max=5_000, help="Tickets a second.")] = 200.0,
    seconds: Annotated[float, typer.Option("--seconds", min=1, max=3_600, help="Seconds of tickets.")] = 120.0,
    processes: Annotated[int | None, typer.Option("--processes", min=1, max=256, help="Default: one a core.")] = None,
    smoke: SmokeOption = False,
    gate: AllGateOption = False,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """A fleet of printers with a connection to each: memory, CPU, and every ticket read back to its order.

    Exit 1 when a ticket is missing, doubled or wrong.

    Example: o2o bench printers --count 10000 --rate 200 --seconds 120
    """
    from o2o_cli.bench.printers import run_printers

    _exit(
        run_printers(
            count=count,
            rate=rate,
            seconds=seconds,
            processes=processes,
            smoke=smoke,
            gate=gate,
            json_path=json,
            quiet=quiet,
        )
    )


def _exit(code: int) -> None:
    if code:
        raise typer.Exit(code)
