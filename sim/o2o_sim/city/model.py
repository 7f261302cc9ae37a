"""The city as values: the road graph, and the merchants, users, riders, BDs and leads that stand on its nodes.

Decides the fields, their units and the meaning of ids. Leaves building to `build`, reading to `read`, and travel times
to `travel`. Rules that hold in this file:
- a node is its index in the graph's arrays, 0..n-1; an entity's id is its index in the city's tuple;
- `_s` is city seconds since the run's epoch (the start of the scenario's clock), `_min` a minute of the day;
- money is integer fen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Ranks = npt.NDArray[np.int8]

RANK_MOTORWAY, RANK_PRIMARY, RANK_SECONDARY, RANK_TERTIARY, RANK_LOCAL = 0, 1, 2, 3, 4
"""Rank of a road: 0 motorway and trunk, 1 primary, 2 secondary, 3 tertiary, 4 everything below."""


@dataclass(frozen=True)
class RoadGraph:
    """A directed, strongly connected road graph in compressed sparse rows.

    Node i has `lat[i]`, `lng[i]` (degrees) and `x_m[i]`, `y_m[i]` (metres east and north of a local reference). Its
    outgoing edges are `indptr[i]:indptr[i + 1]` of `indices` (the node each leads to), `lengths_m`, `travel_s` (seconds
    of a motor vehicle at free flow) and `rank`. There is at most one edge from a node to another, and none to itself.
    """

    lat: Floats
    lng: Floats
    x_m: Floats
    y_m: Floats
    indptr: Ints
    indices: Ints
    lengths_m: Floats
    travel_s: Floats
    rank: Ranks
    name: str
    notes: dict[str, Any] = field(default_factory=dict)
    """For the manifest: source, attribution, nodes and edges dropped, defaults assumed."""

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return int(self.lat.shape[0])

    @property
    def n_edges(self) -> int:
        """Number of directed edges."""
        return int(self.indices.shape[0])

    def tails(self) -> Ints:
        """The node each edge starts at, int32 [m], in the order of `indices`."""
        return np.repeat(np.arange(self.n_nodes, dtype=np.int32), np.diff(self.indptr))

    def bounds(self) -> tuple[float, float, float, float]:
        """(lat_min, lng_min, lat_max, lng_max) of the nodes."""
        return float(self.lat.min()), float(self.lng.min()), float(self.lat.max()), float(self.lng.max())


@dataclass(frozen=True, slots=True)
class Dish:
    """A dish of a menu. `dish_id` = merchant_id * 100 + its place in the menu; `stock` in pieces."""

    dish_id: int
    name: str
    price_fen: int
    stock: int


@dataclass(frozen=True, slots=True)
class Merchant:
    """A store with a menu, a kitchen of `slots` orders at a time, opening hours and a printer.

    The printer's id is the merchant's. `weight` is its share of the city's demand (the weights sum to 1).
    """

    merchant_id: int
    name: str
    node: int
    lat: float
    lng: float
    menu: tuple[Dish, ...]
    slots: int
    open_min: int
    close_min: int
    weight: float


@dataclass(frozen=True, slots=True)
class User:
    """A consumer of one of the segments of S4 (work_meal, family, social)."""

    user_id: int
    segment: str
    home_node: int
    work_node: int


@dataclass(frozen=True, slots=True)
class Rider:
    """A rider: on shift from `on_s` to `off_s` (may lie before the epoch or after the horizon), starts at `node`."""

    rider_id: int
    vehicle: str
    speed_kmh: float
    node: int
    on_s: float
    off_s: float


@dataclass(frozen=True, slots=True)
class Bd:
    """A sales person. `manager` is a manager's number, 0.. (about one manager for ten BDs)."""

    bd_id: int
    name: str
    node: int
    manager: int


@dataclass(frozen=True, slots=True)
class Lead:
    """A store that could become a merchant (C1, C2).

    `source` is crawl, bd, merchant or crowd. `propensity` multiplies the scenario's chance to sign (mean 1,
    log-normal); `created_s` is when the lead becomes known (0: from the start).
    """

    lead_id: int
    name: str
    node: int
    lat: float
    lng: float
    source: str
    propensity: float
    created_s: float


@dataclass(frozen=True, slots=True)
class Deal:
    """A group-buy deal of a merchant; `deal_id` = merchant_id * 10 + k. Vouchers are good until `valid_until_s`."""

    deal_id: int
    merchant_id: int
    title: str
    price_fen: int
    list_fen: int
    stock: int
    valid_until_s: float


@dataclass(frozen=True)
class City:
    """A road graph and everyone on it. `zones` is int32 [n]: the zone of each node, 0..z-1."""

    graph: RoadGraph
    zones: Ints
    merchants: tuple[Merchant, ...]
    users: tuple[User, ...]
    riders: tuple[Rider, ...]
    bds: tuple[Bd, ...] = ()
    leads: tuple[Lead, ...] = ()
    deals: tuple[Deal, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)
    """For the manifest: the graph's notes and, for a real day, how its coordinates were fitted."""
