"""Real roads and real days, where they are at hand: ../shared/data beside the repository (not part of the project)."""

from pathlib import Path

import numpy as np
import pytest

from o2o_scenarios.schema import CitySpec, DemandSpec, Scenario
from o2o_sim.city.build import build_city
from o2o_sim.city.read import read_graph
from o2o_sim.city.travel import TravelTimes
from o2o_sim.demand.build import build_trace

DATA = Path(__file__).parents[3].parent / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data beside the repository")


@pytest.mark.parametrize(
    ("file", "nodes", "place"),
    [
        ("Delft.graphml", 2130, (52.00, 4.36)),
        ("Nootdorp.graphml", 533, (52.04, 4.40)),
        ("munich", 7233, (48.09, 11.64)),
        ("harrisburg.osm.pbf", 4000, (40.26, -76.81)),
    ],
)
def test_real_road_graphs(file, nodes, place):
    graph = read_graph(DATA / "roads" / file)
    assert graph.n_nodes == pytest.approx(nodes, rel=0.02)
    assert (graph.lat.mean(), graph.lng.mean()) == pytest.approx(place, abs=0.02)
    travel = TravelTimes(graph)
    row = travel.times([0])[0]
    assert np.isfinite(row).all()
    assert row.max() < 3 * 3600


@pytest.mark.parametrize(
    ("roads", "orders", "rows", "shops", "couriers"),
    [
        ("Delft.graphml", "rappi/1", 7367, 805, 2392),
        ("munich", "mdrplib/0o100t100s1p100", 505, 116, 113),
        (None, "rappi/10", 735, 188, 455),
    ],
)
def test_real_days(roads, orders, rows, shops, couriers):
    scenario = Scenario(
        name="day",
        city=CitySpec(graph=str(DATA / "roads" / roads) if roads else None),
        demand=DemandSpec(orders=str(DATA / orders)),
    )
    city = build_city(scenario)
    trace = build_trace(scenario, city)
    assert (len(trace), len(city.merchants), len(city.riders)) == (rows, shops, couriers)
    assert trace.notes["fitted"] is True
    assert 0.1 < trace.notes["scale"] <= 1.0
