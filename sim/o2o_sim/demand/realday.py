"""A real day of orders and couriers, from a folder in one of two public layouts, told apart by the files in it.

- City-days of Rappi (github.com/sebastian-quintero/mdrp-sim): orders.csv and couriers.csv, degrees, times hh:mm:ss.
- Grubhub's instances (github.com/grubhub/mdrplib): orders.txt, restaurants.txt, couriers.txt and
  instance_parameters.txt, tab separated, metres of a plane, times in whole minutes.

Decides what the columns mean. Leaves putting the places on a road graph to `fit`. Shops are the distinct pick-up
places, drops the distinct drop-off places; the kitchen's time of an order is from its placement to its ready time,
for which the files know no reason (a ready time before the placement is past midnight).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from o2o_sim.city.model import Floats, Ints
from o2o_sim.demand.clock import DAY_S
from o2o_sim.demand.rows import read_rows
from o2o_sim.errors import DemandError

VEHICLES = ("motorcycle", "bicycle", "car", "walking")
_RAPPI = ("orders.csv", "couriers.csv")
_RAPPI_ORDER = ("pick_up_lat", "pick_up_lng", "drop_off_lat", "drop_off_lng", "placement_time", "ready_time")
_RAPPI_COURIER = ("vehicle", "on_lat", "on_lng", "on_time", "off_time")
_MDRPLIB = ("orders.txt", "restaurants.txt", "couriers.txt", "instance_parameters.txt")


@dataclass(frozen=True)
class Places:
    """Points of a file: east is the longitude or x, north the latitude or y; float64 [k] each."""

    east: Floats
    north: Floats


@dataclass(frozen=True)
class RealDay:
    """What the files say. Row i of the orders is line i + 2 of the file; seconds count from midnight."""

    source: str
    layout: Literal["rappi", "mdrplib"]
    unit: Literal["degrees", "metres"]
    placed_s: Floats
    prep_s: Floats
    shop: Ints
    """Index into `shops`."""
    drop: Ints
    """Index into `drops`."""
    shops: Places
    drops: Places
    couriers: Places
    on_s: Floats
    off_s: Floats
    """Not before `on_s`; a courier of the file may have a shift of no length."""
    vehicles: tuple[str, ...]
    courier_kmh: float | None
    """Speed given by the file; None: by vehicle, from the scenario."""
    notes: dict[str, Any] = field(default_factory=dict)


def read_day(folder: Path) -> RealDay:
    """Read the day in `folder`. Raises DemandError naming the file, line and column of what is missing or wrong."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise DemandError(f"demand.orders: {folder}: a folder is wanted, this {what}")
    if (folder / "orders.csv").exists():
        return _rappi(folder)
    if (folder / "orders.txt").exists():
        return _mdrplib(folder)
    raise DemandError(
        f"demand.orders: {folder}: no known layout (allowed: {' + '.join(_RAPPI)}, or {' + '.join(_MDRPLIB)})"
    )


class _Distinct:
    """Distinct places in order of first appearance."""

    def __init__(self) -> None:
        self.number: dict[tuple[float, float], int] = {}

    def of(self, east: float, north: float) -> int:
        return self.number.setdefault((east, north), len(self.number))

    def places(self) -> Places:
        return _places(list(self.number))


def _places(points: list[tuple[float, float]]) -> Places:
    table = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    return Places(table[:, 0].copy(), table[:, 1].copy())


def _after(start: float, end: float) -> float:
    """`end`, a day later when the clock had passed midnight in between."""
    return end if end >= start else end + DAY_S


def _rappi(folder: Path) -> RealDay:
    shops, drops = _Distinct(), _Distinct()
    placed, prep, shop, drop = [], [], [], []
    wrapped = 0
    for row in read_rows(folder / "orders.csv", ",", _RAPPI_ORDER):
        shop.append(shops.of(row.number("pick_up_lng", -180, 180), row.number("pick_up_lat", -90, 90)))
        drop.append(drops.of(row.number("drop_off_lng", -180, 180), row.number("drop_off_lat", -90, 90)))
        start, end = row.clock_s("placement_time"), row.clock_s("ready_time")
        wrapped += end < start
        placed.append(start)
        prep.append(_after(start, end) - start)
    at, on, off, vehicles = [], [], [], []
    for row in read_rows(folder / "couriers.csv", ",", _RAPPI_COURIER):
        at.append((row.number("on_lng", -180, 180), row.number("on_lat", -90, 90)))
        vehicles.append(row.one_of("vehicle", VEHICLES))
        start = row.clock_s("on_time")
        on.append(start)
        off.append(_after(start, row.clock_s("off_time")))
    return _day(
        folder, "rappi", placed, prep, shop, drop, shops.places(), drops.places(), at, on, off, vehicles, None, wrapped
    )


