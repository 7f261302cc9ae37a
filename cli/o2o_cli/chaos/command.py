"""`o2o chaos order-path`: options, plan, campaign, verdict, exit code."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from o2o_cli import console
from o2o_cli.chaos.plan import Kill, plan
from o2o_cli.errors import EXIT_NOT_MET, UsageError
from o2o_cli.options import JsonOption, QuietOption, write_json
from o2o_cli.up.folder import StateFolder
from o2o_cli.up.postgres import drop_cluster

SMALL_RATE = 50.0
"""Orders a second below which a small world is enough."""


@dataclass(frozen=True)
class Wanted:
    """What was typed."""

    kills: int
    seed: int
    rate: float
    every: float
    workers: int
    dispatchers: int
    printers: int
    state: Path | None
    plan_only: bool
    json: Path | None
    quiet: bool


def order_path(
    kills: Annotated[int, typer.Option("--kills", min=0, max=1000, help="Processes to kill.")] = 50,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the plan, the orders and the arrivals.")] = 7,
    rate: Annotated[float, typer.Option("--rate", min=1, max=5000, help="Orders a second.")] = 200.0,
    every: Annotated[float, typer.Option("--every", min=0.2, max=600, help="Seconds from kill to kill.")] = 2.0,
    workers: Annotated[int, typer.Option("--workers", min=1, max=32, help="Worker processes.")] = 2,
    dispatchers: Annotated[int, typer.Option("--dispatchers", min=1, max=32, help="Dispatcher processes.")] = 2,
    printers: Annotated[int, typer.Option("--printers", min=1, max=5000, help="Merchants, with a printer each.")] = 50,
    state: Annotated[
        Path | None,
        typer.Option("--state", metavar="DIR", help="A new folder for all that is left; else a temporary one."),
    ] = None,
    plan_only: Annotated[bool, typer.Option("--plan", help="Print who would be killed when, and do nothing.")] = False,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Kill processes of the scaled platform under load, let it heal, and audit: nothing lost, nothing printed twice.

    Example: o2o chaos order-path --kills 50 --seed 7
    """
    wanted = Wanted(kills, seed, rate, every, workers, dispatchers, printers, state, plan_only, json, quiet)
    if code := run_order_path(wanted):
        raise typer.Exit(code)


def run_order_path(wanted: Wanted) -> int:
    """The exit code: 1 when anything was found. Raises UsageError when the set cannot be started."""
    planned = plan(wanted.seed, wanted.kills, every_s=wanted.every)
    if wanted.plan_only:
        tell_plan(planned)
        write_json(wanted.json, {"plan": [kill.to_json() for kill in planned]}, seed=wanted.seed)
        return 0
    state = wanted.state
    if state is not None:
        if state.exists() and any(state.iterdir()):
            raise UsageError(f"--state {state}: the folder is not empty; name a new one, so that nothing is mixed")
        return _run(wanted, planned, state.absolute(), run=state.absolute() / "run")
    made = Path(tempfile.mkdtemp(prefix="o2o-chaos-"))
    made.chmod(0o755)  # PostgreSQL's user has to get through
    found = 0
    try:
        found = _run(wanted, planned, made, run=None)
    finally:
        if found:
            console.out.print(f"logs, database and journals are kept in {made}")
        else:
            drop_cluster(StateFolder(made))  # it may lie elsewhere
            shutil.rmtree(made, ignore_errors=True)
    return found


def _run(wanted: Wanted, planned: list[Kill], state: Path, *, run: Path | None) -> int:
    # Not before they are needed: `--plan` and `--help` ask nothing of DuckDB and Arrow.
    from o2o_cli.chaos import verdict
    from o2o_cli.chaos.campaign import Options, campaign
    from o2o_loadtest.peak.world import Size

    options = Options(
        planned, wanted.seed, wanted.rate, wanted.every, wanted.workers, wanted.dispatchers, wanted.printers, state
    )
    few = wanted.rate <= SMALL_RATE
    size = Size(
        merchants=wanted.printers,
        dishes=8,
        users=200 if few else 2000,
        coupons=20,
        stock=10**6,
        coupon_budget_fen=10**9,
    )
    with console.phases(quiet=wanted.quiet) as progress:
        outcome, sides = asyncio.run(campaign(options, size, progress, lambda found: verdict.gather(options, found)))
    judged = verdict.judge(options, outcome, sides, run)
    verdict.tell(judged, quiet=wanted.quiet)
    write_json(wanted.json, judged.to_json(), seed=wanted.seed)
    return EXIT_NOT_MET if judged.problems else 0


def tell_plan(planned: list[Kill]) -> None:
    """Print the plan."""
    console.table(
        "Plan",
        ["number", "at s", "kind", "pick"],
        [[str(kill.number + 1), f"{kill.at_s:.1f}", kill.kind, f"{kill.pick:.3f}"] for kill in planned],
    )
