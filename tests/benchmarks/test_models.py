"""Benchmarks of the simulations; each also keeps its event count, so that a faster but different run is told apart."""

from __future__ import annotations

from typing import Any

from o2o_scenarios.loader import load
from o2o_scenarios.schema import Scenario
from o2o_sim.city.build import build_city
from o2o_sim.city.travel import TravelTimes
from o2o_sim.crm.roads import Roads
from o2o_sim.crm.simulate import simulate_pools
from o2o_sim.demand.build import build_trace
from o2o_sim.world import simulate

DAY = Scenario.model_validate(
    {
        "name": "bench_day",
        "seed": 11,
        "clock": {"duration_s": 1200, "drain_s": 5400},
        "city": {"nodes": 400, "merchants": {"count": 30}, "users": {"count": 400}, "riders": {"count": 120}},
        "demand": {"orders_per_hour": 1200},
        "coupons": [{"code": "SAVE", "threshold_fen": 3000, "off_fen": 500, "budget_fen": 200_000}],
    }
)


def test_model_kernel(bench: Any) -> None:
    """Model kernel: city day.

    From intent to door, 400 orders."""
    city = build_city(DAY)
    trace = build_trace(DAY, city)
    first = simulate(DAY, city, trace)
    run = bench(lambda: simulate(DAY, city, trace), units=len(trace), unit="orders", rounds=5)
    assert run.events == first.events
    assert not run.interrupted
    bench.extra_info["events"] = run.events


def test_pool_season(bench: Any) -> None:
    """Model: 90 days of the pools."""
    scenario = load("pool_quota", ["crm.bds=10", "crm.leads=600", "city.nodes=400"])
    city = build_city(scenario)
    roads = Roads.of(scenario, city)
    first = simulate_pools(scenario, city, roads=roads)
    visits = first.tables["visits"].num_rows
    run = bench(lambda: simulate_pools(scenario, city, roads=roads), units=visits, unit="visits", rounds=5)
    assert run.events == first.events
    bench.extra_info["events"] = run.events


def test_city_build(bench: Any) -> None:
    """City: build, 2,000 nodes."""
    scenario = Scenario(name="bench_city", seed=3)
    city = bench(lambda: build_city(scenario), units=scenario.city.nodes, unit="nodes", rounds=7)
    assert city.graph.n_nodes > 1800


def test_travel_rows(bench: Any) -> None:
    """City: ways to 2,000 nodes."""
    graph = build_city(Scenario(name="bench_roads", seed=3)).graph
    sources = list(range(0, graph.n_nodes, graph.n_nodes // 100))[:100]
    rows = bench(lambda: TravelTimes(graph).times(sources), units=100, unit="sources", rounds=7)
    assert rows.shape == (100, graph.n_nodes)
