"""From what a campaign left to a run folder with tables and verdicts, and what is printed of it.

Decides what makes a campaign fail: a broken promise, something that never came back, or a platform that never came to
rest. Unconfirmed tickets are no failure: they are listed, one by one, with what the paper says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from o2o_cli import console
from o2o_cli.chaos.campaign import Hit, Options, Outcome
from o2o_devices.paper import Paper, read_paper
from o2o_domain.ticket_layout import parse
from o2o_loadtest.peak.gather import Sides, read_platform, read_statement, read_users, tables
from o2o_loadtest.peak.promises import promises, unconfirmed
from o2o_loadtest.setup import AdminClient
from o2o_results.audit import audit
from o2o_results.runs import new_run
from o2o_results.verdicts import Verdict
from o2o_scenarios.schema import Scenario

UNCONFIRMED_SHOWN = 20


@dataclass(frozen=True)
class Judged:
    """A campaign with its verdicts."""

    outcome: Outcome
    verdicts: list[Verdict]
    unconfirmed: list[dict[str, Any]]
    counts: dict[str, int]
    folder: Path

    @property
    def problems(self) -> list[str]:
        """Why it failed; none: it did not."""
        broken = [f"{one.name}: {one.violations} violations" for one in self.verdicts if not one.ok]
        gone = [
            f"{hit.name} was not back after its kill" for hit in self.outcome.hits if hit.name and hit.back_s is None
        ]
        unrest = [f"still on its way: {count} {name}" for name, count in self.outcome.unrest.items()]
        return [*broken, *gone, *unrest]

    def to_json(self) -> dict[str, Any]:
        """Under stable names."""
        return {
            **self.outcome.to_json(),
            "orders": self.counts,
            "recovery_s": recovery(self.outcome.hits),
            "unconfirmed": self.unconfirmed,
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "problems": self.problems,
            "run": str(self.folder),
        }


def gather(options: Options, outcome: Outcome) -> Sides:
    """All four sides, read while the set still runs. Raises TargetError."""
    admin = AdminClient(outcome.base_url, outcome.admin_password)
    try:
        platform = read_platform(admin)
    finally:
        admin.close()
    assert outcome.world is not None
    merchant_of = {number: shop.id for number, shop in enumerate(outcome.world.shops)}
    return Sides(
        outcome.epoch,
        read_users(options.state / "users-orders.jsonl"),
        read_users(options.state / "users-requests.jsonl"),
        platform,
        read_statement(outcome.provider_url),
        [receipt(paper, merchant_of) for paper in read_paper(options.state / "paper.jsonl")],
    )


def receipt(paper: Paper, merchant_of: dict[int, int]) -> dict[str, Any]:
    """Printed paper as a row of `receipts`, still in unix time."""
    ticket = parse(paper.lines)
    return {
        "printer_id": merchant_of.get(paper.printer_id, -1),
        "printed": paper.at,
        "order_no": ticket.order_no,
        "copy_no": ticket.copy_no,
        "complete": ticket.complete and paper.complete,
        "lines": [{"name": name, "qty": qty} for name, qty in ticket.lines],
        "total_fen": ticket.total_fen,
        "length_mm": paper.length_mm,
        "text": paper.text,
    }


def judge(options: Options, outcome: Outcome, sides: Sides, folder: Path | None) -> Judged:
    """Write the run (in a new folder of results/runs unless one is named), audit it, count."""
    seconds = outcome.ended - outcome.epoch
    scenario = Scenario.model_validate(
        {
            "name": "chaos_order_path",
            "seed": options.seed,
            "clock": {"duration_s": max(seconds, 1.0), "drain_s": 0.0},
            "printing": {"deadline_s": max(180.0, seconds)},
        }
    )
    notes = {"intents": len(sides.users)}
    with new_run(scenario, "live", folder=folder, speed=1.0, horizon_s=seconds, notes=notes) as writer:
        writer.write_all(tables(sides))
        verdicts = [*promises(sides), *audit(writer)]
        listed = unconfirmed(sides)
        writer.note(chaos={**outcome.to_json(), "unconfirmed": listed, "plan_seed": options.seed})
        writer.finish(verdicts)
    outcomes = [row["outcome"] for row in sides.users]
    tries = len([row for row in sides.requests if row["name"] == "POST /orders"])
    counts = {
        "sent": len(outcomes),
        "requests": tries,
        "acknowledged": outcomes.count("placed"),
        "refused": outcomes.count("refused"),
        "given_up": outcomes.count("lost"),
        "paid": sum(row["paid"] is not None for row in sides.platform["orders"]),
        "printed": sum(row["state"] == "printed" for row in sides.platform["tickets"]),
        "unconfirmed": len(listed),
        "failed": sum(row["state"] == "failed" for row in sides.platform["tickets"]),
        "papers": sum(row["complete"] for row in sides.papers),
    }
    return Judged(outcome, verdicts, listed, counts, writer.folder)


def recovery(hits: Sequence[Hit]) -> dict[str, dict[str, float]]:
    """Kills and seconds until back, by kind: {"relay": {"kills": 7, "median_s": 1.2, "max_s": 1.9}}."""
    told: dict[str, dict[str, float]] = {}
    for kind in dict.fromkeys(hit.kind for hit in hits):
        of_kind = [hit for hit in hits if hit.kind == kind]
        times = sorted(hit.back_s for hit in of_kind if hit.back_s is not None)
        told[kind] = {"kills": float(sum(hit.name is not None for hit in of_kind))}
        if times:
            told[kind] |= {"median_s": times[len(times) // 2], "max_s": times[-1]}
    return told


def tell(judged: Judged, *, quiet: bool = False) -> None:
    """Print the kill list, recovery, orders, unconfirmed tickets, verdict."""
    if not quiet:
        console.table(
            "Kills",
            ["number", "planned s", "at s", "kind", "who", "back after s"],
            [
                [
                    str(hit.number + 1),
                    f"{hit.planned_s:.1f}",
                    f"{hit.at_s:.2f}",
                    hit.kind,
                    hit.name or "nobody was alive",
                    "-" if hit.back_s is None else f"{hit.back_s:.2f}",
                ]
                for hit in judged.outcome.hits
            ],
        )
    console.table(
        "Recovery",
        ["kind", "kills", "median s", "max s"],
        [
            [
                kind,
                f"{one['kills']:.0f}",
                *(f"{one[name]:.2f}" if name in one else "-" for name in ("median_s", "max_s")),
            ]
            for kind, one in recovery(judged.outcome.hits).items()
        ],
    )
    console.out.print(
        "orders: " + ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in judged.counts.items())
    )
    console.out.print(f"at rest {judged.outcome.rest_s:.1f} s after the last user went home")
    for row in judged.unconfirmed if not quiet else judged.unconfirmed[:UNCONFIRMED_SHOWN]:
        console.out.print(
            f"unconfirmed: ticket {row['ticket_id']} of {row['order_no']}, {row['code'] or 'no code'}, told to "
            f"{row['escalation'] or 'nobody'}, {row['on_paper']} on paper"
        )
    for verdict in judged.verdicts:
        if not verdict.ok:
            console.out.print(f"BROKEN {verdict.name}: {verdict.promise} ({verdict.violations} of {verdict.checked})")
            for example in verdict.examples:
                console.out.print(f"  {example}")
    checked = len(judged.verdicts)
    if judged.problems:
        console.out.print(f"FOUND {len(judged.problems)}: " + "; ".join(judged.problems))
    else:
        console.out.print(f"PASS: {checked} promises, nothing lost, nothing paid and unordered, no first copy twice")
    console.out.print(f"run: {judged.folder}")
