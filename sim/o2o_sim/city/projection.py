"""Between degrees and metres: a local plane for a city, and the inverse of UTM for files that carry UTM metres.

Decides the formulas; leaves which projection a file is in to its reader.
"""

from __future__ import annotations

import re

import numpy as np

from o2o_sim.city.model import Floats

EARTH_M = 6_371_008.8
"""Mean earth radius (IUGG), metres."""

REFERENCE = (30.25, 120.17)
"""Where a city without a place on earth is put (lat, lng), so that the platform always has degrees to work with."""


def to_plane(lat: Floats, lng: Floats, origin: tuple[float, float]) -> tuple[Floats, Floats]:
    """Metres east and north of `origin` (lat, lng); equirectangular, within 0.1 % over 50 km. Shapes as given."""
    x = np.radians(lng - origin[1]) * EARTH_M * np.cos(np.radians(origin[0]))
    return x, np.radians(lat - origin[0]) * EARTH_M


def from_plane(x_m: Floats, y_m: Floats, origin: tuple[float, float]) -> tuple[Floats, Floats]:
    """(lat, lng) of points in metres east and north of `origin`: the inverse of `to_plane`."""
    lat = origin[0] + np.degrees(y_m / EARTH_M)
    return lat, origin[1] + np.degrees(x_m / (EARTH_M * np.cos(np.radians(origin[0]))))


def distance_m(lat1: Floats, lng1: Floats, lat2: Floats, lng2: Floats) -> Floats:
    """Great-circle distance in metres, elementwise: `o2o_domain.geo.haversine_m` for arrays."""
    p1, p2 = np.radians(lat1), np.radians(lat2)
    h = np.sin((p2 - p1) / 2) ** 2 + np.cos(p1) * np.cos(p2) * np.sin(np.radians(lng2 - lng1) / 2) ** 2
    result: Floats = 2 * EARTH_M * np.arcsin(np.sqrt(np.minimum(1.0, h)))
    return result


def utm_zone(crs: str) -> tuple[int, bool] | None:
    """(zone, south) of a coordinate system written as EPSG code (326zz, 327zz) or PROJ string; None for any other.

    >>> utm_zone("EPSG:32632"), utm_zone("+proj=utm +zone=31 +south"), utm_zone("epsg:4326")
    ((32, False), (31, True), None)
    """
    text = crs.strip().lower()
    if epsg := re.fullmatch(r"(?:epsg:)?32([67])(\d\d)", text):
        zone, south = int(epsg[2]), epsg[1] == "7"
    elif "utm" in text and (named := re.search(r"zone[=\s]*(\d{1,2})", text)):
        zone, south = int(named[1]), "+south" in text or text[named.end() : named.end() + 1] == "s"
    else:
        return None
    return (zone, south) if 1 <= zone <= 60 else None


def from_utm(easting: Floats, northing: Floats, zone: int, *, south: bool = False) -> tuple[Floats, Floats]:
    """(lat, lng) in degrees (WGS84) of UTM metres; series of Snyder, USGS PP 1395, p. 63; good to centimetres.

    Munich, Marienplatz: from_utm(691603, 5334760, 32) is about (48.137, 11.575).
    """
    a, f, k0 = 6_378_137.0, 1 / 298.257223563, 0.9996
    e2 = f * (2 - f)
    ep2 = e2 / (1 - e2)
    e1 = (1 - np.sqrt(1 - e2)) / (1 + np.sqrt(1 - e2))
    m = (northing - (10_000_000.0 if south else 0.0)) / k0
    mu = m / (a * (1 - e2 / 4 - 3 * e2**2 / 64 - 5 * e2**3 / 256))
    phi = (
        mu
        + (3 * e1 / 2 - 27 * e1**3 / 32) * np.sin(2 * mu)
        + (21 * e1**2 / 16 - 55 * e1**4 / 32) * np.sin(4 * mu)
        + (151 * e1**3 / 96) * np.sin(6 * mu)
        + (1097 * e1**4 / 512) * np.sin(8 * mu)
    )
    c, t = ep2 * np.cos(phi) ** 2, np.tan(phi) ** 2
    n = a / np.sqrt(1 - e2 * np.sin(phi) ** 2)
    r = a * (1 - e2) / (1 - e2 * np.sin(phi) ** 2) ** 1.5
    d = (easting - 500_000.0) / (n * k0)
    lat = phi - (n * np.tan(phi) / r) * (
        d**2 / 2
        - (5 + 3 * t + 10 * c - 4 * c**2 - 9 * ep2) * d**4 / 24
        + (61 + 90 * t + 298 * c + 45 * t**2 - 252 * ep2 - 3 * c**2) * d**6 / 720
    )
    lng = (
        d - (1 + 2 * t + c) * d**3 / 6 + (5 - 2 * c + 28 * t - 3 * c**2 + 8 * ep2 + 24 * t**2) * d**5 / 120
    ) / np.cos(phi)
    return np.degrees(lat), np.degrees(lng) + zone * 6 - 183
