"""What a comparison measures: one figure a run and metric, computed from run tables only.

Decides the metrics of each kind of scenario: names, units, and which way is better. Leaves intervals to
`o2o_results.paired`. A metric that a run cannot give (no order was printed, nobody signed) is None, never 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from o2o_scenarios.schema import Scenario
from o2o_sim.model_run import ModelRun

DAY_S = 86_400.0
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure of a run. `better` says which way an improvement goes, or that neither is."""

    name: str
    title: str
    unit: str
    better: Literal["more", "less", "neither"]
    digits: int = 1


POOLS = (
    Metric("signed", "Signed merchants", "merchants", "more", 0),
    Metric("idle_lead_days", "Idle days of private leads", "lead-days", "less", 0),
    Metric("hoarding_share", "Hoarding: private time beyond 7 days without a visit", "share", "less", 3),
    Metric("holdings_gini", "Inequality of holdings (Gini)", "0..1", "less", 3),
    Metric("unclaimed_days", "Days in the public pool per lead", "days", "neither", 1),
    Metric("visits_per_day", "Visits per BD and day", "visits", "neither", 2),
    Metric("visits_per_signed", "Visits per signed merchant", "visits", "less", 1),
    Metric("days_to_sign", "Median days to sign", "days", "less", 1),
    Metric("drops_per_lead", "Drops to the public pool per lead", "drops", "less", 2),
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
"""Metrics of `kind: city`."""


def metrics_of(kind: str) -> tuple[Metric, ...]:
    """The metrics of a kind of scenario, in the order in which they are shown."""
    return POOLS if kind == "pools" else CITY


def measure(scenario: Scenario, run: ModelRun) -> dict[str, float | None]:
    """Every metric of the scenario's kind, by name."""
    found = _MEASURES[scenario.kind](scenario, run.tables, run.horizon_s)
    return {metric.name: _finite(found[metric.name]) for metric in metrics_of(scenario.kind)}


def gini(amounts: Floats) -> float | None:
    """Gini coefficient of amounts >= 0: 0 all equal, (n - 1) / n one has all; None when the sum is 0.

    Worked: (1, 1, 1, 1) 0; (0, 0, 0, 4) 0.75.
    """
    total = float(amounts.sum())
    if total <= 0.0:
        return None
    ordered = np.sort(amounts)
    ranks = np.arange(1, ordered.shape[0] + 1)
    return float(2.0 * (ranks * ordered).sum() / (ordered.shape[0] * total) - (ordered.shape[0] + 1) / ordered.shape[0])


def private_time(events: pa.Table, owners: int, horizon_s: float) -> Floats:
    """Lead-seconds that each owner 0..owners-1 held, from the history of the leads, float64 [owners].

    A signed lead has left the pools: time after the signature counts for nobody.
    """
    table = events.sort_by([("lead_id", "ascending"), ("event_id", "ascending")])
    lead, at = _column(table, "lead_id"), _column(table, "at")
    owner = np.nan_to_num(_column(table, "owner"), nan=-1.0).astype(np.int64)
    owner[np.asarray(pc.equal(table.column("what"), "signed"))] = -1
    until = np.full(at.shape, horizon_s)
    if at.shape[0] > 1:
        same = lead[1:] == lead[:-1]
        until[:-1][same] = at[1:][same]
    held = owner >= 0
    return np.bincount(owner[held], weights=(until - at)[held], minlength=owners).astype(np.float64)


def _pools(scenario: Scenario, tables: Mapping[str, pa.Table], horizon_s: float) -> dict[str, float | None]:
    leads, visits = tables["leads"], tables["visits"]
    bds = scenario.crm.bds
    created, signed = _column(leads, "created"), _column(leads, "signed")
    idle, private = float(_column(leads, "idle_s").sum()), float(_column(leads, "private_s").sum())
    has_signed = ~np.isnan(signed)
    known = np.where(has_signed, signed, horizon_s) - created
    n_signed = int(has_signed.sum())
    capacity = bds * horizon_s / DAY_S
    return {
        "signed": float(n_signed),
        "idle_lead_days": idle / DAY_S,
        "hoarding_share": _ratio(idle, private),
        "holdings_gini": gini(private_time(tables["lead_events"], bds, horizon_s)),
        "unclaimed_days": _ratio((float(known.sum()) - private) / DAY_S, leads.num_rows),
        "visits_per_day": _ratio(visits.num_rows, capacity),
        "visits_per_signed": _ratio(visits.num_rows, n_signed),
        "days_to_sign": float(np.median((signed - created)[has_signed])) / DAY_S if n_signed else None,
        "drops_per_lead": _ratio(float(_column(leads, "drops").sum()), leads.num_rows),
    }


def _city(scenario: Scenario, tables: Mapping[str, pa.Table], horizon_s: float) -> dict[str, float | None]:
    orders = tables["orders"].filter(pc.equal(tables["orders"].column("kind"), "order"))
    riders = tables["riders"]
    intended, printed, delivered = (_column(orders, name) for name in ("intended", "printed", "delivered"))
    to_print = (printed - intended)[~np.isnan(printed)]
    to_door = (delivered - intended)[~np.isnan(delivered)]
    promise_s = scenario.slo.promise_min * 60.0 / scenario.clock.speed
    on, off = _column(riders, "on"), _column(riders, "off")
    on_shift = np.clip(np.minimum(off, horizon_s) - np.maximum(on, 0.0), 0.0, None).sum()
    busy = _column(riders, "driving_s").sum() + _column(riders, "service_s").sum()
    return {
        "order_to_print_p50_s": float(np.percentile(to_print, 50)) if to_print.size else None,
        "order_to_print_p95_s": float(np.percentile(to_print, 95)) if to_print.size else None,
        "success_share": _ratio(float(to_print.size), orders.num_rows),
        "late_share": float((to_door > promise_s).mean()) if to_door.size else None,
        "delivered": float(to_door.size),
        "click_to_door_min": float(to_door.mean()) * scenario.clock.speed / 60.0 if to_door.size else None,
        "rider_utilisation": _ratio(float(busy), float(on_shift)),
    }


_MEASURES: dict[str, Callable[[Scenario, Mapping[str, pa.Table], float], dict[str, float | None]]] = {
    "pools": _pools,
    "city": _city,
}


def _column(table: pa.Table, name: str) -> npt.NDArray[Any]:
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)


def _ratio(part: float, whole: float) -> float | None:
    return part / whole if whole > 0 else None


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
