"""OpenStreetMap extracts (.osm.pbf, .osm, .osm.gz, .osm.bz2) by pyosmium: drivable roads, cut at their junctions.

Decides which ways count as streets and where they are cut. Only junctions and ends become nodes; the points between
them give the length.
"""

from __future__ import annotations

import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import osmium

from o2o_sim.city.graph import RawGraph
from o2o_sim.city.projection import distance_m
from o2o_sim.city.read import tags
from o2o_sim.errors import CityError

_CLOSED = {"no", "private"}
_Way = tuple[list[int], int, float, int]


def read_osm(path: Path) -> RawGraph:
    """Read the drivable highways of an extract. Service roads are left out unless they are named.

    Raises CityError if the file is no OpenStreetMap data.
    """
    ways: list[_Way] = []
    place: dict[int, tuple[float, float]] = {}
    uses: dict[int, int] = {}
    try:
        for way in osmium.FileProcessor(str(path)).with_locations().with_filter(osmium.filter.KeyFilter("highway")):
            if not isinstance(way, osmium.osm.Way):
                continue
            shape = _street(way)
            if shape is None:
                continue
            refs = []
            for node in way.nodes:
                if node.location.valid():  # the extract may cut a way: its outer nodes are missing
                    refs.append(node.ref)
                    place[node.ref] = (node.location.lat, node.location.lon)
            if len(refs) < 2:
                continue
            ways.append((refs, *shape))
            for ref in refs:
                uses[ref] = uses.get(ref, 0) + 1
            uses[refs[0]] += 1
            uses[refs[-1]] += 1
    except RuntimeError as error:
        raise CityError(f"city.graph: {path}: not OpenStreetMap data ({str(error).splitlines()[0]})") from None
    return _cut(path, ways, place, uses)


def _street(way: osmium.osm.Way) -> tuple[int, float, int] | None:
    """(rank, speed in km/h, direction) of a way that a rider may use; None for any other."""
    tag = dict(way.tags)
    highway = tag.get("highway", "")
    kind = tags.HIGHWAYS.get(highway)
    if kind is None or tag.get("area") == "yes":
        return None
    if tag.get("access") in _CLOSED or tag.get("motor_vehicle") in _CLOSED:
        return None
    if highway == "service" and "name" not in tag:
        return None
    speed = tags.speed_kmh(tag.get("maxspeed", ""))
    turn = tags.direction(tag.get("oneway"), tag.get("junction"), highway)
    return kind[0], kind[1] if math.isnan(speed) else speed, turn


def _cut(path: Path, ways: list[_Way], place: dict[int, tuple[float, float]], uses: dict[int, int]) -> RawGraph:
    number: dict[int, int] = {}
    tail: list[int] = []
    head: list[int] = []
    length: list[float] = []
    speed: list[float] = []
    rank: list[int] = []
    for refs, kind, kmh, turn in ways:
        points = np.asarray([place[ref] for ref in refs], dtype=np.float64)
        steps = distance_m(points[:-1, 0], points[:-1, 1], points[1:, 0], points[1:, 1])
        along = np.concatenate(([0.0], np.cumsum(steps)))
        cuts = [k for k, ref in enumerate(refs) if uses[ref] > 1]
        for a, b in pairwise(cuts):
            u = number.setdefault(refs[a], len(number))
            v = number.setdefault(refs[b], len(number))
            for go, here, there in ((turn >= 0, u, v), (turn <= 0, v, u)):
                if go:
                    tail.append(here)
                    head.append(there)
                    length.append(float(along[b] - along[a]))
                    speed.append(kmh)
                    rank.append(kind)
    spots = np.asarray([place[ref] for ref in number], dtype=np.float64).reshape(-1, 2)
    return RawGraph(
        lat=spots[:, 0],
        lng=spots[:, 1],
        tail=np.asarray(tail, dtype=np.int64),
        head=np.asarray(head, dtype=np.int64),
        length_m=np.asarray(length, dtype=np.float64),
        speed_kmh=np.asarray(speed, dtype=np.float64),
        travel_s=np.full(len(tail), np.nan),
        rank=np.asarray(rank, dtype=np.int8),
        name=path.name.split(".")[0],
        source=str(path),
        notes={"format": "OpenStreetMap extract", "attribution": tags.ATTRIBUTION, "ways": len(ways)},
    )
