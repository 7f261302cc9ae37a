"""The people of a real day: its shops become merchants, its couriers riders, its drop-off places users.

Decides what the files do not say: menus and segments are generated as for any city, shops are open all day, and a
kitchen is as large as the most orders that were in it at once, so that it delays no order beyond its ready time.
"""

from __future__ import annotations

import numpy as np

from o2o_scenarios.schema import CitySpec
from o2o_sim.city.model import Floats, Ints, Merchant, Rider, RoadGraph, User
from o2o_sim.city.people import segments_of, speeds
from o2o_sim.city.shops import make_merchants
from o2o_sim.demand.fit import Fitted
from o2o_sim.demand.realday import RealDay

_SLACK_S = 60.0


def day_merchants(spec: CitySpec, seed: int, graph: RoadGraph, day: RealDay, fitted: Fitted) -> tuple[Merchant, ...]:
    """A merchant for each pick-up place, weighted by its orders."""
    count = fitted.shops.shape[0]
    orders = np.bincount(day.shop, minlength=count).astype(np.float64)
    return make_merchants(
        spec.merchants,
        seed,
        graph,
        fitted.shops,
        weight=orders / orders.sum(),
        slots=kitchens_of_day(day, count),
        opens=np.zeros(count, dtype=np.int32),
        closes=np.full(count, 1440, dtype=np.int32),
    )


def kitchens_of_day(day: RealDay, count: int) -> Ints:
    """The most orders in each shop's kitchen at once, from placement to a minute after the ready time; at least 1."""
    n = day.placed_s.shape[0]
    at = np.concatenate((day.placed_s, day.placed_s + day.prep_s + _SLACK_S))
    change = np.concatenate((np.ones(n, dtype=np.int64), -np.ones(n, dtype=np.int64)))
    shop = np.concatenate((day.shop, day.shop))
    order = np.lexsort((-change, at, shop))
    # One running sum over all shops: each shop's changes sum to 0, so the next starts from nothing.
    running = np.cumsum(change[order])
    most = np.ones(count, dtype=np.int32)
    np.maximum.at(most, shop[order], running.astype(np.int32))
    return most


def day_users(spec: CitySpec, seed: int, fitted: Fitted) -> tuple[User, ...]:
    """A user for each drop-off place, who lives and works there; segments by the scenario's shares."""
    count = fitted.drops.shape[0]
    segments = segments_of(spec.users, seed, count)
    return tuple(User(i, segments[i], int(fitted.drops[i]), int(fitted.drops[i])) for i in range(count))


def day_riders(spec: CitySpec, day: RealDay, fitted: Fitted) -> tuple[Rider, ...]:
    """A rider for each courier, on its shift and vehicle."""
    kmh: dict[str, float] = speeds(spec.riders)
    on: Floats = day.on_s
    return tuple(
        Rider(
            rider_id=i,
            vehicle=vehicle,
            speed_kmh=day.courier_kmh if day.courier_kmh is not None else kmh[vehicle],
            node=int(fitted.couriers[i]),
            on_s=float(on[i]),
            off_s=float(day.off_s[i]),
        )
        for i, vehicle in enumerate(day.vehicles)
    )
