"""Rider choice: nearest or least loaded, only free riders, ties by id."""

from __future__ import annotations

from math import acos, cos, radians, sin

import pytest

from o2o_domain.dispatch import (
    Assigned,
    Candidate,
    DispatchPolicy,
    NoRider,
    Pickup,
    choose_rider,
    give_up,
    next_for,
)
from o2o_domain.geo import EARTH_RADIUS_M, haversine_m

PICKUP = (31.2, 121.4)
METRE = 1.0 / haversine_m(0.0, 0.0, 1.0, 0.0)
"""One metre north, in degrees of latitude."""


def rider(rider_id: int, metres: float, *, load: int = 0, speed_kmh: float = 30.0, served: int = 0) -> Candidate:
    return Candidate(rider_id, PICKUP[0] + metres * METRE, PICKUP[1], load, speed_kmh, served)


def test_haversine_knows_a_degree_and_half_the_globe() -> None:
    assert haversine_m(0, 0, 1, 0) == pytest.approx(111_195.08, abs=0.01)
    assert haversine_m(0, 0, 0, 180) == pytest.approx(20_015_114.4, abs=0.5)
    assert haversine_m(90, 0, -90, 77) == pytest.approx(20_015_114.4, abs=0.5)
    assert haversine_m(31.2, 121.4, 31.2, 121.4) == 0.0


def test_haversine_agrees_with_the_spherical_law_of_cosines() -> None:
    """Shanghai to Beijing, far enough apart for the other formula to be exact too."""
    phi1, phi2, dlng = radians(31.2304), radians(39.9042), radians(116.4074 - 121.4737)
    angle = acos(sin(phi1) * sin(phi2) + cos(phi1) * cos(phi2) * cos(dlng))
    assert haversine_m(31.2304, 121.4737, 39.9042, 116.4074) == pytest.approx(EARTH_RADIUS_M * angle, rel=1e-9)


def test_the_nearest_free_rider_takes_it_with_eta_at_its_own_speed() -> None:
    answer = choose_rider(PICKUP, [rider(1, 2000), rider(2, 1000), rider(3, 500, load=1)], DispatchPolicy())
    assert isinstance(answer, Assigned)
    assert answer.rider_id == 2
    assert answer.distance_m == pytest.approx(1000.0)
    assert answer.eta_s == pytest.approx(120.0)


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_ties_go_to_the_lower_id_whatever_the_order(order: tuple[int, ...]) -> None:
    answer = choose_rider(PICKUP, [rider(k, 700) for k in order], DispatchPolicy())
    assert isinstance(answer, Assigned)
    assert answer.rider_id == 1


@pytest.mark.parametrize(("metres", "taken"), [(5999.0, True), (6001.0, False)])
def test_nobody_beyond_the_radius_is_asked(metres: float, taken: bool) -> None:
    answer = choose_rider(PICKUP, [rider(1, metres)], DispatchPolicy(max_radius_m=6000.0))
    assert isinstance(answer, Assigned) is taken
    if not taken:
        assert answer == NoRider("out_of_radius")


def test_least_loaded_prefers_the_fewest_orders_then_the_nearest() -> None:
    policy = DispatchPolicy(rule="least_loaded", max_radius_m=3000.0)
    near_busy, far_idle, beyond = rider(1, 100, served=9), rider(2, 2500, served=2), rider(3, 4000, served=0)
    nearer_idle = rider(4, 900, served=2)
    for order in ([near_busy, far_idle, beyond], [beyond, far_idle, near_busy]):
        assert getattr(choose_rider(PICKUP, order, policy), "rider_id", None) == 2
    assert getattr(choose_rider(PICKUP, [far_idle, nearer_idle, near_busy], policy), "rider_id", None) == 4
    assert getattr(choose_rider(PICKUP, [far_idle, near_busy], DispatchPolicy()), "rider_id", None) == 1


@pytest.mark.parametrize(
    ("candidates", "reason"),
    [
        ([], "no_candidates"),
        ([rider(1, 10, load=1), rider(2, 10, load=3)], "all_busy"),
        ([rider(1, 10, speed_kmh=0.0)], "all_busy"),
        ([rider(1, 9000), rider(2, 10, load=1)], "out_of_radius"),
    ],
)
def test_nobody_has_a_reason(candidates: list[Candidate], reason: str) -> None:
    assert choose_rider(PICKUP, candidates, DispatchPolicy()) == NoRider(reason)


def test_a_stream_of_candidates_is_read_once() -> None:
    answer = choose_rider(PICKUP, (rider(k, 100 * k) for k in range(5, 1, -1)), DispatchPolicy())
    assert getattr(answer, "rider_id", None) == 2


def test_the_longest_waiting_order_in_reach_goes_first() -> None:
    """A13: an order out of the rider's reach holds up nobody."""
    far, first, second = (Pickup(7, 32.0, 121.4), Pickup(9, *PICKUP), Pickup(3, *PICKUP))
    policy = DispatchPolicy(max_radius_m=2000.0)
    assert next_for(rider(1, 50.0), (far, first, second), policy) == 9
    assert next_for(rider(1, 50.0), (far,), policy) is None
    assert next_for(rider(1, 50.0, load=1), (first,), policy) is None


@pytest.mark.parametrize(("now", "over"), [(159.9, False), (160.0, True), (1e6, True)])
def test_patience_ends_to_the_second(now: float, over: bool) -> None:
    assert give_up(waiting_since=100.0, patience_s=60.0, now=now) is over
