"""`o2o chaos payments`: options, campaign, verdict, what is printed, exit code.

Decides what makes a campaign fail: a broken promise of money, ledger, stock or coupons, an order that was acknowledged
and is gone, or sides that never came to agree. Tickets are another campaign's: these merchants have no printers.
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

if TYPE_CHECKING:
    from o2o_cli.chaos.payments import Options, Outcome
    from o2o_results.verdicts import Verdict

ASKED = ("money.", "ledger.", "orders.", "stock.", "coupons.", "peak.")
"""Promises that are checked, by the beginning of their names."""
TICKETS = "peak.no_ticket_open"


def payments(
    orders: Annotated[int, typer.Option("--orders", min=1, max=2_000_000, help="Orders to place and pay.")] = 20_000,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of the orders and of the provider's plan.")] = 7,
    lost: Annotated[float, typer.Option("--lost", min=0, max=1, help="Share of callbacks that never come.")] = 0.01,
    doubled: Annotated[float, typer.Option("--doubled", min=0, max=1, help="Share that comes twice.")] = 0.01,
    late: Annotated[float, typer.Option("--late", min=0, max=1, help="Share that comes seconds later.")] = 0.01,
    wrong: Annotated[float, typer.Option("--wrong", min=0, max=1, help="Share in which another sum is taken.")] = 0.005,
    stale: Annotated[
        float, typer.Option("--stale", min=0, max=1, help="Share followed by the refusal of an earlier attempt.")
    ] = 0.0,
    refused: Annotated[float, typer.Option("--refused", min=0, max=1, help="Share of payments refused.")] = 0.0,
    database: Annotated[
        str | None, typer.Option("--database", metavar="URL", help="An empty database (default: a SQLite file).")
    ] = None,
    redis: Annotated[str | None, typer.Option("--redis", metavar="URL", help="Needed with PostgreSQL.")] = None,
    json: JsonOption = None,
    quiet: QuietOption = False,
) -> None:
    """Lose, double, delay and falsify payment callbacks, let reconciliation repair it, and audit every order.

    Example: o2o chaos payments --orders 20000 --seed 7
    """
    shares = {"lost": lost, "doubled": doubled, "late": late, "amount_wrong": wrong}
    shares |= {"out_of_order": stale, "refused": refused}
    if code := run_payments(orders, seed, shares, database=database, redis=redis, json=json, quiet=quiet):
        raise typer.Exit(code)


def run_payments(
    orders: int,
    seed: int,
    shares: dict[str, float],
    *,
    database: str | None = None,
    redis: str | None = None,
    json: Path | None = None,
    quiet: bool = False,
) -> int:
    """The exit code: 1 when anything was found. Raises UsageError when a process cannot be started."""
    from o2o_cli.chaos.payments import Options, campaign

    folder = Path(tempfile.mkdtemp(prefix="o2o-payments-"))
    options = Options(orders, seed, folder, shares, database, redis)
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
    """The audit's promises and those of the users' side."""
    from o2o_loadtest.peak.gather import tables
    from o2o_loadtest.peak.promises import promises
    from o2o_results.audit import ALL, audit

    assert outcome.sides is not None
    asked = [promise for promise in ALL if promise.name.startswith(ASKED)]
    found = audit(tables(outcome.sides), live=True, promises=asked)
    return [*found, *(verdict for verdict in promises(outcome.sides) if verdict.name != TICKETS)]


def figures_of(options: Options, outcome: Outcome, verdicts: list[Verdict]) -> dict[str, Any]:
    """Under stable names."""
    assert outcome.sides is not None
    by_name = {verdict.name: verdict for verdict in verdicts}
    problems = [f"{one.name}: {one.violations} violations" for one in verdicts if not one.ok]
    problems += [f"never at rest: {count} {name}" for name, count in outcome.unrest.items()]
    states = Counter(row["state"] for row in outcome.sides.platform["payments"])
    return {
        "orders": options.orders,
        "placed": sum(row["outcome"] == "placed" for row in outcome.sides.users),
        "paid_at_provider": outcome.paid,
        "seconds": round(outcome.seconds, 2),
        "orders_per_s": round(options.orders / outcome.seconds, 1),
        "rest_s": round(outcome.rest_s, 2),
        "shares": options.shares,
        "injected": outcome.injected,
        "repaired": outcome.summary["repairs"],
        "repaired_by_fate": _by_fate(outcome),
        "disputes": len(outcome.summary["disputes"]),
        "time_to_repair_s": outcome.summary["time_to_repair_s"],
        "paid_but_unordered": by_name["money.paid_unordered"].violations,
        "double_charges": by_name["money.charged_once"].violations,
        "payments": dict(states),
        "unrest": outcome.unrest,
        "verdicts": [verdict.to_json() for verdict in verdicts],
        "problems": problems,
    }


def _by_fate(outcome: Outcome) -> dict[str, int]:
    """Repairs by what was injected: a charge that was never told was lost, one that was told after its repair late."""
    assert outcome.sides is not None
    told = {charge["payment_id"]: charge["callbacks"] for charge in outcome.sides.charges}
    found = Counter(
        {"take_payment": "late" if told.get(row["payment_id"]) else "lost", "refund_difference": "amount_wrong"}.get(
            row["verdict"], "other"
        )
        for row in outcome.sides.platform["reconciliations"]
    )
    return dict(found)


_LINES = {
    "lost": "callback lost",
    "late": "callback late (repaired before it came)",
    "doubled": "callback doubled (applied once)",
    "amount_wrong": "amount wrong (given back whole)",
    "out_of_order": "stale refusal after it (ignored)",
    "refused": "refused (order ended)",
}
_REPAIRED = ("lost", "late", "amount_wrong")


def tell(figures: dict[str, Any], verdicts: list[Verdict]) -> None:
    """Print what was injected, what was repaired, and the verdict."""
    injected, repaired = figures["injected"], figures["repaired_by_fate"]
    rows = [
        [text, f"{injected.get(fate, 0):,}", f"{repaired.get(fate, 0):,}" if fate in _REPAIRED else "-"]
        for fate, text in _LINES.items()
        if injected.get(fate) or figures["shares"].get(fate)
    ]
    if repaired.get("other"):
        rows.append(["other repairs", "-", f"{repaired['other']:,}"])
    console.table("Injected and repaired", ["what", "injected", "repaired"], rows)
    times = figures["time_to_repair_s"]
    shown = {name: "-" if value is None else f"{value:.2f} s" for name, value in times.items()}
    console.table(
        "Payments",
        ["what", "figure"],
        [
            ["orders placed", f"{figures['placed']:,}"],
            ["orders/s, placed and paid", f"{figures['orders_per_s']:.0f}"],
            ["paid but unordered", f"{figures['paid_but_unordered']:,}"],
            ["double charges", f"{figures['double_charges']:,}"],
            ["left for people", f"{figures['disputes']:,}"],
            ["time to repair p50", shown["p50"]],
            ["time to repair p99", shown["p99"]],
            ["all sides agreed after", f"{figures['rest_s']:.1f} s"],
        ],
    )
    for verdict in verdicts:
        if not verdict.ok:
            console.out.print(f"BROKEN {verdict.name}: {verdict.promise} ({verdict.violations} of {verdict.checked})")
            for example in verdict.examples:
                console.out.print(f"  {example}")
    if figures["problems"]:
        console.out.print(f"FOUND {len(figures['problems'])}: " + "; ".join(figures["problems"]))
    else:
        console.out.print(f"PASS: {len(verdicts)} promises, nothing paid and unordered, nothing charged twice")