def _mdrplib(folder: Path) -> RealDay:
    parameters = list(read_rows(folder / "instance_parameters.txt", "\t", ("meters_per_minute",)))
    if len(parameters) != 1:
        raise DemandError(
            f"demand.orders: {folder / 'instance_parameters.txt'}: one line of values wanted, found {len(parameters)}"
        )
    kmh = parameters[0].number("meters_per_minute", 1, 2000) * 0.06
    number: dict[str, int] = {}
    spots: list[tuple[float, float]] = []
    for row in read_rows(folder / "restaurants.txt", "\t", ("restaurant", "x", "y")):
        name = row.text("restaurant")
        if name in number:
            raise DemandError(f"demand.orders: {row.path}:{row.line}: restaurant {name!r} is there twice")
        number[name] = len(spots)
        spots.append((row.number("x"), row.number("y")))
    drops = _Distinct()
    placed, prep, shop, drop = [], [], [], []
    wrapped = 0
    for row in read_rows(folder / "orders.txt", "\t", ("x", "y", "placement_time", "restaurant", "ready_time")):
        name = row.text("restaurant")
        if name not in number:
            raise DemandError(f"demand.orders: {row.path}:{row.line}: restaurant {name!r} is not in restaurants.txt")
        shop.append(number[name])
        drop.append(drops.of(row.number("x"), row.number("y")))
        start, end = row.minute_s("placement_time"), row.minute_s("ready_time")
        if start >= DAY_S:
            raise DemandError(
                f"demand.orders: {row.path}:{row.line}: placement_time is {row.text('placement_time')}, "
                "a minute of the day from 0 to 1439 is wanted"
            )
        wrapped += end < start
        placed.append(start)
        prep.append(_after(start, end) - start)
    at, on, off, vehicles = [], [], [], []
    for row in read_rows(folder / "couriers.txt", "\t", ("x", "y", "on_time", "off_time")):
        at.append((row.number("x"), row.number("y")))
        vehicles.append("motorcycle")
        start = row.minute_s("on_time")
        on.append(start)
        off.append(_after(start, row.minute_s("off_time")))
    return _day(
        folder, "mdrplib", placed, prep, shop, drop, _places(spots), drops.places(), at, on, off, vehicles, kmh, wrapped
    )


def _day(
    folder: Path,
    layout: Literal["rappi", "mdrplib"],
    placed: list[float],
    prep: list[float],
    shop: list[int],
    drop: list[int],
    shops: Places,
    drops: Places,
    at: list[tuple[float, float]],
    on: list[float],
    off: list[float],
    vehicles: list[str],
    kmh: float | None,
    wrapped: int,
) -> RealDay:
    if not placed:
        raise DemandError(f"demand.orders: {folder}: no orders in it")
    if not at:
        raise DemandError(f"demand.orders: {folder}: no couriers in it")
    notes = {
        "source": str(folder),
        "layout": layout,
        "orders": len(placed),
        "shops": len(shops.east),
        "drops": len(drops.east),
        "couriers": len(at),
        "ready_past_midnight": wrapped,
        "shifts_without_length": sum(1 for a, b in zip(on, off, strict=True) if a == b),
        "prep_s": "from placement to ready time",
    }
    if kmh is not None:
        notes["courier_kmh"] = kmh
    return RealDay(
        source=str(folder),
        layout=layout,
        unit="metres" if layout == "mdrplib" else "degrees",
        placed_s=np.asarray(placed, dtype=np.float64),
        prep_s=np.asarray(prep, dtype=np.float64),
        shop=np.asarray(shop, dtype=np.int32),
        drop=np.asarray(drop, dtype=np.int32),
        shops=shops,
        drops=drops,
        couriers=_places(at),
        on_s=np.asarray(on, dtype=np.float64),
        off_s=np.asarray(off, dtype=np.float64),
        vehicles=tuple(vehicles),
        courier_kmh=kmh,
        notes=notes,
    )
