"""Notes: what people did about each order until the kitchen had it, as the run table `notifications` (A14).

Decides which facts are kept, in every age in which people have a hand in it and in either world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from o2o_domain.notification import Age, Slip
from o2o_results.tables import TABLES


@dataclass(slots=True, eq=False)
class Note:
    """One order's way to the kitchen. Instants are run seconds, work is city seconds."""

    order_id: int
    merchant_id: int
    told: float
    """When the first call was wanted, or when the app rang."""
    noticed: float | None = None
    """When somebody took it up."""
    known: float | None = None
    """When the kitchen had it."""
    attempts: int = 0
    """Calls, or taps on "print"."""
    staff_s: float = 0.0
    """Worked by the merchant's people."""
    caller_s: float = 0.0
    """Worked by the platform's people at the telephone."""
    slip: Slip | None = None
    """What a hand wrote and the kitchen got; None: a machine printed, or nothing arrived."""


def notification_table(age: Age, notes: Sequence[Note]) -> pa.Table:
    """The notes as the run table, by order."""
    rows = [
        {
            "order_id": note.order_id,
            "merchant_id": note.merchant_id,
            "age": str(age),
            "told": note.told,
            "noticed": note.noticed,
            "known": note.known,
            "attempts": note.attempts,
            "staff_s": note.staff_s,
            "caller_s": note.caller_s,
            "slip": None if note.slip is None else [{"name": name, "qty": qty} for name, qty in note.slip],
        }
        for note in sorted(notes, key=lambda note: note.order_id)
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["notifications"])
