"""What OpenStreetMap's tags mean for a road graph: rank, speed and direction of a road.

Source of the values: the OpenStreetMap wiki (Key:highway, Key:maxspeed, Key:oneway).
"""

from __future__ import annotations

import math
import re

ATTRIBUTION = "© OpenStreetMap contributors"

HIGHWAYS = {
    "motorway": (0, 100.0),
    "motorway_link": (0, 60.0),
    "trunk": (0, 80.0),
    "trunk_link": (0, 50.0),
    "primary": (1, 60.0),
    "primary_link": (1, 40.0),
    "secondary": (2, 50.0),
    "secondary_link": (2, 40.0),
    "tertiary": (3, 40.0),
    "tertiary_link": (3, 30.0),
    "unclassified": (4, 40.0),
    "residential": (4, 30.0),
    "living_street": (4, 15.0),
    "road": (4, 30.0),
    "busway": (4, 30.0),
    "service": (4, 20.0),
}
"""Drivable roads: rank (see model) and the speed in km/h taken where no maxspeed is given."""

_WORD_KMH = {"none": 130.0, "walk": 6.0}
_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*(mph|knots)?")


def values(text: str) -> list[str]:
    """The values of a tag as OSMnx writes it: one, or a Python list in a string ("['30', '50']")."""
    text = text.strip()
    if text.startswith("[") and text.endswith("]"):
        return [part.strip().strip("'\"") for part in text[1:-1].split(",") if part.strip()]
    return [text] if text else []


def speed_kmh(maxspeed: str) -> float:
    """The speed of a maxspeed tag in km/h: the mean of several values; NaN where it names no number.

    >>> speed_kmh("30"), speed_kmh("['30', '50']"), round(speed_kmh("25 mph"), 2), speed_kmh("DE:urban")
    (30.0, 40.0, 40.23, nan)
    """
    found = []
    for value in values(maxspeed):
        if value in _WORD_KMH:
            found.append(_WORD_KMH[value])
        elif match := _NUMBER.fullmatch(value.removesuffix("km/h").strip()):
            found.append(float(match[1]) * {None: 1.0, "mph": 1.609344, "knots": 1.852}[match[2]])
    usable = [speed for speed in found if speed > 0]
    return sum(usable) / len(usable) if usable else math.nan


def road(highway: str) -> tuple[int, float] | None:
    """(rank, default speed in km/h) of a highway tag, the highest rank of several; None if it is no drivable road."""
    known = [HIGHWAYS[value] for value in values(highway) if value in HIGHWAYS]
    return min(known) if known else None


def direction(oneway: str | None, junction: str | None, highway: str) -> int:
    """1: one way as drawn, -1: one way against it, 0: both ways."""
    word = (oneway or "").strip().lower()
    if word in ("yes", "true", "1"):
        return 1
    if word in ("-1", "reverse"):
        return -1
    if word in ("no", "false", "0"):
        return 0
    return 1 if junction in ("roundabout", "circular") or highway == "motorway" else 0
