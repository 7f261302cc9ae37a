"""A run in a few lines on the terminal: verdicts first, then the headline figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from o2o_cli import console
from o2o_domain.notification import Age
from o2o_results.printer_faults import FaultTally, tally
from o2o_results.run import RunReader
from o2o_results.summary import summary_of


def tell_run(run: RunReader, *, quiet: bool = False) -> dict[str, Any]:
    """Print what became of a run; returns the same figures under stable names, for --json."""
    manifest = run.manifest
    summary, faults = summary_of(run), tally(run.tables)
    broken = [verdict for verdict in manifest.verdicts if not verdict.ok]
    state = "VALID" if summary.validity.valid else f"INVALID ({summary.validity.reason})"
    told = f"audit clean ({len(manifest.verdicts)} promises)" if not broken else f"AUDIT BROKEN: {len(broken)} promises"
    console.out.print(f"{manifest.run_id}: {manifest.status}, {state}, {told}")
    for verdict in broken:
        console.out.print(
            f"  broken: {verdict.name}: {verdict.violations:,} of {verdict.checked:,} {verdict.examples[:2]}"
        )
    if not quiet:
        if run.table("orders").num_rows:
            _tell_orders(summary)
            _tell_printer_faults(faults)
        if run.table("leads").num_rows:
            pools = summary.pools
            console.out.print(f"  leads: {pools.signed:,} signed, {pools.drops:,} drops, {pools.visits:,} visits")
    console.out.print(f"run: {run.folder}")
    figures = summary.to_json()
    return {
        **figures,
        "run": str(run.folder),
        "world": manifest.world,
        "status": manifest.status,
        "table_hash": manifest.table_hash,
        "printer_faults": {one.kind: one.to_json() for one in faults},
        "verdicts": [verdict.to_json() for verdict in manifest.verdicts],
    }


def _tell_orders(summary: Any) -> None:
    printing, outcome = summary.printing, summary.outcomes
    console.out.print(
        f"  order to print: p50 {_s(printing.p50_s)}, p95 {_s(printing.p95_s)}, p99 {_s(printing.p99_s)} "
        f"over {printing.n:,} orders ({printing.missing:,} without paper)"
    )
    console.out.print(
        f"  intents {outcome.intents:,}: success {outcome.success_share:.3%}, failed {outcome.failed:,}, "
        f"unfinished {outcome.unfinished:,}; delivered {summary.deliveries.delivered:,}, "
        f"late {summary.deliveries.late_share:.1%}"
    )
    notified = summary.notification
    if notified.age is not Age.CLOUD:
        known = notified.known
        console.out.print(
            f"  notification ({notified.age}): paid to kitchen p50 {_s(known.p50_s)}, p95 {_s(known.p95_s)}, p99 "
            f"{_s(known.p99_s)}; staff {_s(notified.staff_s)}, callers {_s(notified.caller_s)} an order; wrong "
            f"{notified.wrong_share:.2%}, without paper {notified.missed:,}, told otherwise "
            f"{notified.escalated_share:.1%}; lateness {notified.late_fen:.1f} fen an order"
        )
    for objective in summary.objectives:
        mark = {True: "met", False: "MISSED", None: "not measured"}[objective.ok]
        console.out.print(
            f"  SLO {objective.label}: {mark} ({objective.value:.4g}, {objective.sense} {objective.target:g})"
        )


def _tell_printer_faults(faults: Sequence[FaultTally]) -> None:
    if faults:
        names = list(faults[0].to_json())
        console.table(
            "Printer faults, by the printers' own word",
            ["fault", *(name.replace("_", " ") for name in names)],
            [[one.kind, *(f"{value:,}" for value in one.to_json().values())] for one in faults],
        )


def _s(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.2f} s"
