"""Which rider takes an order (S8's baseline: greedy, one order at a time).

Decides among the riders that the shell knows to be on line, by straight-line distance: the platform has no road
graph; which waiting order a rider gets who becomes free, and when an order has waited too long. Leaves noticing that
(a rider became free, time has passed) to the shells.

Rules that hold in this file: only a rider without an order is eligible (no bundling yet); ties go to the lower
rider_id, so that the choice does not depend on the order of the candidates; orders that wait are asked in the order in
which they began to wait, and the first that may have the rider gets him.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import radians
from typing import Literal

from o2o_domain.geo import EARTH_RADIUS_M, haversine_m


@dataclass(frozen=True, slots=True)
class Candidate:
    """A rider on line: where (degrees), orders in hand (`load`), speed, and orders carried this shift (`served`)."""

    rider_id: int
    lat: float
    lng: float
    load: int
    speed_kmh: float
    served: int = 0


@dataclass(frozen=True, slots=True)
class DispatchPolicy:
    """`nearest`: the shortest way to the pickup; `least_loaded`: the fewest orders carried this shift, then nearest.

    Nobody farther than `max_radius_m` (straight line) is asked.
    """

    rule: Literal["nearest", "least_loaded"] = "nearest"
    max_radius_m: float = 6000.0


@dataclass(frozen=True, slots=True)
class Assigned:
    """The rider, the straight-line metres to the pickup and the seconds at the rider's own speed."""

    rider_id: int
    distance_m: float
    eta_s: float


@dataclass(frozen=True, slots=True)
class NoRider:
    """Nobody: `no_candidates` (nobody on line), `all_busy`, or `out_of_radius`."""

    reason: str


@dataclass(frozen=True, slots=True)
class Pickup:
    """An order that waits for a rider, and where it is fetched (degrees)."""

    order_id: int
    lat: float
    lng: float


def give_up(*, waiting_since: float, patience_s: float, now: float) -> bool:
    """Whether an order without a rider since `waiting_since` is cancelled now (same clock, seconds)."""
    return now >= waiting_since + patience_s


def next_for(rider: Candidate, waiting: Iterable[Pickup], policy: DispatchPolicy) -> int | None:
    """The order_id that a rider without an order gets of those that wait, the longest-waiting first; None: none.

    `waiting` comes in the order in which they began to wait, and is read no further than to the one chosen.
    """
    here = (rider,)
    for order in waiting:
        if isinstance(choose_rider((order.lat, order.lng), here, policy), Assigned):
            return order.order_id
    return None


def choose_rider(
    pickup: tuple[float, float], candidates: Iterable[Candidate], policy: DispatchPolicy
) -> Assigned | NoRider:
    """The rider for a pickup at (lat, lng) in degrees.

    Worked: a rider 1,000 m away at 30 km/h -> eta_s = 120.
    """
    lat, lng = pickup
    by_load = policy.rule == "least_loaded"
    best: Candidate | None = None
    best_served, best_m = 0, policy.max_radius_m
    seen = free = False
    for candidate in candidates:
        seen = True
        if candidate.load != 0 or candidate.speed_kmh <= 0.0:
            continue
        free = True
        served = candidate.served if by_load else 0
        if best is not None and served > best_served:
            continue
        limit = best_m if best is None or served == best_served else policy.max_radius_m
        # The difference in latitude alone is a lower bound of the distance (a millimetre for rounding): most riders
        # of a large fleet are passed over without trigonometry.
        if radians(abs(candidate.lat - lat)) * EARTH_RADIUS_M > limit + 0.001:
            continue
        distance = haversine_m(candidate.lat, candidate.lng, lat, lng)
        if distance > limit:
            continue
        if (
            best is None
            or served < best_served
            or distance < best_m
            or (distance == best_m and candidate.rider_id < best.rider_id)
        ):
            best, best_served, best_m = candidate, served, distance
    if best is not None:
        return Assigned(best.rider_id, best_m, best_m * 3.6 / best.speed_kmh)
    if not seen:
        return NoRider("no_candidates")
    return NoRider("out_of_radius" if free else "all_busy")
