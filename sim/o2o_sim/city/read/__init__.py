"""Readers of road graphs: one module a file format; `read_graph` picks by what the path is."""

from __future__ import annotations

from pathlib import Path

from o2o_sim.city.clean import clean
from o2o_sim.city.model import RoadGraph
from o2o_sim.city.read.csv import read_csv
from o2o_sim.city.read.graphml import read_graphml
from o2o_sim.city.read.pbf import read_osm
from o2o_sim.errors import CityError

_OSM = (".osm.pbf", ".pbf", ".osm", ".osm.gz", ".osm.bz2")


def read_graph(path: Path) -> RoadGraph:
    """The largest strongly connected part of the road graph at `path`, with notes on what was dropped.

    Raises CityError: no such file, a format that is not known, a malformed file, or a graph that is not connected.
    """
    if not path.exists():
        raise CityError(f"city.graph: {path}: no such file or folder")
    if path.is_dir():
        return clean(read_csv(path))
    name = path.name.lower()
    if name.endswith((".graphml", ".graphml.xml")):
        return clean(read_graphml(path))
    if name.endswith(_OSM):
        return clean(read_osm(path))
    raise CityError(
        f"city.graph: {path}: not a known format (allowed: .graphml, .osm.pbf, .osm, or a folder with nodes.csv and "
        "edges.csv)"
    )
