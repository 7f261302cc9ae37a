"""The city map's data: roads, stores and drop-offs in one small plane of 16-bit numbers for `assets/map.js`.

Decides the projection (equirectangular around the middle latitude: right to a fraction of a percent across a city), the
sample of drop-offs and what a tooltip says. Drawing, zooming and colours are left to map.js.
"""

from __future__ import annotations

import base64
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from o2o_results.operations import lateness_min
from o2o_results.report.figures import clock, seconds
from o2o_results.report.view import RunView
from o2o_results.run import floats
from o2o_results.statistics import Floats

POINTS = 6000
"""Drop-offs drawn at most; a larger run is thinned evenly in time, and the page says so."""
ROADS = 150_000
Units = np.ndarray[Any, np.dtype[np.uint16]]
UNITS = 65_535
METRES_PER_DEGREE = 111_194.9
"""One degree of a great circle of the mean earth radius, 6,371,008.8 m."""


@dataclass(frozen=True, slots=True)
class CityMap:
    """JSON-ready data of one map, and the words beneath it."""

    data: dict[str, Any]
    drawn: int
    total: int
    attribution: str | None

    @property
    def sampled(self) -> bool:
        """Whether some drop-offs are left out."""
        return self.drawn < self.total


def attribution(view: RunView) -> str | None:
    """What the map data's licence wants said, from the manifest's notes; None for an invented city."""
    noted = view.run.manifest.notes.get("attribution")
    return str(noted) if noted else None


class _Plane:
    """Latitude and longitude to 16-bit x (east) and y (south)."""

    def __init__(self, lat: Floats, lng: Floats) -> None:
        self.top, self.left = float(lat.max()), float(lng.min())
        self.shrink = math.cos(math.radians((self.top + float(lat.min())) / 2))
        self.wide_deg, self.high_deg = float(lng.max()) - self.left, self.top - float(lat.min())
        wide, high = self.wide_deg * self.shrink * METRES_PER_DEGREE, self.high_deg * METRES_PER_DEGREE
        self.metres = max(wide, high, 1.0)
        self.wide, self.high = round(wide / self.metres * UNITS), round(high / self.metres * UNITS)

    def x(self, lng: Floats) -> Units:
        """East, 0..UNITS."""
        return self._units((lng - self.left) * self.shrink * METRES_PER_DEGREE)

    def y(self, lat: Floats) -> Units:
        """South, 0..UNITS."""
        return self._units((self.top - lat) * METRES_PER_DEGREE)

    def holds(self, lat: Floats, lng: Floats) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which points lie within the plane."""
        low, right = self.top - self.high_deg, self.left + self.wide_deg
        return np.asarray((lat <= self.top) & (lat >= low) & (lng >= self.left) & (lng <= right), dtype=bool)

    def _units(self, metres: Floats) -> Units:
        return np.asarray(np.clip(np.rint(metres / self.metres * UNITS), 0, UNITS), dtype="<u2")


def city_map(view: RunView) -> CityMap | None:
    """The map of one run; None when the run has neither roads nor orders."""
    roads, orders, stores = view.table("roads"), view.table("orders"), view.table("merchants")
    lat = np.concatenate([floats(roads, "lat1"), floats(roads, "lat2"), floats(stores, "lat")])
    lng = np.concatenate([floats(roads, "lng1"), floats(roads, "lng2"), floats(stores, "lng")])
    if not len(lat):
        return None
    plane = _Plane(lat, lng)
    takeout = np.flatnonzero(np.asarray([kind == "order" for kind in orders.column("kind").to_pylist()], dtype=bool))
    keep = takeout[np.unique(np.linspace(0, max(0, len(takeout) - 1), min(len(takeout), POINTS)).astype(np.int64))]
    data = {
        "width": plane.wide,
        "height": plane.high,
        "metres": round(plane.metres),
        "rivers": _rivers(view, plane),
        **_roads(view, plane),
        "stores": {
            "x": plane.x(floats(stores, "lng")).tolist(),
            "y": plane.y(floats(stores, "lat")).tolist(),
            "name": stores.column("name").to_pylist(),
            "orders": stores.column("orders").to_pylist(),
            "slots": stores.column("slots").to_pylist(),
        },
        "drops": _drops(view, plane, keep),
    }
    return CityMap(data, len(keep), len(takeout), attribution(view))


def _roads(view: RunView, plane: _Plane) -> dict[str, Any]:
    roads = view.table("roads")
    ends = np.stack(
        [
            plane.x(floats(roads, "lng1")),
            plane.y(floats(roads, "lat1")),
            plane.x(floats(roads, "lng2")),
            plane.y(floats(roads, "lat2")),
        ],
        axis=1,
    )
    # A two-way street is two edges; it is drawn once.
    turned = (ends[:, 0] > ends[:, 2]) | ((ends[:, 0] == ends[:, 2]) & (ends[:, 1] > ends[:, 3]))
    ends[turned] = ends[turned][:, [2, 3, 0, 1]]
    rank = roads.column("rank").to_numpy().astype(np.uint8)
    packed, first = np.unique(np.ascontiguousarray(ends).view("<u8").ravel(), return_index=True)
    if len(packed) > ROADS:  # the widest roads (lowest rank) are kept
        best = np.sort(np.argsort(rank[first], kind="stable")[:ROADS])
        packed, first = packed[best], first[best]
    return {
        "roads": base64.b64encode(packed.astype("<u8").tobytes()).decode(),
        "ranks": base64.b64encode(rank[first].tobytes()).decode(),
    }


def _rivers(view: RunView, plane: _Plane) -> list[list[int]]:
    """Rivers of an invented city from the manifest's notes, each x, y, x, y ...; empty for a real one."""
    city = view.run.manifest.notes.get("city")
    graph = city.get("graph") if isinstance(city, dict) else None
    rivers = graph.get("rivers", []) if isinstance(graph, dict) else []
    found = []
    for river in rivers:
        points = np.asarray(river, dtype=np.float64).reshape(-1, 2)
        points = points[plane.holds(points[:, 0], points[:, 1])]
        found.append(np.stack([plane.x(points[:, 1]), plane.y(points[:, 0])], axis=1).ravel().tolist())
    return found


