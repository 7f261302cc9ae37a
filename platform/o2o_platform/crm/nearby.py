"""The k nearest leads of the public pool (C13), exactly as a brute force over all leads would find them.

Decides by the domain's haversine distance. The database narrows down to a box around the circle searched; the circle
grows until it holds k leads or the whole earth.
"""

from __future__ import annotations

import math
from typing import Any

from sqlalchemy import Connection, Row, or_, select

from o2o_domain.geo import haversine_m
from o2o_domain.leads import TERMINAL
from o2o_platform.crm.tables import leads

_METRES_PER_DEGREE = 111_000.0  # a little less than a degree of latitude, so that boxes err on the large side
_FIRST_RADIUS_M = 1_000.0
_HALF_EARTH_M = 20_040_000.0

_CLOSED = [stage.value for stage in TERMINAL]


def nearest(conn: Connection, lat: float, lng: float, k: int, now: float) -> list[tuple[Row[Any], float]]:
    """(lead, metres) of the k nearest open leads, nearest first, ties by id.

    Open: held by nobody, or by one whose clock has run out at `now`, whether the recycle has come by or not.
    """
    radius_m = _FIRST_RADIUS_M
    while True:
        everywhere = radius_m >= _HALF_EARTH_M
        found = _within(conn, lat, lng, None if everywhere else radius_m, now)
        if everywhere or len(found) >= k:
            found.sort(key=lambda pair: (pair[1], pair[0].id))
            return found[:k]
        radius_m *= 4.0


def _within(
    conn: Connection, lat: float, lng: float, radius_m: float | None, now: float
) -> list[tuple[Row[Any], float]]:
    query = select(leads).where(leads.c.stage.not_in(_CLOSED), or_(leads.c.owner_id.is_(None), leads.c.due_at <= now))
    if radius_m is not None:
        high = radius_m / _METRES_PER_DEGREE
        query = query.where(leads.c.lat.between(lat - high, lat + high))
        edge = math.cos(math.radians(min(90.0, abs(lat) + high)))
        wide = high / edge if edge > 0.01 else 360.0
        if lng - wide >= -180.0 and lng + wide <= 180.0:  # otherwise the box crosses the date line: all longitudes
            query = query.where(leads.c.lng.between(lng - wide, lng + wide))
    found = [(lead, haversine_m(lat, lng, lead.lat, lead.lng)) for lead in conn.execute(query)]
    return found if radius_m is None else [pair for pair in found if pair[1] <= radius_m]
