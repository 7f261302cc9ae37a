"""How long a rider needs on the road graph.

Decides how vehicle, hour and weather turn a way into seconds: shortest ways are computed once per source at a base
speed, in bulk (scipy.sparse.csgraph), and a trip is one array look-up times a factor. Leaves who rides where to the
actors.

- Motor vehicles (motorcycle, car) take the fastest way by the edges' free-flow speeds. Times are scaled so that a
  trip across the city averages the rider's `speed_kmh`, and lengthened by the congestion of the hour.
- A bicycle takes the shortest way and rides its own speed on every road, with one-way streets; walking ignores those.
- Weather divides every speed (S5).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from o2o_scenarios.schema import Scenario
from o2o_sim.city.graph import matrix
from o2o_sim.city.model import Floats, RoadGraph

Row = npt.NDArray[np.float32]

# Congestion by hour of day: travel time relative to free flow for a car, linear between the knots (hour, factor).
_HOURS = (0.0, 5.0, 7.0, 8.25, 9.5, 11.5, 12.5, 14.0, 16.5, 18.0, 19.5, 22.0, 24.0)
_FACTORS = (0.90, 0.85, 1.10, 1.45, 1.20, 1.15, 1.20, 1.10, 1.20, 1.50, 1.20, 0.95, 0.90)
_SENSITIVITY = {"car": 1.0, "motorcycle": 0.5, "bicycle": 0.0, "walking": 0.0}
"""How much of the congestion a vehicle feels: 1 all of it, 0 nothing."""

_CHUNK = 256
_MAX_BYTES = 256 * 2**20


class TravelTimes:
    """Travel times between nodes of one graph, with computed rows kept (up to 256 MB, then the oldest go).

    `start_min` is the minute of the day at city second 0, `weather_speed` multiplies every speed (1.0: clear weather).
    """

    def __init__(self, graph: RoadGraph, *, start_min: float = 0.0, weather_speed: float = 1.0) -> None:
        self.graph = graph
        self.start_min = start_min
        self.weather_speed = weather_speed
        lengths = matrix(graph, graph.lengths_m)
        self._weights: dict[str, csr_matrix] = {
            "motor": matrix(graph, graph.travel_s),
            "metres": lengths,
            "walk": _both_ways(lengths),
        }
        self._reverse: dict[str, csr_matrix] = {}
        self._rows: dict[tuple[str, bool, int], Row] = {}
        self._keep = max(64, _MAX_BYTES // (4 * graph.n_nodes))
        self.motor_kmh = self._mean_motor_kmh()
        """Mean free-flow speed of a motor vehicle on trips across the city: what `speed_kmh` is measured against."""

    @classmethod
    def of(cls, scenario: Scenario, graph: RoadGraph, *, start_min: float) -> TravelTimes:
        """Travel times in the weather of `scenario.demand`; `start_min` as `demand.clock.effective_clock` gives it."""
        speed = {"clear": 1.0, "rain": scenario.demand.rain_rider_speed, "storm": scenario.demand.storm_rider_speed}
        return cls(graph, start_min=start_min, weather_speed=speed[scenario.demand.weather])

    def prepare(self, nodes: Iterable[int], vehicles: Iterable[str] = ("motorcycle", "bicycle")) -> None:
        """Compute the rows from and to `nodes` (the merchants') in bulk: every trip of a delivery is then a look-up."""
        wanted = sorted(set(nodes))
        for kind in sorted({_kind(vehicle) for vehicle in vehicles}):
            for backward in (False, True):
                missing = [node for node in wanted if (kind, backward, node) not in self._rows]
                for at in range(0, len(missing), _CHUNK):
                    chunk = missing[at : at + _CHUNK]
                    self._store(kind, backward, chunk, self._compute(kind, backward, chunk))

    def times(self, sources: Sequence[int], *, vehicle: str = "motorcycle", speed_kmh: float | None = None) -> Row:
        """Seconds from each of `sources` to every node at free flow in this weather: float32 [k, n].

        `speed_kmh` defaults to the graph's own mean for motor vehicles, and to 14 (bicycle) and 4.8 (walking).
        """
        speed = speed_kmh or {"bicycle": 14.0, "walking": 4.8}.get(vehicle, self.motor_kmh)
        rows = np.stack([self._row(_kind(vehicle), False, int(node)) for node in sources])
        result: Row = rows * np.float32(self._factor(vehicle, speed))
        return result

    def seconds(
        self, from_node: int, to_node: int, speed_kmh: float, at_city_s: float, vehicle: str = "motorcycle"
    ) -> float:
        """Seconds of a trip that starts at city second `at_city_s`, for a rider of `speed_kmh` on `vehicle`."""
        base = self._between(_kind(vehicle), from_node, to_node)
        return base * self._factor(vehicle, speed_kmh) * self.congestion(vehicle, at_city_s)

    def metres(self, from_node: int, to_node: int) -> float:
        """Length of the shortest way in metres (a motor vehicle's fastest way may be a little longer)."""
        return self._between("metres", from_node, to_node)

    def congestion(self, vehicle: str, at_city_s: float) -> float:
        """Factor on the free-flow time at this time of day: 1.5 at 18:00 for a car, 1.25 for a motorcycle."""
        share = _SENSITIVITY[vehicle]
        if share == 0.0:
            return 1.0
        hour = ((self.start_min * 60.0 + at_city_s) / 3600.0) % 24.0
        return 1.0 + share * (float(np.interp(hour, _HOURS, _FACTORS)) - 1.0)

    def path(self, from_node: int, to_node: int, vehicle: str = "motorcycle") -> list[int]:
        """The nodes of the way that `seconds` is about, both ends included."""
        if from_node == to_node:
            return [from_node]
        weights = self._weights[_kind(vehicle)]
        _, previous = dijkstra(weights, directed=True, indices=from_node, return_predecessors=True)
        way = [to_node]
        while way[-1] != from_node:
            way.append(int(previous[way[-1]]))
        return way[::-1]

    def _factor(self, vehicle: str, speed_kmh: float) -> float:
        """Base value of a row (seconds for motors, metres otherwise) to seconds in this weather, without congestion."""
        if _kind(vehicle) == "motor":
            return self.motor_kmh / (speed_kmh * self.weather_speed)
        return 3.6 / (speed_kmh * self.weather_speed)

    def _between(self, kind: str, from_node: int, to_node: int) -> float:
        row = self._rows.get((kind, False, from_node))
        if row is not None:
            return float(row[to_node])
        row = self._rows.get((kind, True, to_node))
        if row is not None:
            return float(row[from_node])
        return float(self._row(kind, False, from_node)[to_node])

    def _row(self, kind: str, backward: bool, node: int) -> Row:
        row = self._rows.get((kind, backward, node))
        if row is None:
            self._store(kind, backward, [node], self._compute(kind, backward, [node]))
            row = self._rows[kind, backward, node]
        return row

    def _store(self, kind: str, backward: bool, nodes: Sequence[int], rows: Row) -> None:
        for node, row in zip(nodes, rows, strict=True):
            self._rows[kind, backward, node] = row
        while len(self._rows) > max(self._keep, len(nodes)):
            del self._rows[next(iter(self._rows))]

    def _compute(self, kind: str, backward: bool, nodes: Sequence[int]) -> Row:
        weights = self._weights[kind]
        if backward:
            if kind not in self._reverse:
                self._reverse[kind] = weights.T.tocsr()
            weights = self._reverse[kind]
        rows: Row = dijkstra(weights, directed=True, indices=list(nodes)).astype(np.float32)
        return rows

    def _mean_motor_kmh(self) -> float:
        n = self.graph.n_nodes
        # Multiples of the golden ratio: spread over the numbers without falling into step with a grid's rows.
        some = np.unique((np.arange(1, 49) * 0.6180339887 % 1.0 * n).astype(np.int64))
        seconds = dijkstra(self._weights["motor"], directed=True, indices=some)
        metres = dijkstra(self._weights["metres"], directed=True, indices=some)
        return float(metres.sum() / seconds.sum() * 3.6)


def _kind(vehicle: str) -> str:
    return {"bicycle": "metres", "walking": "walk"}.get(vehicle, "motor")


def _both_ways(lengths: csr_matrix) -> csr_matrix:
    """Every edge in both directions, the shorter length where both are there."""
    forth, back = lengths.tocsr(), lengths.T.tocsr()
    only_back: csr_matrix = back - back.multiply(forth.astype(bool))
    smaller: Floats = forth.data
    symmetric = csr_matrix((smaller, forth.indices, forth.indptr), shape=forth.shape) + only_back
    symmetric.eliminate_zeros()
    return symmetric.minimum(symmetric.T).tocsr()
