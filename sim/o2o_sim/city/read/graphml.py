"""GraphML as OSMnx writes it: nodes with x and y, directed edges with length, highway and maxspeed, all as strings.

Decides which attributes count. The file is walked once with the standard library's parser: networkx would build an
object of every attribute first (about six times slower on 5,000 edges).
"""

from __future__ import annotations

import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from o2o_sim.city.graph import RawGraph
from o2o_sim.city.projection import from_utm, utm_zone
from o2o_sim.city.read import tags
from o2o_sim.errors import CityError

_NS = "{http://graphml.graphdrawing.org/xmlns}"


def _number(text: str | None) -> float:
    try:
        return float(text) if text else math.nan
    except ValueError:
        return math.nan


def _data(element: ElementTree.Element, names: dict[str, str]) -> dict[str, str]:
    return {
        names.get(data.get("key", ""), ""): data.text or "" for data in element if data.tag.rpartition("}")[2] == "data"
    }


def read_graphml(path: Path) -> RawGraph:
    """Read an OSMnx GraphML file. Coordinates are degrees, or UTM metres if the graph's `crs` is a UTM zone.

    An edge of an undirected graph, or one whose `oneway` is false in an undirected file, is taken both ways; in a
    directed file each direction is an edge of its own. Raises CityError with the file and line of what is wrong.
    """
    names: dict[str, str] = {}
    node_number: dict[str, int] = {}
    xs: list[float] = []
    ys: list[float] = []
    ends: list[tuple[int, int]] = []
    lengths: list[float] = []
    speeds: list[float] = []
    ranks: list[int] = []
    title, crs, directed = path.stem, "", True
    try:
        for event, element in ElementTree.iterparse(path, events=("start", "end")):
            tag = element.tag.rpartition("}")[2]
            if event == "start":
                if tag == "graph":
                    directed = element.get("edgedefault", "directed") == "directed"
                continue
            if tag == "key":
                names[element.get("id", "")] = element.get("attr.name", "")
            elif tag == "node":
                data = _data(element, names)
                x = _number(data.get("x", data.get("lon", data.get("lng"))))
                y = _number(data.get("y", data.get("lat")))
                name = element.get("id", "")
                if math.isnan(x) or math.isnan(y):
                    raise CityError(f"city.graph: {path}: node {name} has no coordinates (data x and y wanted)")
                node_number[name] = len(xs)
                xs.append(x)
                ys.append(y)
                element.clear()
            elif tag == "edge":
                data = _data(element, names)
                ends.append(_ends(path, element, node_number))
                lengths.append(_number(data.get("length")))
                kind = tags.road(data.get("highway", "")) or (4, math.nan)
                speed = tags.speed_kmh(data.get("maxspeed", ""))
                if math.isnan(speed):
                    speed = tags.speed_kmh(data.get("speed_kph", ""))
                speeds.append(kind[1] if math.isnan(speed) else speed)
                ranks.append(kind[0])
                element.clear()
            elif tag == "data" and names.get(element.get("key", "")) == "crs":
                crs = element.text or ""
            elif tag == "graph":
                title = _data(element, names).get("name") or title
    except ElementTree.ParseError as error:
        raise CityError(f"city.graph: {path}:{error.position[0]}: not well-formed XML ({error.args[0]})") from None
    east, north = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
    notes: dict[str, object] = {"format": "GraphML", "attribution": tags.ATTRIBUTION, "crs": crs or "degrees (assumed)"}
    zone = utm_zone(crs)
    lat, lng = from_utm(east, north, zone[0], south=zone[1]) if zone else (north, east)
    pairs = np.asarray(ends, dtype=np.int64).reshape(-1, 2)
    tail, head = pairs[:, 0], pairs[:, 1]
    if not directed:
        tail, head = np.concatenate((tail, head)), np.concatenate((head, tail))
        lengths, speeds, ranks = lengths * 2, speeds * 2, ranks * 2
    return RawGraph(
        lat=lat,
        lng=lng,
        tail=tail,
        head=head,
        length_m=np.asarray(lengths, dtype=np.float64),
        speed_kmh=np.asarray(speeds, dtype=np.float64),
        travel_s=np.full(tail.shape[0], np.nan),
        rank=np.asarray(ranks, dtype=np.int8),
        name=title,
        source=str(path),
        notes=notes,
    )


def _ends(path: Path, element: ElementTree.Element, node_number: dict[str, int]) -> tuple[int, int]:
    source, target = element.get("source", ""), element.get("target", "")
    if source not in node_number or target not in node_number:
        missing = source if source not in node_number else target
        raise CityError(f"city.graph: {path}: edge {source} -> {target}: no node {missing!r} before it")
    return node_number[source], node_number[target]
