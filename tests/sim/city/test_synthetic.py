"""The synthetic city: connected, about as large as asked for, with rivers that only bridges cross."""

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from o2o_scenarios.schema import CitySpec
from o2o_sim.city.graph import matrix, segments
from o2o_sim.city.model import RANK_LOCAL
from o2o_sim.city.projection import REFERENCE, to_plane
from o2o_sim.city.synthetic import synthetic

CASES = [
    (CitySpec(), 7),
    (CitySpec(rivers=0), 3),
    (CitySpec(nodes=900, rivers=2, bridges_per_river=3), 1),
    (CitySpec(nodes=2500, extent_km=14, rivers=4, bridges_per_river=1), 5),
    (CitySpec(nodes=64, rivers=1, bridges_per_river=2, arterial_every=3), 11),
]


@pytest.mark.parametrize(("spec", "seed"), CASES)
def test_is_strongly_connected_and_as_large_as_asked_for(spec, seed):
    graph = synthetic(spec, seed)
    parts, _ = connected_components(matrix(graph, graph.lengths_m), directed=True, connection="strong")
    assert parts == 1
    assert 0.85 * spec.nodes <= graph.n_nodes <= 1.1 * spec.nodes
    assert graph.lengths_m.min() > 0
    assert graph.travel_s.min() > 0
    assert max(np.ptp(graph.x_m), np.ptp(graph.y_m)) == pytest.approx(spec.extent_km * 1000, rel=0.15)


@pytest.mark.parametrize(("spec", "seed"), CASES)
def test_rivers_are_crossed_at_bridges_only(spec, seed):
    graph = synthetic(spec, seed)
    a, b, _ = segments(graph)
    x, y = to_plane(graph.lat, graph.lng, REFERENCE)
    crossings = 0
    for river in graph.notes["rivers"]:
        line = np.asarray(river)
        river_x, river_y = to_plane(line[:, 0], line[:, 1], REFERENCE)
        for px, py, qx, qy in zip(x[a], y[a], x[b], y[b], strict=True):
            crossings += bool(_crosses(px, py, qx, qy, river_x, river_y))
    assert len(graph.notes["rivers"]) == spec.rivers
    assert crossings == graph.notes["bridges"]
    assert graph.notes["bridges"] <= spec.rivers * spec.bridges_per_river
    assert graph.notes["bridges"] >= spec.rivers


def _crosses(px, py, qx, qy, line_x, line_y):
    """Whether the segment p-q meets the polyline, by orientation of the end points."""

    def turn(ax, ay, bx, by, cx, cy):
        return np.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax))

    ax, ay, bx, by = line_x[:-1], line_y[:-1], line_x[1:], line_y[1:]
    apart = turn(px, py, qx, qy, ax, ay) != turn(px, py, qx, qy, bx, by)
    return (apart & (turn(ax, ay, bx, by, px, py) != turn(ax, ay, bx, by, qx, qy))).any()


def test_arterials_are_faster_and_some_streets_one_way():
    graph = synthetic(CitySpec(), 7)
    kmh = graph.lengths_m / graph.travel_s * 3.6
    assert kmh[graph.rank < RANK_LOCAL].min() > kmh[graph.rank == RANK_LOCAL].max()
    pairs = set(zip(graph.tails().tolist(), graph.indices.tolist(), strict=True))
    one_way = [(u, v) for u, v in pairs if (v, u) not in pairs]
    assert 0.03 < len(one_way) / len(pairs) < 0.3


def test_streets_are_denser_in_the_centre():
    graph = synthetic(CitySpec(), 7)
    away = np.hypot(graph.x_m, graph.y_m)
    inner, outer = away < 2000, (away >= 2000) & (away < 4000)
    assert inner.sum() / 4.0 > 1.7 * outer.sum() / 12.0  # per area: circles of 2 and 4 km


def test_the_seed_decides():
    one, same, other = synthetic(CitySpec(), 7), synthetic(CitySpec(), 7), synthetic(CitySpec(), 8)
    for name in ("lat", "lng", "indptr", "indices", "lengths_m", "travel_s", "rank"):
        assert np.array_equal(getattr(one, name), getattr(same, name))
    assert one.notes == same.notes
    assert not np.array_equal(one.lat[:100], other.lat[:100])
