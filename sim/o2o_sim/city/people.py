"""Who lives and works in the city: users, riders, BDs and the leads they visit.

Decides where they are (homes everywhere, workplaces and shops where the streets are dense), the users' segments (S4)
and the riders' shifts. Leaves what they order to `o2o_sim.demand`, and how they act to the actors.
"""

from __future__ import annotations

import numpy as np

from o2o_scenarios.schema import CrmSpec, MerchantsSpec, RidersSpec, UsersSpec
from o2o_sim.chance import stream
from o2o_sim.city import names
from o2o_sim.city.model import Bd, Floats, Ints, Lead, Merchant, Rider, RoadGraph, User
from o2o_sim.city.nearest import NodeIndex
from o2o_sim.city.shops import hours, kitchens, make_merchants, zipf

SEGMENTS = ("work_meal", "family", "social")
SOURCES = ("crawl", "bd", "merchant", "crowd")
_SOURCE_SHARES = (0.5, 0.25, 0.1, 0.15)
_BDS_PER_MANAGER = 10
_NEAR_M = 600.0
DAY_S = 86_400.0


def density(graph: RoadGraph) -> Floats:
    """Junctions within 600 m of each node, as a share of the largest number: float64 [n], in (0, 1]."""
    crowd = NodeIndex(graph).crowd(_NEAR_M)
    result: Floats = crowd / crowd.max()
    return result


def shared_out(count: int, shares: tuple[float, ...]) -> list[int]:
    """`count` split by shares that sum to 1, by largest remainder: shared_out(10, (0.5, 0.3, 0.2)) == [5, 3, 2]."""
    exact = [count * share for share in shares]
    whole = [int(part + 1e-9) for part in exact]
    by_rest = sorted(range(len(shares)), key=lambda i: (whole[i] - exact[i], i))
    for i in by_rest[: count - sum(whole)]:
        whole[i] += 1
    return whole


def _draw(rng: np.random.Generator, weight: Floats, count: int) -> Ints:
    """`count` nodes by weight, each at most once as long as there are enough."""
    once = count <= weight.shape[0] // 2
    return rng.choice(weight.shape[0], size=count, replace=not once, p=weight / weight.sum()).astype(np.int32)


def settle_merchants(spec: MerchantsSpec, seed: int, graph: RoadGraph, crowd: Floats) -> tuple[Merchant, ...]:
    """The scenario's merchants on nodes drawn by density, with Zipf shares and kitchens to match."""
    rng = stream(seed, "city.merchants")
    nodes = _draw(rng, crowd, spec.count)
    weight = zipf(rng, spec.count, spec.popularity_exponent)
    slots = kitchens(rng, weight, spec.kitchen_slots_mean)
    opens, closes = hours(rng, spec, spec.count)
    return make_merchants(spec, seed, graph, nodes, weight=weight, slots=slots, opens=opens, closes=closes)


def segments_of(spec: UsersSpec, seed: int, count: int) -> list[str]:
    """The segment of each of `count` users (S4), by the scenario's shares to the head, in random order."""
    each = shared_out(count, (spec.work_meal, spec.family, spec.social))
    dealt = np.repeat(np.arange(len(SEGMENTS)), each)
    return [SEGMENTS[i] for i in stream(seed, "city.segments").permutation(dealt)]


def make_users(spec: UsersSpec, seed: int, graph: RoadGraph, crowd: Floats) -> tuple[User, ...]:
    """The scenario's users: homes spread over the nodes, workplaces drawn to the dense quarters."""
    rng = stream(seed, "city.users")
    homes = rng.integers(graph.n_nodes, size=spec.count)
    dense = crowd**2
    works = rng.choice(graph.n_nodes, size=spec.count, p=dense / dense.sum())
    segments = segments_of(spec, seed, spec.count)
    return tuple(User(number, segments[number], int(homes[number]), int(works[number])) for number in range(spec.count))


def speeds(spec: RidersSpec) -> dict[str, float]:
    """Speed in km/h of each vehicle."""
    return {
        "motorcycle": spec.motorcycle_kmh,
        "bicycle": spec.bicycle_kmh,
        "car": spec.car_kmh,
        "walking": spec.walking_kmh,
    }


def make_riders(spec: RidersSpec, seed: int, crowd: Floats, duration_s: float) -> tuple[Rider, ...]:
    """The fleet: everyone works some part of the window [0, duration_s].

    Shift starts are spread evenly (one rider to each equal slice, in random order) from one shift before the window to
    its end, so that at any instant of the window about shift / (shift + duration) of the fleet is on: 80 % with shifts
    of 8 h and a window of 2 h.
    """
    rng = stream(seed, "city.riders")
    shift_s = spec.shift_h * 3600.0
    slices: Floats = (rng.permutation(spec.count) + rng.random(spec.count)) / spec.count
    starts = slices * (shift_s + duration_s) - shift_s
    each = shared_out(spec.count, (spec.motorcycle, spec.bicycle))
    vehicles = rng.permutation(np.repeat(np.arange(2), each))
    nodes = rng.choice(int(crowd.shape[0]), size=spec.count, p=crowd / crowd.sum())
    kmh = speeds(spec)
    riders = []
    for number in range(spec.count):
        vehicle = ("motorcycle", "bicycle")[int(vehicles[number])]
        on = float(starts[number])
        riders.append(Rider(number, vehicle, kmh[vehicle], int(nodes[number]), max(0.0, on), on + shift_s))
    return tuple(riders)


def make_bds(spec: CrmSpec, seed: int, crowd: Floats) -> tuple[Bd, ...]:
    """The sales people, ten to a manager, each starting the day at an own node."""
    rng = stream(seed, "city.bds")
    nodes = rng.choice(int(crowd.shape[0]), size=spec.bds, p=crowd / crowd.sum())
    return tuple(Bd(i, names.person(rng), int(nodes[i]), i // _BDS_PER_MANAGER) for i in range(spec.bds))


def make_leads(spec: CrmSpec, seed: int, graph: RoadGraph, crowd: Floats) -> tuple[Lead, ...]:
    """The leads (C2): `spec.leads` known from the start, then `new_leads_per_day` (Poisson) over `spec.days`.

    Propensity is log-normal with mean 1 and sigma `sign_heterogeneity`.
    """
    rng = stream(seed, "city.leads")
    horizon = spec.days * DAY_S
    later = np.sort(rng.random(rng.poisson(spec.new_leads_per_day * spec.days))) * horizon
    created = np.concatenate((np.zeros(spec.leads), later))
    count = int(created.shape[0])
    nodes = rng.choice(graph.n_nodes, size=count, p=crowd / crowd.sum())
    sources = rng.choice(len(SOURCES), size=count, p=_SOURCE_SHARES)
    sigma = spec.sign_heterogeneity
    propensity = rng.lognormal(-(sigma**2) / 2, sigma, count)
    cuisines = [names.CUISINES[i] for i in rng.integers(len(names.CUISINES), size=count)]
    titles = names.shop_names(rng, cuisines)
    leads = []
    for i in range(count):
        node = int(nodes[i])
        lat, lng = float(graph.lat[node]), float(graph.lng[node])
        source = SOURCES[int(sources[i])]
        leads.append(Lead(i, titles[i], node, lat, lng, source, float(propensity[i]), float(created[i])))
    return tuple(leads)
