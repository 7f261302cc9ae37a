"""The run table `roads`: the road graph as segments, for the map of a report. Both worlds write it."""

from __future__ import annotations

import pyarrow as pa

from o2o_results.tables import TABLES
from o2o_sim.city.graph import segments
from o2o_sim.city.model import RoadGraph


def road_table(graph: RoadGraph) -> pa.Table:
    """Each road once, whatever its directions, the largest last (so that they are drawn on top)."""
    tails, heads, ranks = segments(graph)
    columns = [graph.lat[tails], graph.lng[tails], graph.lat[heads], graph.lng[heads], ranks]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=TABLES["roads"])
