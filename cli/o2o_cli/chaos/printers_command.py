"""`o2o chaos printers`: options, campaign, verdict, what is printed, exit code.

Decides what makes a campaign fail: a broken promise of the audit or of the users' side, a fault that was never met, or
a platform that never came to rest. Unconfirmed tickets are no failure: they are counted, by what their printer met.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from o2o_cli import console
from o2o_cli.errors import EXIT_NOT_MET
from o2o_cli.options import JsonOption, QuietOption, write_json
from o2o_devices.chances import parse_shares
from o2o_devices.faults import KINDS, REPORTS, Kind

if TYPE_CHECKING:
    from o2o_cli.chaos.printers import Options, Outcome
    from o2o_results.verdicts import Verdict

EACH = 0.04
"""Share of tickets that meet each kind of fault, unless the command line says otherwise."""
OFTEN = 20
"""A kind is to be met so often, if twice as many tickets can be expected to meet it; else half as often as expected."""


def printers(
    transport: Annotated[
        str, typer.Option("--transport", metavar="NAME", help="How the platform and its printers speak.")
    ] = "tcp9100",
    orders: Annotated[int, typer.Option("--orders", min=1, max=200_000, help="Orders to place and pay.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the orders and of the faults.")] = 7,
    faults: Annotated[
        str | None,
        typer.Option(
            "--faults", metavar="FAULT=SHARE,...", help=f"Default: {EACH:g} of tickets each, of {', '.join(KINDS)}."
        ),
    ] = None,
    pictures: Annotated[
        bool,
        typer.Option(
            "--pictures",
            help="Tickets begin with a picture (tcp9100); cheap printers whose paper ends in it print garbage after.",
        ),
    ] = False,
    count: Annotated[int, typer.Option("--printers", min=1, max=2000, help="Merchants, with a printer each.")] = 40,
    database: Annotated[
        str | None, typer.Option("--database", metavar="URL", help="An empty database (default: a SQLite file).")
    ] = None,
    redis: Annotated[str | None, typer.Option("--redis", metavar="URL", help="Needed with PostgreSQL.")] = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Print orders on virtual printers that break in every known way, over one transport, and audit every ticket.

    Example: o2o chaos printers --transport tcp9100 --orders 1000 --seed 7
    """
    shares: dict[Kind, float] = parse_shares(faults) if faults else dict.fromkeys(KINDS, EACH)
    servers = {"database": database, "redis": redis}
    if code := run_printers(
        transport, orders, seed, shares, count, **servers, pictures=pictures, json=json, quiet=quiet
    ):
        raise typer.Exit(code)


def run_printers(
    transport: str,
    orders: int,
    seed: int,
    shares: dict[Kind, float],
    count: int,
    *,
    database: str | None = None,
    redis: str | None = None,
    pictures: bool = False,
    json: Path | None = None,
    quiet: bool = False,
) -> int:
    """The exit code: 1 when anything was found. Raises UsageError when a process cannot be started."""
    from o2o_cli.chaos.printer_transports import transport as named
    from o2o_cli.chaos.printers import Options, campaign

    way = named(transport)
    folder = Path(tempfile.mkdtemp(prefix="o2o-printers-"))
    options = Options(way, orders, seed, folder, shares, count, database, redis, pictures)
    problems: list[str] | None = None
    try:
        with console.phases(quiet=quiet) as progress:
            outcome = asyncio.run(campaign(options, progress))
        verdicts = judge(options, outcome)
        figures = figures_of(options, outcome, verdicts)
        problems = figures["problems"]
        tell(figures, verdicts)
        write_json(json, figures, seed=seed)
    finally:
        if problems == []:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            console.out.print(f"logs, database and journal are kept in {folder}")
    return EXIT_NOT_MET if problems else 0


