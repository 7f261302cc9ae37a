"""The part of a road graph that can be used: its largest strongly connected part.

Decides what is dropped and when a graph is of no use; what was dropped stands in the graph's notes.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from o2o_sim.city.graph import RawGraph, assemble
from o2o_sim.city.model import RoadGraph
from o2o_sim.errors import CityError

MIN_NODES = 16
"""A smaller city has no room for merchants, users and riders."""

MIN_SHARE = 0.5
"""If the largest part holds less than this share of the nodes that have roads, the file is not one city."""


def clean(raw: RawGraph) -> RoadGraph:
    """The largest strongly connected part of what was read; `notes` count the nodes, edges and parts that were dropped.

    Nodes that no edge touches are dropped first and do not count against the graph. Raises CityError naming the source
    and the figures if a coordinate is impossible, if fewer than MIN_NODES nodes are left, or if the graph is not
    connected (the largest part holds less than MIN_SHARE of the nodes).
    """
    n = int(raw.lat.shape[0])
    if n == 0 or raw.tail.shape[0] == 0:
        raise CityError(f"city.graph: {raw.source}: no roads in it ({n} nodes, {raw.tail.shape[0]} edges)")
    bad = ~(np.isfinite(raw.lat) & np.isfinite(raw.lng) & (np.abs(raw.lat) <= 90) & (np.abs(raw.lng) <= 180))
    if bad.any():
        where = int(np.argmax(bad))
        raise CityError(
            f"city.graph: {raw.source}: {int(bad.sum())} of {n} nodes have no place on earth "
            f"(the first is node {where} at {raw.lat[where]}, {raw.lng[where]}; degrees wanted)"
        )
    links = csr_matrix((np.ones(raw.tail.shape[0], dtype=np.int8), (raw.tail, raw.head)), shape=(n, n))
    touched = np.zeros(n, dtype=bool)
    touched[raw.tail] = touched[raw.head] = True
    parts, label = connected_components(links, directed=True, connection="strong")
    keep = label == np.argmax(np.bincount(label, weights=touched.astype(np.float64), minlength=parts))
    kept, usable = int(keep.sum()), int(touched.sum())
    found = f"not connected: the largest strongly connected part has {kept} of {usable} nodes"
    if kept < MIN_NODES:
        raise CityError(f"city.graph: {raw.source}: {found}, at least {MIN_NODES} are needed")
    if kept < MIN_SHARE * usable:
        raise CityError(f"city.graph: {raw.source}: {found} ({kept / usable:.0%}), at least {MIN_SHARE:.0%} are needed")
    graph = assemble(raw, keep)
    inside = keep[raw.tail] & keep[raw.head]
    graph.notes.update(
        nodes_read=n,
        edges_read=int(raw.tail.shape[0]),
        nodes_without_roads=n - usable,
        nodes_dropped=usable - kept,
        edges_dropped=int(inside.size - inside.sum()),
        parts=int(parts - (n - usable)),
    )
    return graph