def _spread(plane: _Plane, lng: Floats, lat: Floats) -> tuple[Units, Units]:
    """Points that share a crossing, moved apart on a spiral (14 m x sqrt(k), at most 70 m), so that all are seen."""
    x, y = plane.x(lng), plane.y(lat)
    keys = x.astype(np.int64) * (UNITS + 1) + y
    order = np.argsort(keys, kind="stable")
    ranked = keys[order]
    begins = np.concatenate([[True], ranked[1:] != ranked[:-1]]) if len(ranked) else np.zeros(0, dtype=bool)
    first = np.maximum.accumulate(np.where(begins, np.arange(len(ranked)), 0))
    place = np.empty(len(keys))
    place[order] = np.arange(len(ranked)) - first
    away = np.minimum(14 * np.sqrt(place), 70) / plane.metres * UNITS
    angle = place * math.pi * (3 - math.sqrt(5))
    moved = x + away * np.cos(angle), y + away * np.sin(angle)
    east, south = (np.asarray(np.clip(np.rint(value), 0, UNITS), dtype="<u2") for value in moved)
    return east, south


def _drops(view: RunView, plane: _Plane, keep: np.ndarray[Any, np.dtype[np.int64]]) -> dict[str, Any]:
    orders = view.table("orders").take(keep)
    late = lateness_min(orders, promise_min=view.scenario.slo.promise_min, speed=view.speed)
    taken = floats(orders, "printed") - floats(orders, "intended")
    east, south = _spread(plane, floats(orders, "drop_lng"), floats(orders, "drop_lat"))
    numbers = zip(orders.column("order_no").to_pylist(), orders.column("order_id").to_pylist(), strict=True)
    start = view.scenario.clock.start_min
    return {
        "x": east.tolist(),
        "y": south.tolist(),
        "late": [None if math.isnan(value) else round(float(value), 1) for value in late],
        "paper": ["" if math.isnan(value) else seconds(float(value)) for value in taken],
        "number": [number or f"intent {order_id}" for number, order_id in numbers],
        "at": [clock(at, start_min=start, speed=view.speed) for at in floats(orders, "intended")],
        "store": orders.column("merchant_id").to_pylist(),
        "state": orders.column("state").to_pylist(),
    }
