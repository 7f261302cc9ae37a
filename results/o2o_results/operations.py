"""Figures of the city around the platform: deliveries, kitchens, riders, and sales people's leads.

Decides how they are counted. City durations are given in city minutes (run seconds x speed / 60), as people in the city
feel them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from o2o_results.run import RunTables, empty, floats
from o2o_results.statistics import Floats, nearest_rank


@dataclass(frozen=True, slots=True)
class Deliveries:
    """Delivered orders. `late` of them came more than `promise_min` city minutes after the intent."""

    delivered: int
    late: int
    promise_min: float
    p50_min: float
    p95_min: float

    @property
    def late_share(self) -> float:
        """late / delivered; NaN when nothing was delivered."""
        return self.late / self.delivered if self.delivered else math.nan


def lateness_min(orders: pa.Table, *, promise_min: float, speed: float) -> Floats:
    """City minutes [n] by which each order missed the promise (negative: early); NaN where it was not delivered."""
    taken = floats(orders, "delivered") - floats(orders, "intended")
    return taken * speed / 60.0 - promise_min


def deliveries(orders: pa.Table, *, promise_min: float, speed: float) -> Deliveries:
    """Late deliveries against the scenario's promise."""
    late = lateness_min(orders, promise_min=promise_min, speed=speed)
    late = late[~np.isnan(late)]
    taken = late + promise_min
    return Deliveries(
        len(late), int((late > 0).sum()), promise_min, nearest_rank(taken, 0.5), nearest_rank(taken, 0.95)
    )


def distance_m(tables: RunTables) -> Floats:
    """Straight-line metres [orders] from the store to the drop-off; NaN where the store is not in `merchants`.

    Equirectangular: right to a fraction of a percent across a city (radius 6,371,008.8 m).
    """
    orders, stores = tables.get("orders", empty("orders")), tables.get("merchants", empty("merchants"))
    place = {store: row for row, store in enumerate(stores.column("merchant_id").to_pylist())}
    row = np.asarray([place.get(store, -1) for store in orders.column("merchant_id").to_pylist()], dtype=np.int64)
    lat, lng = np.append(floats(stores, "lat"), np.nan)[row], np.append(floats(stores, "lng"), np.nan)[row]
    north = np.radians(floats(orders, "drop_lat") - lat)
    east = np.radians(floats(orders, "drop_lng") - lng) * np.cos(np.radians(lat))
    return np.asarray(np.hypot(north, east) * 6_371_008.8, dtype=np.float64)


def active_span_s(tables: RunTables) -> float:
    """Run seconds from the epoch to the last mark of any order: the time in which kitchens and riders had work."""
    orders = tables.get("orders", empty("orders"))
    ends = [floats(orders, mark) for mark in ("intended", "printed", "ready", "delivered")]
    return max((float(np.nanmax(end)) for end in ends if len(end) and not np.isnan(end).all()), default=0.0)


def kitchen_utilisation(tables: RunTables) -> Floats:
    """Share [merchants] of each kitchen's slot time spent cooking, over the active span."""
    merchants = tables.get("merchants", empty("merchants"))
    span = active_span_s(tables)
    if span <= 0 or not merchants.num_rows:
        return np.zeros(merchants.num_rows)
    capacity = np.asarray(merchants.column("slots").to_numpy(), dtype=np.float64) * span
    return np.asarray(floats(merchants, "busy_s") / np.maximum(capacity, 1e-9), dtype=np.float64)


def rider_utilisation(tables: RunTables) -> Floats:
    """Share [riders] of each rider's time at work within the active span spent driving or serving; NaN: not at work."""
    riders = tables.get("riders", empty("riders"))
    span = active_span_s(tables)
    at_work = np.clip(floats(riders, "off"), 0, span) - np.clip(floats(riders, "on"), 0, span)
    busy = floats(riders, "driving_s") + floats(riders, "service_s")
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(at_work > 0, busy / at_work, np.nan), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Pools:
    """Leads at the end. `idle_share` is the share of private time beyond 7 days without a visit (hoarding)."""

    leads: int
    signed: int
    private: int
    claims: int
    drops: int
    visits: int
    idle_share: float
    idle_days: float


def pools(tables: RunTables, *, speed: float = 1.0) -> Pools:
    """What the sales people made of the leads."""
    leads = tables.get("leads", empty("leads"))
    private, idle = float(floats(leads, "private_s").sum()), float(floats(leads, "idle_s").sum())
    signed = leads.num_rows - leads.column("signed").null_count
    return Pools(
        leads=leads.num_rows,
        signed=signed,
        private=leads.num_rows - leads.column("owner").null_count,
        claims=int(np.asarray(leads.column("claims").to_numpy()).sum()),
        drops=int(np.asarray(leads.column("drops").to_numpy()).sum()),
        visits=int(np.asarray(leads.column("visits").to_numpy()).sum()),
        idle_share=idle / private if private else math.nan,
        idle_days=idle * speed / 86400.0,
    )
