"""Figures of notification: how a paid order comes to the kitchen's knowledge, at whose expense, and how right (A14).

Decides how each figure is counted, in all four ages alike: what the kitchen got is a slip written by hand or what a
printer put out, and it is held against the order. Nothing is taken from what the model meant to go wrong.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from o2o_domain.notification import Age, CopyError, SlipLine, differences
from o2o_domain.ticket_names import dish_name
from o2o_results.operations import lateness_min
from o2o_results.run import RunTables, empty, floats
from o2o_results.statistics import GIVEN_UP, Floats, Percentiles
from o2o_scenarios.schema import Scenario

_WRONG = """
with paper as (
    select order_id, slip as lines from notifications where slip is not null
    union all
    select order_id, any_value(lines) from receipts join orders using (order_no)
    where complete and copy_no = 1 and order_no is not null group by order_id
)
select p.order_id, [{'name': x.name, 'qty': x.qty} for x in o.items] as ordered, p.lines as got,
    list_sort([{'name': x.name, 'qty': x.qty} for x in o.items]) is distinct from
    list_sort([{'name': x.name, 'qty': x.qty} for x in p.lines]) as differs
from paper p join orders o using (order_id)
"""


@dataclass(frozen=True, slots=True)
class Notification:
    """Of paid takeout orders that were not given up before any kitchen could know of them.

    `known`: from paid until the kitchen knew, run seconds, by paper or because it was told otherwise. `staff_s` and
    `caller_s`: city seconds worked an order by the merchants' and the platform's people. `wrong`: orders whose paper in
    the kitchen differs from what was ordered, of `papers`; `errors` counts in what. `missed`: orders of which the
    kitchen got no paper. `escalated`: told by other means. `late_fen`: an order, what lateness costs.
    """

    age: Age
    orders: int
    known: Percentiles
    staff_s: float
    caller_s: float
    papers: int
    wrong: int
    errors: Mapping[str, int]
    missed: int
    escalated: int
    late_fen: float

    @property
    def wrong_share(self) -> float:
        """wrong / papers; NaN when there was no paper."""
        return self.wrong / self.papers if self.papers else math.nan

    @property
    def escalated_share(self) -> float:
        """escalated / orders; NaN when there were no orders."""
        return self.escalated / self.orders if self.orders else math.nan

    def metrics(self) -> dict[str, float]:
        """The figures under stable names. NaN: nothing to measure."""
        return {
            "notification_p50_s": self.known.p50_s,
            "notification_p95_s": self.known.p95_s,
            "notification_p99_s": self.known.p99_s,
            "staff_s_per_order": self.staff_s,
            "caller_s_per_order": self.caller_s,
            "wrong_order_share": self.wrong_share,
            "missed_orders": float(self.missed),
            "escalated_share": self.escalated_share,
            "lateness_fen_per_order": self.late_fen,
        }


def notification(tables: RunTables, scenario: Scenario, *, speed: float) -> Notification:
    """The figures of one run."""
    orders = tables.get("orders", empty("orders"))
    mine = _notified(orders)
    ids = set(orders.column("order_id").filter(pa.array(mine)).to_pylist())
    printed, cooking, paid = (floats(orders, name)[mine] for name in ("printed", "cooking", "paid"))
    known = np.fmin(printed, cooking) - paid
    notes = tables.get("notifications", empty("notifications"))
    tickets = tables.get("tickets", empty("tickets"))
    told = tickets.filter(pc.and_(pc.equal(tickets.column("copy_no"), 1), pc.is_valid(tickets.column("escalation"))))
    papers, wrong, errors = _papers(tables, ids)
    late = lateness_min(orders, promise_min=scenario.slo.promise_min, speed=speed)[mine]
    late_min = float(np.nansum(np.clip(late, 0.0, None)))
    count = len(ids)
    return Notification(
        age=Age(scenario.printing.age),
        orders=count,
        known=Percentiles.of(known),
        staff_s=_each(floats(notes, "staff_s"), count),
        caller_s=_each(floats(notes, "caller_s"), count),
        papers=papers,
        wrong=wrong,
        errors=errors,
        missed=count - papers,
        escalated=sum(order in ids for order in told.column("order_id").to_pylist()),
        late_fen=late_min * scenario.printing.staff.late_fen_per_min / count if count else math.nan,
    )


def _notified(orders: pa.Table) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Orders [n] that a kitchen had to hear of: takeout, paid, and not given up before it could."""
    heard = pc.or_(pc.is_valid(orders.column("printed")), pc.is_valid(orders.column("cooking")))
    given_up = pc.is_in(orders.column("state"), value_set=pa.array(GIVEN_UP))
    found = pc.and_(
        pc.and_(pc.equal(orders.column("kind"), "order"), pc.is_valid(orders.column("paid"))),
        pc.or_(pc.invert(given_up), heard),
    )
    return np.asarray(found.to_numpy(), dtype=bool)


def _each(work: Floats, orders: int) -> float:
    return float(work.sum()) / orders if orders else math.nan


def _papers(tables: RunTables, ids: set[int]) -> tuple[int, int, dict[str, int]]:
    """Papers in the kitchens, wrong ones, and what is wrong on them."""
    with duckdb.connect(":memory:") as db:
        for name in ("orders", "receipts", "notifications"):
            db.register(name, tables.get(name, empty(name)))
        rows = db.execute(_WRONG).fetchall()
    papers = wrong = 0
    errors: Counter[CopyError] = Counter()
    for order_id, ordered, got, differs in rows:
        if order_id not in ids:
            continue
        papers += 1
        found = differences(_as_printed(ordered), _as_printed(got)) if differs else None
        if found:
            wrong += 1
            errors += found
    return papers, wrong, {str(error): number for error, number in sorted(errors.items())}


def _as_printed(lines: list[dict[str, object]]) -> tuple[SlipLine, ...]:
    """Names as they come off paper, whoever wrote them."""
    return tuple((dish_name(str(line["name"])), int(str(line["qty"]))) for line in lines)
