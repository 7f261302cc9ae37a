"""`build_city`: a scenario to a city, deterministic by its seed.

Decides the order of building and what goes into the notes. Each part draws from its own stream of chance, so that
more riders or other policies leave the streets, shops and users as they were.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from o2o_scenarios.schema import Scenario
from o2o_sim.city.day import day_merchants, day_riders, day_users
from o2o_sim.city.model import City, RoadGraph
from o2o_sim.city.people import density, make_bds, make_leads, make_riders, make_users, settle_merchants
from o2o_sim.city.read import read_graph
from o2o_sim.city.shops import make_deals
from o2o_sim.city.synthetic import synthetic
from o2o_sim.city.zones import make_zones
from o2o_sim.demand.clock import effective_clock
from o2o_sim.demand.fit import fit_day
from o2o_sim.demand.realday import read_day


def build_graph(scenario: Scenario) -> RoadGraph:
    """The scenario's road graph: read from `city.graph`, or the synthetic one. Raises CityError."""
    if scenario.city.graph is not None:
        return read_graph(Path(scenario.city.graph))
    return synthetic(scenario.city, scenario.seed)


def build_city(scenario: Scenario) -> City:
    """The city of a scenario, with everyone in it; of a real day (`demand.orders`), the file's shops and couriers.

    Raises CityError (the graph) or DemandError (the order files). The notes hold the graph's, and for a real day how
    its places were fitted.
    """
    graph = build_graph(scenario)
    seed, spec = scenario.seed, scenario.city
    crowd = density(graph)
    notes: dict[str, Any] = {"graph": graph.notes}
    if scenario.demand.orders is not None:
        day = read_day(Path(scenario.demand.orders))
        fitted = fit_day(day, graph)
        notes["day"] = {**day.notes, **fitted.notes}
        merchants = day_merchants(spec, seed, graph, day, fitted)
        users = day_users(spec, seed, fitted)
        riders = day_riders(spec, day, fitted)
    else:
        merchants = settle_merchants(spec.merchants, seed, graph, crowd)
        users = make_users(spec.users, seed, graph, crowd)
        riders = make_riders(spec.riders, seed, crowd, effective_clock(scenario)[1])
    return City(
        graph=graph,
        zones=make_zones(graph, spec.zones, seed),
        merchants=merchants,
        users=users,
        riders=riders,
        bds=make_bds(scenario.crm, seed, crowd),
        leads=make_leads(scenario.crm, seed, graph, crowd),
        deals=make_deals(seed, merchants) if scenario.demand.deals_per_hour > 0 else (),
        notes=notes,
    )
