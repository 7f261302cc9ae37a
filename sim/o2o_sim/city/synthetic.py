"""A seeded street grid: the city that needs no file.

Decides the plan of streets: a perturbed grid, dense in the centre and wide at the edge; arterials every few streets,
some of them faster; local streets of which some are one way and some are missing; rivers that cross the whole city
and are crossed at bridges only. Leaves who lives there to `people`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from o2o_scenarios.schema import CitySpec
from o2o_sim.chance import stream
from o2o_sim.city.clean import clean
from o2o_sim.city.graph import RawGraph
from o2o_sim.city.model import RANK_LOCAL, RANK_PRIMARY, RANK_SECONDARY, Floats, RoadGraph
from o2o_sim.city.projection import REFERENCE, from_plane

_KMH = {RANK_PRIMARY: 55.0, RANK_SECONDARY: 45.0, RANK_LOCAL: 28.0}
_JITTER = 0.2  # of the local spacing
_ONE_WAY = 0.2  # of the local streets
_MISSING = 0.06  # of the local blocks
_RIVER_M = 140.0
_WINDING = 0.04  # amplitude of a river, as a share of the extent


@dataclass(frozen=True, slots=True)
class River:
    """A winding line through the whole city; its centre lies `offset_m + wave(along)` across the direction `angle`."""

    angle: float
    offset_m: float
    amplitude_m: float
    wavelength_m: float
    phase: float

    def across(self, x: Floats, y: Floats) -> Floats:
        """Signed distance in metres (about) of points from the centre line; the sign is the bank."""
        along = -x * np.sin(self.angle) + y * np.cos(self.angle)
        wave = self.amplitude_m * np.sin(2 * np.pi * along / self.wavelength_m + self.phase)
        result: Floats = x * np.cos(self.angle) + y * np.sin(self.angle) - self.offset_m - wave
        return result

    def line(self, extent_m: float, points: int = 41) -> tuple[Floats, Floats]:
        """The centre line as x and y in metres, float64 [points], from one edge of the city to the other."""
        along = np.linspace(-0.6, 0.6, points) * extent_m
        across = self.offset_m + self.amplitude_m * np.sin(2 * np.pi * along / self.wavelength_m + self.phase)
        x = across * np.cos(self.angle) - along * np.sin(self.angle)
        return x, across * np.sin(self.angle) + along * np.cos(self.angle)


def synthetic(spec: CitySpec, seed: int) -> RoadGraph:
    """The street grid of `spec` (about `spec.nodes` nodes on `spec.extent_km` square) for `seed`.

    The notes carry the rivers' lines (lists of [lat, lng]) and the number of bridges. Raises CityError if the
    settings leave no connected city (they do not with fewer rivers than one in three streets).
    """
    rng = stream(seed, "city.streets")
    columns = max(4, round(spec.nodes**0.5))
    rows = max(4, round(spec.nodes / columns))
    extent = spec.extent_km * 1000.0
    x, y = _places(rng, columns, rows, extent)
    rivers = _rivers(rng, spec.rivers, extent)
    for river in rivers:
        _to_the_banks(river, x, y)

    a, b, line, horizontal = _blocks(columns, rows)
    rank = _ranks(line, horizontal, columns, rows, spec.arterial_every)
    local = rank == RANK_LOCAL
    crossing = np.zeros(a.shape[0], dtype=np.int64)
    for number, river in enumerate(rivers, start=1):
        side = river.across(x, y) > 0
        crossing[side[a] != side[b]] = number
    bridge = _bridges(rng, x, y, a, b, crossing, rank, rivers, spec.bridges_per_river)
    rank[bridge] = RANK_PRIMARY
    keep = (crossing == 0) | bridge
    keep &= ~(local & ~bridge & (rng.random(a.shape[0]) < _MISSING))
    keep = _joined(a, b, keep, crossing, x.shape[0])
    bridge = keep & (crossing > 0)

    # A whole street is one way, not single blocks; bridges and arterials never are.
    streets = rng.random((2, max(columns, rows)))
    toward = rng.random((2, max(columns, rows))) < 0.5
    which = horizontal.astype(np.int64)
    single = local & ~bridge & (streets[which, line] < _ONE_WAY)
    forth = keep & (~single | toward[which, line])
    back = keep & (~single | ~toward[which, line])
    tail = np.concatenate((a[forth], b[back]))
    head = np.concatenate((b[forth], a[back]))
    ranks = np.concatenate((rank[forth], rank[back]))
    # Streets bend: a way is a little longer than the straight line, the same both ways.
    bend = 1.0 + 0.06 * rng.random(a.shape[0])
    length = np.hypot(x[a] - x[b], y[a] - y[b]) * bend
    lengths = np.concatenate((length[forth], length[back]))
    lat, lng = from_plane(x, y, REFERENCE)
    courses = []
    for river in rivers:
        course = from_plane(*river.line(extent), REFERENCE)
        courses.append([[round(float(p), 6), round(float(q), 6)] for p, q in zip(*course, strict=True)])
    return clean(
        RawGraph(
            lat=lat,
            lng=lng,
            tail=tail,
            head=head,
            length_m=lengths,
            speed_kmh=np.select([ranks == r for r in _KMH], list(_KMH.values()), 30.0),
            travel_s=np.full(tail.shape[0], np.nan),
            rank=ranks.astype(np.int8),
            name="synthetic",
            source=f"synthetic city (seed {seed})",
            notes={"format": "synthetic", "rivers": courses, "bridges": int(bridge.sum())},
        )
    )


def _places(rng: np.random.Generator, columns: int, rows: int, extent: float) -> tuple[Floats, Floats]:
    """Node (row r, column c) is number r * columns + c; metres from the centre, blocks widen towards the edge."""

    def spread(count: int) -> Floats:
        u = np.linspace(-1.0, 1.0, count)
        result: Floats = extent / 2 * (0.55 * u + 0.45 * u**3)
        return result

    px, py = spread(columns), spread(rows)
    x, y = np.tile(px, rows), np.repeat(py, columns)
    x = x + np.tile(np.gradient(px), rows) * rng.uniform(-_JITTER, _JITTER, x.shape)
    y = y + np.repeat(np.gradient(py), columns) * rng.uniform(-_JITTER, _JITTER, y.shape)
    return x, y


def _rivers(rng: np.random.Generator, count: int, extent: float) -> list[River]:
    """Rivers of one general direction, apart from each other, none through the very centre."""
    angle = float(rng.uniform(-0.45, 0.45)) + (np.pi / 2 if rng.random() < 0.5 else 0.0)
    offsets = [0.14, -0.2, 0.3, -0.34][:count]
    flip = 1.0 if rng.random() < 0.5 else -1.0
    return [
        River(
            angle=angle,
            offset_m=flip * offset * extent,
            amplitude_m=_WINDING * extent * float(rng.uniform(0.6, 1.0)),
            wavelength_m=extent * float(rng.uniform(0.6, 1.1)),
            phase=float(rng.uniform(0, 2 * np.pi)),
        )
        for offset in offsets
    ]


def _to_the_banks(river: River, x: Floats, y: Floats) -> None:
    """Move the nodes that stand in the water to the nearer bank, in place."""
    across = river.across(x, y)
    wet = np.abs(across) < _RIVER_M / 2
    push = np.where(across >= 0, 1.0, -1.0) * (_RIVER_M / 2 + 5.0) - across
    x[wet] += push[wet] * np.cos(river.angle)
    y[wet] += push[wet] * np.sin(river.angle)


_Index = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]


def _blocks(columns: int, rows: int) -> tuple[_Index, _Index, _Index, _Mask]:
    """Each block of a street once: its two nodes, the number of its street, and whether the street runs east-west."""
    node = np.arange(rows * columns, dtype=np.int64).reshape(rows, columns)
    a = np.concatenate((node[:, :-1].ravel(), node[:-1, :].ravel()))
    b = np.concatenate((node[:, 1:].ravel(), node[1:, :].ravel()))
    line = np.concatenate((np.repeat(np.arange(rows), columns - 1), np.tile(np.arange(columns), rows - 1)))
    horizontal = np.arange(a.shape[0]) < rows * (columns - 1)
    return a, b, line, horizontal


def _ranks(line: _Index, horizontal: _Mask, columns: int, rows: int, every: int) -> _Index:
    """Arterials are counted from the middle street outwards; every other one is primary; the ring is secondary."""
    middle = np.where(horizontal, rows // 2, columns // 2)
    last = np.where(horizontal, rows - 1, columns - 1)
    away = np.abs(line - middle)
    rank = np.full(line.shape, RANK_LOCAL, dtype=np.int64)
    rank[(away % every == 0) | (line == 0) | (line == last)] = RANK_SECONDARY
    rank[away % (2 * every) == 0] = RANK_PRIMARY
    return rank


def _bridges(
    rng: np.random.Generator,
    x: Floats,
    y: Floats,
    a: _Index,
    b: _Index,
    crossing: _Index,
    rank: _Index,
    rivers: list[River],
    each: int,
) -> _Mask:
    """Of the blocks that would cross a river, the ones that do: spread along it, on arterials where there are some."""
    chosen = np.zeros(a.shape[0], dtype=bool)
    for number, river in enumerate(rivers, start=1):
        candidates = np.flatnonzero(crossing == number)
        if candidates.size <= each:
            chosen[candidates] = True
            continue
        middle_x, middle_y = (x[a] + x[b])[candidates] / 2, (y[a] + y[b])[candidates] / 2
        along = -middle_x * np.sin(river.angle) + middle_y * np.cos(river.angle)
        reach = float(np.ptp(along)) / each
        preferred = along + rng.uniform(0, 0.05, along.shape) * reach
        # To win over a primary road, a local street must be nearer to the wanted place by half of the spacing.
        handicap = np.select(
            [rank[candidates] == RANK_PRIMARY, rank[candidates] == RANK_SECONDARY], [0, reach / 6], reach / 2
        )
        for k in range(each):
            wanted = along.min() + (k + 0.5) * reach
            cost = np.abs(preferred - wanted) + handicap + np.where(chosen[candidates], np.inf, 0.0)
            chosen[candidates[int(np.argmin(cost))]] = True
    return chosen


def _joined(a: _Index, b: _Index, keep: _Mask, crossing: _Index, nodes: int) -> _Mask:
    """`keep`, with blocks given back (never over a river) so that each bank stays in one piece."""
    keep = keep.copy()

    def parts() -> npt.NDArray[np.int32]:
        links = csr_matrix((np.ones(int(keep.sum())), (a[keep], b[keep])), shape=(nodes, nodes))
        label: npt.NDArray[np.int32] = connected_components(links, directed=False)[1]
        return label

    dry = crossing == 0
    while True:
        label = parts()
        needed = np.flatnonzero(dry & ~keep & (label[a] != label[b]))
        if needed.size == 0:
            return keep
        keep[needed[0]] = True
