"""The nearest node to a place: where merchants, riders and drop-offs of a real day stand on the graph."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from o2o_sim.city.model import Floats, Ints, RoadGraph
from o2o_sim.city.projection import to_plane


class NodeIndex:
    """Nearest-node look-up on one graph (a k-d tree over its plane)."""

    def __init__(self, graph: RoadGraph) -> None:
        self._tree = cKDTree(np.column_stack((graph.x_m, graph.y_m)))
        # The graph's plane has its origin at the mean of its nodes; see graph.assemble.
        self._origin = (float(graph.lat.mean()), float(graph.lng.mean()))

    def at(self, x_m: Floats, y_m: Floats) -> tuple[Ints, Floats]:
        """(node, distance in metres) for points in the graph's plane; shapes as given."""
        distance, node = self._tree.query(np.column_stack((x_m, y_m)))
        return node.astype(np.int32), distance

    def nearest(self, lat: Floats, lng: Floats) -> tuple[Ints, Floats]:
        """(node, distance in metres) for points in degrees; shapes as given."""
        return self.at(*to_plane(lat, lng, self._origin))

    def within(self, node: int, radius_m: float) -> list[int]:
        """The nodes within `radius_m` of a node, in ascending order, itself included."""
        return sorted(self._tree.query_ball_point(self._tree.data[node], radius_m))

    def crowd(self, radius_m: float) -> Floats:
        """How many nodes stand within `radius_m` of each node: the density of streets, float64 [n]."""
        counts = self._tree.query_ball_point(self._tree.data, radius_m, return_length=True)
        return np.asarray(counts, dtype=np.float64)
