"""Travel times: against networkx on a small city, and by vehicle, hour and weather (S5)."""

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest

from o2o_scenarios.schema import CitySpec, DemandSpec, Scenario
from o2o_sim.city.synthetic import synthetic
from o2o_sim.city.travel import TravelTimes

NIGHT = 0.0  # 00:00: no rush hour


@pytest.fixture(scope="module")
def graph():
    return synthetic(CitySpec(nodes=200, extent_km=4, bridges_per_river=2), 5)


@pytest.fixture(scope="module")
def reference(graph):
    roads = nx.DiGraph()
    for u, v, metres, seconds in zip(graph.tails(), graph.indices, graph.lengths_m, graph.travel_s, strict=True):
        roads.add_edge(int(u), int(v), metres=float(metres), seconds=float(seconds))
    return roads


PAIRS = [(0, 150), (17, 3), (199, 0), (80, 81), (5, 5)]


@pytest.mark.parametrize(("a", "b"), PAIRS)
def test_times_are_the_shortest_ways(graph, reference, a, b):
    b = min(b, graph.n_nodes - 1)
    a = min(a, graph.n_nodes - 1)
    travel = TravelTimes(graph)
    free_flow = nx.shortest_path_length(reference, a, b, weight="seconds")
    metres = nx.shortest_path_length(reference, a, b, weight="metres")
    assert travel.times([a])[0, b] == pytest.approx(free_flow, rel=1e-5)
    assert travel.metres(a, b) == pytest.approx(metres, rel=1e-5)
    assert travel.seconds(a, b, 14.0, NIGHT, "bicycle") == pytest.approx(metres / 14.0 * 3.6, rel=1e-5)
    congestion = travel.congestion("motorcycle", NIGHT)
    wanted = free_flow * travel.motor_kmh / 24.0 * congestion
    assert travel.seconds(a, b, 24.0, NIGHT) == pytest.approx(wanted, rel=1e-5)


def test_prepared_rows_give_the_same_times(graph):
    lazy, prepared = TravelTimes(graph), TravelTimes(graph)
    prepared.prepare([3, 40, 90], ["motorcycle", "bicycle", "car", "walking"])
    for vehicle in ("motorcycle", "bicycle", "car", "walking"):
        for other in (0, 60, 120):
            for a, b in ((40, other), (other, 40)):
                got = prepared.seconds(a, b, 20.0, 0.0, vehicle)
                assert got == pytest.approx(lazy.seconds(a, b, 20.0, 0.0, vehicle), rel=1e-5)


def test_times_stay_right_when_rows_are_dropped(graph):
    roomy, travel = TravelTimes(graph), TravelTimes(graph)
    travel._keep = 8
    for _ in range(2):
        for node in range(50):
            assert travel.seconds(node, 9, 24.0, NIGHT) == roomy.seconds(node, 9, 24.0, NIGHT)
    assert len(travel._rows) <= 8


@pytest.mark.parametrize("vehicle", ["motorcycle", "bicycle", "walking"])
def test_path_is_a_way_of_that_length(graph, reference, vehicle):
    travel = TravelTimes(graph)
    way = travel.path(0, graph.n_nodes - 1, vehicle)
    assert (way[0], way[-1]) == (0, graph.n_nodes - 1)
    if vehicle == "walking":
        assert all(reference.has_edge(u, v) or reference.has_edge(v, u) for u, v in pairwise(way))
        return
    weight = "seconds" if vehicle == "motorcycle" else "metres"
    length = sum(reference.edges[u, v][weight] for u, v in pairwise(way))
    assert length == pytest.approx(nx.shortest_path_length(reference, 0, graph.n_nodes - 1, weight=weight))
    assert travel.path(4, 4, vehicle) == [4]


def test_walking_ignores_one_way_streets(graph):
    travel = TravelTimes(graph)
    there, back = travel.seconds(0, 120, 4.8, NIGHT, "walking"), travel.seconds(120, 0, 4.8, NIGHT, "walking")
    assert there == pytest.approx(back, rel=1e-5)
    assert there <= travel.metres(0, 120) / 4.8 * 3.6 + 1e-6


def test_rush_hour_slows_motors_and_no_bicycle(graph):
    travel = TravelTimes(graph, start_min=600)
    rush, night = (18 - 10) * 3600.0, (27 - 10) * 3600.0  # 18:00, and 03:00 of the next day
    assert travel.congestion("car", rush) == pytest.approx(1.5)
    assert travel.congestion("motorcycle", rush) == pytest.approx(1.25)
    assert travel.congestion("car", night) < 1.0
    assert travel.seconds(0, 100, 28.0, rush, "car") > 1.5 * travel.seconds(0, 100, 28.0, night, "car")
    assert travel.seconds(0, 100, 14.0, rush, "bicycle") == travel.seconds(0, 100, 14.0, night, "bicycle")


def test_a_motor_vehicle_averages_its_speed(graph):
    travel = TravelTimes(graph)
    rows = travel.times(range(graph.n_nodes), speed_kmh=24.0)
    some = range(0, graph.n_nodes, 5)  # not a divisor of the 14 columns: arterials and local streets alike
    metres = np.asarray([[travel.metres(a, b) for b in some] for a in some])
    assert metres.sum() / rows[::5, ::5].sum() * 3.6 == pytest.approx(24.0, rel=0.05)


def test_rain_slows_riders(graph):
    """S5: rain changes rider speed."""
    scenario = Scenario(name="rain", demand=DemandSpec(weather="rain", rain_rider_speed=0.8))
    wet = TravelTimes.of(scenario, graph, start_min=0.0)
    dry = TravelTimes(graph)
    for vehicle in ("motorcycle", "bicycle"):
        slower = wet.seconds(0, 50, 20.0, NIGHT, vehicle) / dry.seconds(0, 50, 20.0, NIGHT, vehicle)
        assert slower == pytest.approx(1 / 0.8, rel=1e-6)
