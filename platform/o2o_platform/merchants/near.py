"""Merchants near a place (G1): those within a radius, nearest first.

Decides by the domain's haversine distance; the database only narrows down to a box that holds the circle.
"""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Connection, Row, select

from o2o_domain.geo import haversine_m
from o2o_platform.merchants.tables import merchants

_METRES_PER_DEGREE = 111_195.0  # of latitude, on the sphere that haversine_m uses (6,371 km)


def box(lat: float, lng: float, radius_m: float) -> tuple[float, float, float, float]:
    """(south, north, west, east) of a box around the circle; a little larger, never smaller."""
    high = radius_m / _METRES_PER_DEGREE * 1.001
    wide = min(180.0, high / max(math.cos(math.radians(min(89.9, abs(lat) + high))), 1e-6))
    return lat - high, lat + high, lng - wide, lng + wide


def near(conn: Connection, lat: float, lng: float, radius_m: float, limit: int) -> list[tuple[Row[Any], float]]:
    """(merchant, metres) within `radius_m`, nearest first, ties by id, at most `limit`."""
    south, north, west, east = box(lat, lng, radius_m)
    query = select(merchants).where(merchants.c.lat.between(south, north), merchants.c.lng.between(west, east))
    found = [(row, haversine_m(lat, lng, row.lat, row.lng)) for row in conn.execute(query)]
    inside = [pair for pair in found if pair[1] <= radius_m]
    inside.sort(key=lambda pair: (pair[1], pair[0].id))
    return inside[:limit]
