"""What became of the tickets that met a printer's fault, counted for report and terminal (A14).

Decides nothing about right and wrong (that is the audit's `printers`): a count of confessions by kind, and the state in
which the tickets that they name ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import pyarrow as pa


@dataclass(slots=True)
class FaultTally:
    """One kind of fault."""

    kind: str
    met: int = 0
    in_print: int = 0
    """Of these, those that caught a ticket; the others were there before anything was sent."""
    printed: int = 0
    """In the books."""
    late: int = 0
    """Of the printed ones, those of which somebody was told before: they were late or doubtful."""
    unconfirmed: int = 0
    failed: int = 0

    def to_json(self) -> dict[str, int]:
        """Counts under their names."""
        return {name: value for name, value in asdict(self).items() if name != "kind"}


def tally(tables: Mapping[str, pa.Table]) -> list[FaultTally]:
    """By kind, most frequent first; empty without confessions."""
    if "printer_faults" not in tables or not tables["printer_faults"].num_rows:
        return []
    orders = tables["orders"].select(["order_id", "order_no"]).to_pylist()
    number_of = {row["order_id"]: row["order_no"] for row in orders}
    names = ["order_id", "copy_no", "state", "escalation"]
    ticket_of = {
        (number_of.get(row["order_id"]), row["copy_no"]): row for row in tables["tickets"].select(names).to_pylist()
    }
    found: dict[str, FaultTally] = {}
    for fault in tables["printer_faults"].to_pylist():
        counts = found.setdefault(fault["kind"], FaultTally(fault["kind"]))
        counts.met += 1
        ticket = ticket_of.get((fault["order_no"], fault["copy_no"]))
        if fault["order_no"] is None or ticket is None:
            continue
        counts.in_print += 1
        counts.printed += ticket["state"] == "printed"
        counts.late += ticket["state"] == "printed" and ticket["escalation"] is not None
        counts.unconfirmed += ticket["state"] == "unconfirmed"
        counts.failed += ticket["state"] == "failed"
    return sorted(found.values(), key=lambda one: (-one.met, one.kind))