def judge(options: Options, outcome: Outcome) -> list[Verdict]:
    """Every promise of the audit, and those of the users' side."""
    from o2o_loadtest.peak.gather import tables
    from o2o_loadtest.peak.promises import promises
    from o2o_results.audit import audit
    from o2o_scenarios.schema import Scenario

    assert outcome.sides is not None
    horizon_s = outcome.ended - outcome.sides.epoch
    expected = min((options.orders * share for share in options.shares.values() if share), default=0.0)
    at_least = min(OFTEN, int(expected / 2)) if expected >= 6 else 0  # of a few there may be none by chance
    scenario = Scenario.model_validate(
        {
            "name": "chaos_printers",
            "seed": options.seed,
            "clock": {"duration_s": max(horizon_s, 1.0), "drain_s": 0.0},
            "printing": {
                "deadline_s": outcome.deadline_s,
                "faults": {**options.shares, "at_least": at_least},
            },
        }
    )
    found = audit(tables(outcome.sides), scenario, horizon_s=horizon_s, live=True)
    return [*found, *promises(outcome.sides)]


def figures_of(options: Options, outcome: Outcome, verdicts: list[Verdict]) -> dict[str, Any]:
    """Under stable names."""
    from o2o_loadtest.peak.gather import tables
    from o2o_results.printer_faults import tally

    assert outcome.sides is not None
    sides = outcome.sides
    problems = [f"{one.name}: {one.violations} violations" for one in verdicts if not one.ok]
    problems += [f"never at rest: {count} {name}" for name, count in outcome.unrest.items()]
    tickets = sides.platform["tickets"]
    return {
        "transport": options.transport.name,
        "orders": options.orders,
        "printers": options.printers,
        "placed": sum(row["outcome"] == "placed" for row in sides.users),
        "paid": sum(row["paid"] is not None for row in sides.platform["orders"]),
        "seconds": round(outcome.seconds, 2),
        "rest_s": round(outcome.rest_s, 2),
        "shares": options.shares,
        "tickets": dict(Counter(row["state"] for row in tickets)),
        "papers": len(sides.papers),
        "whole_papers": sum(row["complete"] for row in sides.papers),
        "faults": {one.kind: one.to_json() for one in tally(tables(sides))},
        "power_cycled": outcome.cycled,
        "unrest": outcome.unrest,
        "verdicts": [verdict.to_json() for verdict in verdicts],
        "problems": problems,
    }


def tell(figures: dict[str, Any], verdicts: list[Verdict]) -> None:
    """Print what was met, what became of it, and the verdict."""
    names = ("met", "in_print", "printed", "late", "unconfirmed", "failed")
    console.table(
        f"Faults over {figures['transport']}",
        ["fault", "met", "in print", "printed", "of these late", "unconfirmed", "failed", "as in the report"],
        [
            [kind, *(f"{counts[name]:,}" for name in names), REPORTS[kind].partition(" (")[0]]
            for kind, counts in figures["faults"].items()
        ],
    )
    tickets = ", ".join(f"{count:,} {state}" for state, count in sorted(figures["tickets"].items()))
    console.out.print(f"{figures['placed']:,} orders placed, {figures['paid']:,} paid in {figures['seconds']:.1f} s")
    console.out.print(f"tickets: {tickets}; at rest after {figures['rest_s']:.1f} s")
    console.out.print(f"{figures['papers']:,} pieces of paper, {figures['whole_papers']:,} whole")
    if figures["power_cycled"]:
        console.out.print(f"{figures['power_cycled']:,} printers printed garbage until their power was cycled")
    for verdict in verdicts:
        if not verdict.ok:
            console.out.print(f"BROKEN {verdict.name}: {verdict.promise} ({verdict.violations} of {verdict.checked})")
            for example in verdict.examples:
                console.out.print(f"  {example}")
        elif verdict.name.startswith(("printers.", "receipts.no_unmarked", "receipts.one_per")) and verdict.detail:
            console.out.print(f"{verdict.name}: {verdict.detail}")
    if figures["problems"]:
        console.out.print(f"FOUND {len(figures['problems'])}: " + "; ".join(figures["problems"]))
    else:
        console.out.print(
            f"PASS: {len(verdicts)} promises, nothing lost, no unmarked second copy but the printers' own"
        )
