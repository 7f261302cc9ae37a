"""Straight-line distance on the globe, all that the platform knows of geography: it has no road graph.

Road times belong to the city (o2o_sim.city).
"""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the earth, metres (IUGG)."""


def haversine_m(lat1: float, lng1: float, lat2: float, lng2: float) -> float:
    """Great-circle distance in metres between two points in degrees (haversine formula).

    Worked: one degree of latitude is haversine_m(0, 0, 1, 0) = 111,195.08 m.
    """
    phi1, phi2 = radians(lat1), radians(lat2)
    a = sin((phi2 - phi1) / 2.0)
    b = sin(radians(lng2 - lng1) / 2.0)
    h = a * a + cos(phi1) * cos(phi2) * b * b
    return 2.0 * EARTH_RADIUS_M * asin(sqrt(h)) if h < 1.0 else EARTH_RADIUS_M * 3.141592653589793
