"""Projections: UTM against published points, the plane against itself, distance against the domain's rule."""

import numpy as np
import pytest

from o2o_domain.geo import haversine_m
from o2o_sim.city.projection import distance_m, from_plane, from_utm, to_plane, utm_zone


@pytest.mark.parametrize(
    ("easting", "northing", "zone", "south", "lat", "lng"),
    [
        (448251.795, 5411932.678, 31, False, 48.8582, 2.2945),  # Eiffel Tower
        (500000.0, 0.0, 33, False, 0.0, 15.0),  # on the equator, on the central meridian
        (630084.300, 4833438.550, 17, False, 43.642567, -79.387139),  # CN Tower
        (334873.194, 6252266.092, 56, True, -33.857, 151.215),  # Sydney Opera House
    ],
)
def test_utm_inverse_of_known_places(easting, northing, zone, south, lat, lng):
    found_lat, found_lng = from_utm(np.array([easting]), np.array([northing]), zone, south=south)
    assert haversine_m(float(found_lat[0]), float(found_lng[0]), lat, lng) < 30.0


def test_utm_zone_of_names():
    assert utm_zone("EPSG:32632") == (32, False)
    assert utm_zone("+proj=utm +zone=33 +south +ellps=WGS84") == (33, True)
    assert utm_zone("epsg:4326") is None
    assert utm_zone("epsg:32699") is None
    assert utm_zone("+proj=longlat") is None


def test_plane_there_and_back():
    lat, lng = np.array([48.1, 48.2, 47.9]), np.array([11.5, 11.7, 11.4])
    back = from_plane(*to_plane(lat, lng, (48.0, 11.6)), (48.0, 11.6))
    np.testing.assert_allclose(back[0], lat, atol=1e-9)
    np.testing.assert_allclose(back[1], lng, atol=1e-9)


def test_distance_is_the_domain_s_and_the_plane_keeps_it():
    rng = np.random.default_rng(3)
    lat, lng = 30.25 + rng.uniform(-0.05, 0.05, 40), 120.17 + rng.uniform(-0.05, 0.05, 40)
    wanted = [haversine_m(lat[i], lng[i], lat[i + 1], lng[i + 1]) for i in range(39)]
    np.testing.assert_allclose(distance_m(lat[:-1], lng[:-1], lat[1:], lng[1:]), wanted, rtol=1e-9)
    x, y = to_plane(lat, lng, (30.25, 120.17))
    np.testing.assert_allclose(np.hypot(np.diff(x), np.diff(y)), wanted, rtol=2e-3)
