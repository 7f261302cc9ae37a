"""Edges as read, before cleaning, and how they become a RoadGraph.

Decides how parallel edges, loops, missing lengths and missing speeds are treated. Leaves the file formats to `read`
and connectedness to `clean`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix

from o2o_sim.city.model import Floats, Ints, Ranks, RoadGraph
from o2o_sim.city.projection import distance_m, to_plane

DEFAULT_KMH = (90.0, 60.0, 50.0, 40.0, 30.0)
"""Free-flow speed assumed for a road of rank 0..4 that carries no speed."""

MIN_LENGTH_M = 0.5
"""Shorter edges are taken as this long: a zero would mean "no edge" in a sparse matrix."""


@dataclass(frozen=True)
class RawGraph:
    """What a reader found: nodes in degrees and directed edges between node numbers; NaN where the file says nothing.

    `length_m`, `speed_kmh` and `travel_s` are float64 [m]; a `travel_s` that is given wins over a speed.
    """

    lat: Floats
    lng: Floats
    tail: npt.NDArray[np.int64]
    head: npt.NDArray[np.int64]
    length_m: Floats
    speed_kmh: Floats
    travel_s: Floats
    rank: Ranks
    name: str
    source: str
    """The file or folder, for messages."""
    notes: dict[str, Any] = field(default_factory=dict)


def assemble(raw: RawGraph, keep: npt.NDArray[np.bool_]) -> RoadGraph:
    """The RoadGraph over the nodes where `keep` (bool [n]) is true, with renumbered nodes and notes on what was done.

    Loops go, of parallel edges the fastest stays. A missing length is the straight line; a length shorter than the
    straight line by more than 1 % is left as it is (files round), a missing speed is DEFAULT_KMH of its rank.
    """
    number = np.cumsum(keep) - 1
    inside = keep[raw.tail] & keep[raw.head] & (raw.tail != raw.head)
    loops = int(np.count_nonzero(raw.tail == raw.head))
    tail, head = number[raw.tail[inside]], number[raw.head[inside]]
    lat, lng = raw.lat[keep], raw.lng[keep]
    n = int(lat.shape[0])

    length = raw.length_m[inside]
    no_length = ~np.isfinite(length)
    length = np.where(no_length, distance_m(lat[tail], lng[tail], lat[head], lng[head]), length)
    length = np.maximum(length, MIN_LENGTH_M)
    speed, rank = raw.speed_kmh[inside], raw.rank[inside]
    seconds = raw.travel_s[inside]
    no_speed = ~np.isfinite(speed) & ~np.isfinite(seconds)
    speed = np.where(np.isfinite(speed), speed, np.asarray(DEFAULT_KMH)[rank])
    seconds = np.where(np.isfinite(seconds) & (seconds > 0), seconds, length / speed * 3.6)

    # By (tail, head), fastest first: the first of each group stays.
    order = np.lexsort((seconds, head, tail))
    pair = tail[order].astype(np.int64) * n + head[order]
    first = np.ones(pair.shape[0], dtype=bool)
    first[1:] = pair[1:] != pair[:-1]
    chosen = order[first]
    indptr = np.zeros(n + 1, dtype=np.int32)
    np.cumsum(np.bincount(tail[chosen], minlength=n), out=indptr[1:])

    origin = (float(lat.mean()), float(lng.mean()))
    x, y = to_plane(lat, lng, origin)
    notes = {
        **raw.notes,
        "source": raw.source,
        "nodes": n,
        "edges": int(chosen.shape[0]),
        "loops_dropped": loops,
        "parallel_edges_dropped": int(order.shape[0] - chosen.shape[0]),
        "lengths_assumed": int(np.count_nonzero(no_length)),
        "speeds_assumed": int(np.count_nonzero(no_speed)),
        "origin": [round(origin[0], 6), round(origin[1], 6)],
    }
    return RoadGraph(
        lat=lat,
        lng=lng,
        x_m=x,
        y_m=y,
        indptr=indptr,
        indices=head[chosen].astype(np.int32),
        lengths_m=length[chosen],
        travel_s=seconds[chosen],
        rank=rank[chosen].astype(np.int8),
        name=raw.name,
        notes=notes,
    )


def matrix(graph: RoadGraph, weights: Floats) -> csr_matrix:
    """The graph as scipy CSR [n, n] with one weight an edge (`graph.lengths_m`, `graph.travel_s`, ...)."""
    return csr_matrix((weights, graph.indices, graph.indptr), shape=(graph.n_nodes, graph.n_nodes))


def segments(graph: RoadGraph) -> tuple[Ints, Ints, Ranks]:
    """Each road once, whatever its directions, for maps: (node, node, rank), sorted by rank, the largest roads last."""
    tail, head = graph.tails(), graph.indices
    low, high = np.minimum(tail, head), np.maximum(tail, head)
    _, once = np.unique(low.astype(np.int64) * graph.n_nodes + high, return_index=True)
    once = once[np.argsort(-graph.rank[once].astype(np.int64), kind="stable")]
    return low[once], high[once], graph.rank[once]
