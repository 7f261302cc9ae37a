"""A folder with nodes.csv and edges.csv, in the layout of FleetPy's street networks.

nodes.csv: node_index, and pos_x, pos_y (UTM metres, or metres of a plane) or lat, lng. edges.csv: from_node, to_node,
and distance (metres) and/or travel_time (seconds at free flow). FleetPy names the UTM zone in a file `crs.info` beside
them; without it the zone is taken as 32 N, which the notes say: a wrong zone moves the city, not its shape.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from o2o_sim.city.graph import RawGraph
from o2o_sim.city.model import Floats
from o2o_sim.city.projection import REFERENCE, from_plane, from_utm, utm_zone
from o2o_sim.city.read import tags
from o2o_sim.errors import CityError

_ASSUMED_ZONE = (32, False)


def read_csv(folder: Path) -> RawGraph:
    """Read nodes.csv and edges.csv of `folder`. Raises CityError with file and line of what is missing or wrong."""
    nodes_file, edges_file = folder / "nodes.csv", folder / "edges.csv"
    number: dict[str, int] = {}
    spots: list[tuple[float, float]] = []
    columns: tuple[str, str] | None = None
    for line, row in _rows(nodes_file, ("node_index",)):
        columns = columns or _place_columns(nodes_file, row)
        if row["node_index"] in number:
            raise CityError(f"city.graph: {nodes_file}:{line}: node_index {row['node_index']!r} is there twice")
        number[row["node_index"]] = len(spots)
        spots.append((_value(nodes_file, line, row, columns[0]), _value(nodes_file, line, row, columns[1])))
    ends: list[tuple[int, int]] = []
    lengths: list[float] = []
    seconds: list[float] = []
    from_osm = False
    for line, row in _rows(edges_file, ("from_node", "to_node")):
        for end in ("from_node", "to_node"):
            if not row[end]:
                raise CityError(f"city.graph: {edges_file}:{line}: {end} is empty")
            if row[end] not in number:
                raise CityError(f"city.graph: {edges_file}:{line}: {end} {row[end]!r} is not in nodes.csv")
        ends.append((number[row["from_node"]], number[row["to_node"]]))
        lengths.append(_value(edges_file, line, row, "distance", positive=True))
        seconds.append(_value(edges_file, line, row, "travel_time", positive=True))
        from_osm = from_osm or "source_edge_id" in row  # FleetPy: the OpenStreetMap way
    if columns is None or not ends:
        raise CityError(f"city.graph: {folder}: no roads in it ({len(spots)} nodes, {len(ends)} edges)")
    places = np.asarray(spots, dtype=np.float64)
    lat, lng, notes = _degrees(folder, columns, places[:, 0], places[:, 1])
    pairs = np.asarray(ends, dtype=np.int64)
    length, travel = np.asarray(lengths), np.asarray(seconds)
    with np.errstate(invalid="ignore", divide="ignore"):
        kmh = np.nan_to_num(length / travel * 3.6, nan=0.0)
    # FleetPy's edges carry no road class: the free-flow speed stands in for it.
    rank = np.select([kmh >= 80, kmh >= 56, kmh >= 48, kmh >= 36], [0, 1, 2, 3], 4)
    return RawGraph(
        lat=lat,
        lng=lng,
        tail=pairs[:, 0],
        head=pairs[:, 1],
        length_m=length,
        speed_kmh=np.full(length.shape, np.nan),
        travel_s=travel,
        rank=rank.astype(np.int8),
        name=folder.name,
        source=str(folder),
        notes={"format": "nodes.csv and edges.csv", **notes, **({"attribution": tags.ATTRIBUTION} if from_osm else {})},
    )


def _rows(path: Path, wanted: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            reader = csv.DictReader(lines)
            missing = [name for name in wanted if name not in (reader.fieldnames or ())]
            if missing:
                found = ", ".join(reader.fieldnames or ()) or "nothing"
                raise CityError(f"city.graph: {path}:1: no column {missing[0]!r} (found: {found})")
            for row in reader:
                yield reader.line_num, row
    except FileNotFoundError:
        raise CityError(f"city.graph: {path}: no such file") from None
    except UnicodeDecodeError:
        raise CityError(f"city.graph: {path}: not text in UTF-8") from None


def _place_columns(path: Path, row: dict[str, str]) -> tuple[str, str]:
    """The two columns of a node's place: first the one that runs east."""
    for pair in (("pos_x", "pos_y"), ("lng", "lat"), ("lon", "lat"), ("x", "y")):
        if all(name in row for name in pair):
            return pair
    raise CityError(f"city.graph: {path}:1: no columns pos_x and pos_y, or lat and lng (found: {', '.join(row)})")


def _value(path: Path, line: int, row: dict[str, str], column: str, *, positive: bool = False) -> float:
    text = row.get(column)
    if text is None or text == "":
        if positive:
            return float("nan")  # a length or a time may be missing: it is worked out
        raise CityError(f"city.graph: {path}:{line}: {column} is empty")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise CityError(f"city.graph: {path}:{line}: {column} is {text!r}, a number is wanted")
    if positive and value < 0:
        raise CityError(f"city.graph: {path}:{line}: {column} is {text}, it must not be negative")
    return value


def _degrees(
    folder: Path, columns: tuple[str, str], east: Floats, north: Floats
) -> tuple[Floats, Floats, dict[str, str]]:
    if columns[1] == "lat":
        return north, east, {"crs": "degrees"}
    info = folder / "crs.info"
    named = utm_zone(info.read_text(encoding="utf-8", errors="replace")) if info.is_file() else None
    if named or (east.min() >= 100_000 and east.max() <= 900_000 and north.min() >= 0 and north.max() <= 10_000_000):
        zone, south = named or _ASSUMED_ZONE
        lat, lng = from_utm(east, north, zone, south=south)
        crs = f"UTM zone {zone}{'S' if south else 'N'}" + ("" if named else " (assumed: no crs.info)")
        return lat, lng, {"crs": crs}
    middle_x, middle_y = (east.min() + east.max()) / 2, (north.min() + north.max()) / 2
    lat, lng = from_plane(east - middle_x, north - middle_y, REFERENCE)
    return lat, lng, {"crs": f"metres of a plane, put at {REFERENCE[0]}, {REFERENCE[1]}"}
