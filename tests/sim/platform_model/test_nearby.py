"""The search around a pickup shows the rule every rider that could be its choice (S8)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from o2o_domain.dispatch import Assigned, Candidate, DispatchPolicy, choose_rider
from o2o_domain.geo import haversine_m
from o2o_sim.platform_model.nearby import Nearby


@pytest.mark.parametrize("latitude", [0.0, 31.2, -33.9, 64.1])
def test_within_misses_nobody_and_the_nearest_is_the_fleets(latitude):
    chance = np.random.default_rng(5)
    fleet = [
        Candidate(number, latitude + float(chance.normal(0, 0.02)), 121.5 + float(chance.normal(0, 0.03)), 0, 20.0)
        for number in range(800)
    ]
    fleet += [replace(rider, rider_id=rider.rider_id + 800) for rider in fleet[:90]]  # some share a place
    nearby = Nearby()
    for rider in fleet:
        nearby.add(rider)
    for number in range(0, 890, 3):
        nearby.remove(number)
    free = [rider for rider in fleet if rider.rider_id % 3]
    assert len(nearby) == len(free)
    for _ in range(60):
        lat, lng = latitude + float(chance.normal(0, 0.02)), 121.5 + float(chance.normal(0, 0.03))
        metres = float(chance.uniform(10, 1500))
        near = {rider.rider_id for rider in free if haversine_m(rider.lat, rider.lng, lat, lng) <= metres}
        found = nearby.within(lat, lng, metres)
        assert near <= {rider.rider_id for rider in found}
        some = choose_rider((lat, lng), nearby.nearest(lat, lng, metres), DispatchPolicy(max_radius_m=metres))
        assert some == choose_rider((lat, lng), free, DispatchPolicy(max_radius_m=metres)) or not near
        assert isinstance(some, Assigned) == bool(near)
