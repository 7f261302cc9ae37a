"""What a comparison measures: one figure a run and metric, computed from run tables only.

Decides the metrics of each kind of scenario: names, units, and which way is better. Figures that a run's summary has
are taken from there; intervals are left to `o2o_results.comparison`. A metric that a run cannot give (no order was
printed, nobody signed) is None, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from o2o_results.comparison import Metric
from o2o_results.operations import pools as leads_at_end
from o2o_results.run import RunTables, floats
from o2o_results.summary import summarise
from o2o_scenarios.schema import Scenario
from o2o_sim.model_run import ModelRun

DAY_S = 86_400.0
Floats = npt.NDArray[np.float64]

POOLS = (
    Metric("signed", "Signed merchants", "merchants", "more", 0),
    Metric("idle_lead_days", "Idle days of private leads", "lead-days", "less", 0),
    Metric("hoarding_share", "Hoarding: idle share, > 7 days", "share", "less", 3),
    Metric("holdings_gini", "Inequality of holdings (Gini)", "0..1", "less", 3),
    Metric("unclaimed_days", "Days in public pool per lead", "days", "neither", 1),
    Metric("visits_per_day", "Visits per BD and day", "visits", "neither", 2),
    Metric("visits_per_signed", "Visits per signed merchant", "visits", "less", 1),
    Metric("days_to_sign", "Median days to sign", "days", "less", 1),
    Metric("drops_per_lead", "Drops per lead", "drops", "less", 2),
)
"""Metrics of `kind: pools` (C6-C8)."""

CITY = (
    Metric("order_to_print_p50_s", "Order to print, median", "s", "less", 2),
    Metric("order_to_print_p95_s", "Order to print, p95", "s", "less", 2),
    Metric("success_share", "Orders that succeeded", "share", "more", 4),
    Metric("late_share", "Delivered later than promised", "share", "less", 3),
    Metric("delivered", "Delivered orders", "orders", "more", 0),
    Metric("click_to_door_min", "Click to door, mean", "min", "less", 1),
    Metric("rider_utilisation", "Riders' time on orders", "share", "neither", 3),
)
"""Metrics of `kind: city`, of what stands in the city's way."""

AGES = (
    Metric("notification_p50_s", "Paid to kitchen knows, median", "s", "less", 1),
    Metric("notification_p95_s", "Paid to kitchen knows, p95", "s", "less", 1),
    Metric("notification_p99_s", "Paid to kitchen knows, p99", "s", "less", 1),
    Metric("staff_s_per_order", "Merchants' staff an order", "s", "less", 1),
    Metric("caller_s_per_order", "Platform's callers an order", "s", "less", 1),
    Metric("wrong_order_share", "Wrong orders in the kitchen", "share", "less", 4),
    Metric("missed_orders", "Orders without paper in the kitchen", "orders", "less", 1),
    Metric("escalated_share", "Orders told by other means", "share", "less", 4),
    Metric("lateness_fen_per_order", "Cost of lateness an order", "fen", "less", 1),
)
"""Metrics of how kitchens hear of orders (A14): of `kind: city`, shown where people have a hand in it."""


def metrics_of(kind: str) -> tuple[Metric, ...]:
    """The metrics of a kind of scenario, in the order in which they are shown."""
    return POOLS if kind == "pools" else (*CITY, *AGES)


def shown_for(scenarios: Iterable[Scenario]) -> tuple[Metric, ...]:
    """The metrics that are shown of scenarios of one kind: those of the ages only where not all are the cloud's."""
    kinds, ages = zip(*((scenario.kind, scenario.printing.age) for scenario in scenarios), strict=True)
    hands = any(age != "cloud" for age in ages)
    return metrics_of(kinds[0]) if kinds[0] == "pools" or hands else CITY


def measure(scenario: Scenario, run: ModelRun) -> dict[str, float | None]:
    """Every metric of the scenario's kind, by name."""
    found = _MEASURES[scenario.kind](scenario, run.tables, run.horizon_s)
    return {metric.name: _finite(found[metric.name]) for metric in metrics_of(scenario.kind)}


def gini(amounts: Floats) -> float | None:
    """Gini coefficient of amounts >= 0: 0 all equal, (n - 1) / n one has all; None when the sum is 0.

    Worked: (1, 1, 1, 1) 0; (0, 0, 0, 4) 0.75.
    """
    total, size = float(amounts.sum()), amounts.shape[0]
    if total <= 0.0:
        return None
    ranks = np.arange(1, size + 1)
    return float(2.0 * (ranks * np.sort(amounts)).sum() / (size * total) - (size + 1) / size)


def private_time(events: pa.Table, owners: int, horizon_s: float) -> Floats:
    """Lead-seconds that each owner 0..owners-1 held, from the history of the leads, float64 [owners].

    A signed lead has left the pools: time after the signature counts for nobody.
    """
    table = events.sort_by([("lead_id", "ascending"), ("event_id", "ascending")])
    lead, at = floats(table, "lead_id"), floats(table, "at")
    owner = np.nan_to_num(floats(table, "owner"), nan=-1.0).astype(np.int64)
    owner[np.asarray(pc.equal(table.column("what"), "signed"))] = -1
    until = np.full(at.shape, horizon_s)
    if at.shape[0] > 1:
        same = lead[1:] == lead[:-1]
        until[:-1][same] = at[1:][same]
    held = owner >= 0
    return np.bincount(owner[held], weights=(until - at)[held], minlength=owners).astype(np.float64)


def _pools(scenario: Scenario, tables: RunTables, horizon_s: float) -> dict[str, float | None]:
    leads, bds, end = tables["leads"], scenario.crm.bds, leads_at_end(tables)
    created, signed = floats(leads, "created"), floats(leads, "signed")
    has_signed = ~np.isnan(signed)
    in_pools_s = float((np.where(has_signed, signed, horizon_s) - created).sum())
    return {
        "signed": float(end.signed),
        "idle_lead_days": end.idle_days,
        "hoarding_share": end.idle_share,
        "holdings_gini": gini(private_time(tables["lead_events"], bds, horizon_s)),
        "unclaimed_days": _ratio((in_pools_s - float(floats(leads, "private_s").sum())) / DAY_S, end.leads),
        "visits_per_day": _ratio(end.visits, bds * horizon_s / DAY_S),
        "visits_per_signed": _ratio(end.visits, end.signed),
        "days_to_sign": float(np.median((signed - created)[has_signed])) / DAY_S if end.signed else None,
        "drops_per_lead": _ratio(end.drops, end.leads),
    }


def _city(scenario: Scenario, tables: RunTables, horizon_s: float) -> dict[str, float | None]:
    figures = summarise(tables, scenario)
    orders = tables["orders"]
    to_door = floats(orders, "delivered") - floats(orders, "intended")
    to_door = to_door[~np.isnan(to_door)]
    return {
        "order_to_print_p50_s": figures.printing.p50_s,
        "order_to_print_p95_s": figures.printing.p95_s,
        "success_share": figures.outcomes.success_share,
        "late_share": figures.deliveries.late_share,
        "delivered": float(figures.deliveries.delivered),
        "click_to_door_min": float(to_door.mean()) * scenario.clock.speed / 60.0 if to_door.size else None,
        "rider_utilisation": figures.riders.mean,
        **figures.notification.metrics(),
    }


_MEASURES: dict[str, Callable[[Scenario, RunTables, float], dict[str, float | None]]] = {
    "pools": _pools,
    "city": _city,
}


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
