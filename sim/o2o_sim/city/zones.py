"""Zones: compact districts of a city, by k-means over the nodes' places."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from o2o_sim.chance import stream
from o2o_sim.city.model import Ints, RoadGraph

_ROUNDS = 12


def make_zones(graph: RoadGraph, count: int, seed: int) -> Ints:
    """The zone of each node, int32 [n]: 0..z-1 from west to east, none empty; at most `count`, or one a node."""
    places = np.column_stack((graph.x_m, graph.y_m))
    count = min(count, graph.n_nodes)
    rng = stream(seed, "city.zones")
    centres = places[rng.choice(graph.n_nodes, size=count, replace=False)]
    zone = cKDTree(centres).query(places)[1]
    for _ in range(_ROUNDS):
        size = np.bincount(zone, minlength=count)
        filled = size > 0
        for axis in (0, 1):
            total = np.bincount(zone, weights=places[:, axis], minlength=count)
            centres[filled, axis] = total[filled] / size[filled]
        zone = cKDTree(centres).query(places)[1]
    used, zone = np.unique(zone, return_inverse=True)
    order = np.argsort(np.argsort(centres[used, 0], kind="stable"), kind="stable")
    return order[zone].astype(np.int32)
