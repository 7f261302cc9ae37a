"""Putting the places of a real day on a road graph.

Decides when a day's places are taken as they are (degrees that lie on the graph) and when they are fitted: moved so
that the middle of the day lies on the middle of the graph, and shrunk, both axes alike, until it lies within. Places
are never spread out: a small town on a large graph keeps its distances. What was done stands in the notes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from o2o_sim.city.model import Floats, Ints, RoadGraph
from o2o_sim.city.nearest import NodeIndex
from o2o_sim.city.projection import to_plane
from o2o_sim.demand.realday import Places, RealDay

_OUTLIERS = 3.0  # per cent on each side that do not decide the extent: a day has a second town in its file
_SAME_PLACE = 0.9  # share of the places that must lie on the graph to take them as they are
_MARGIN_M = 1000.0


@dataclass(frozen=True)
class Fitted:
    """The node of each shop, drop and courier of a day, int32 each, and notes for the manifest."""

    shops: Ints
    drops: Ints
    couriers: Ints
    notes: dict[str, Any]


def fit_day(day: RealDay, graph: RoadGraph) -> Fitted:
    """Snap the places of `day` to nodes of `graph`, fitting them first if they lie elsewhere.

    Notes: `fitted`, both extents in km (width, height), `scale` (new length for an old one), the median and largest
    distance from a place to its node, and how many places lay beyond the graph's extent and were drawn to its edge
    (couriers far out, and the outer 3 % of the orders on each side, which do not decide the scale).
    """
    groups = (day.shops, day.drops, day.couriers)
    east = np.concatenate([group.east for group in groups])
    north = np.concatenate([group.north for group in groups])
    index = NodeIndex(graph)
    low_x, high_x = float(graph.x_m.min()), float(graph.x_m.max())
    low_y, high_y = float(graph.y_m.min()), float(graph.y_m.max())
    if day.unit == "degrees":
        x, y = to_plane(north, east, (float(graph.lat.mean()), float(graph.lng.mean())))
        inside = (x >= low_x - _MARGIN_M) & (x <= high_x + _MARGIN_M)
        inside &= (y >= low_y - _MARGIN_M) & (y <= high_y + _MARGIN_M)
        here = float(inside.mean()) >= _SAME_PLACE
        if not here:  # a plane of its own: the graph's would stretch places of another latitude
            x, y = to_plane(north, east, (float(np.median(north)), float(np.median(east))))
    else:
        x, y, here = east, north, False

    # The orders decide the day's extent; couriers roam further and follow.
    ordering = len(day.shops.east) + len(day.drops.east)
    width, height = _extent(x[:ordering]), _extent(y[:ordering])
    scale = 1.0
    if not here:
        room_x, room_y = high_x - low_x, high_y - low_y
        scale = min(1.0, room_x / max(1.0, width[1] - width[0]), room_y / max(1.0, height[1] - height[0]))
        x = (x - (width[0] + width[1]) / 2) * scale + (low_x + high_x) / 2
        y = (y - (height[0] + height[1]) / 2) * scale + (low_y + high_y) / 2
    outside = (x < low_x) | (x > high_x) | (y < low_y) | (y > high_y)
    node, away = index.at(np.clip(x, low_x, high_x), np.clip(y, low_y, high_y))
    ends = np.cumsum([len(group.east) for group in groups])
    own = [_km(width[1] - width[0]), _km(height[1] - height[0])]
    room = [_km(high_x - low_x), _km(high_y - low_y)]
    notes: dict[str, Any] = {
        "fitted": not here,
        "day_extent_km": own,
        "graph_extent_km": room,
        "day_extent_own": _own(groups),
        "graph_extent_degrees": [round(value, 5) for value in graph.bounds()],
        "scale": round(scale, 6),
        "places_drawn_to_the_edge": int(outside.sum()),
        "snap_median_m": round(float(np.median(away)), 1),
        "snap_max_m": round(float(away.max()), 1),
    }
    if not here:
        notes["says"] = (
            f"the day's places ({own[0]} x {own[1]} km) lie elsewhere: moved to the graph ({room[0]} x {room[1]} km) "
            f"at scale {scale:.3f}"
        )
    return Fitted(node[: ends[0]], node[ends[0] : ends[1]], node[ends[1] :], notes)


def _extent(values: Floats) -> tuple[float, float]:
    low, high = np.percentile(values, [_OUTLIERS, 100.0 - _OUTLIERS])
    return float(low), float(high)


def _km(metres: float) -> float:
    return round(metres / 1000.0, 3)


def _own(groups: tuple[Places, ...]) -> list[float]:
    """The extent in the file's own unit, outliers included: south, west, north, east."""
    east = np.concatenate([group.east for group in groups])
    north = np.concatenate([group.north for group in groups])
    return [round(float(value), 5) for value in (north.min(), east.min(), north.max(), east.max())]
