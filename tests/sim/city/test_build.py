"""`build_city`: who is in the city, and that the seed decides."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from o2o_scenarios.schema import CitySpec, CrmSpec, DemandSpec, MerchantsSpec, RidersSpec, Scenario, UsersSpec
from o2o_sim.city.build import build_city
from o2o_sim.city.people import shared_out
from o2o_sim.city.projection import distance_m
from o2o_sim.errors import CityError


def scenario(seed=7, **city):
    parts = {"users": UsersSpec(count=1000), "nodes": 600, "extent_km": 5, "bridges_per_river": 3, **city}
    return Scenario(
        name="town",
        seed=seed,
        city=CitySpec(**parts),
        demand=DemandSpec(deals_per_hour=30),
        crm=CrmSpec(leads=400, bds=25, new_leads_per_day=2.0),
    )


@pytest.fixture(scope="module")
def city():
    return build_city(scenario())


def everything(city):
    """All of a city as plain values, for equality."""
    arrays = {f.name: getattr(city.graph, f.name) for f in dataclasses.fields(city.graph)}
    graph = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in arrays.items()}
    people = (city.merchants, city.users, city.riders, city.bds, city.leads, city.deals)
    return graph, city.zones.tolist(), people, city.notes


def test_one_seed_one_city(city):
    assert everything(build_city(scenario())) == everything(city)
    assert everything(build_city(scenario(seed=8)))[2] != everything(city)[2]


def test_more_riders_leave_the_rest_as_it_was(city):
    more = build_city(scenario(riders=RidersSpec(count=500)))
    assert more.merchants == city.merchants
    assert more.users == city.users
    assert len(more.riders) == 500


def test_ids_are_places_in_the_tuples(city):
    for people, name in (
        (city.merchants, "merchant_id"),
        (city.users, "user_id"),
        (city.riders, "rider_id"),
        (city.bds, "bd_id"),
        (city.leads, "lead_id"),
    ):
        assert [getattr(someone, name) for someone in people] == list(range(len(people)))
    assert all(d.dish_id == m.merchant_id * 100 + k for m in city.merchants for k, d in enumerate(m.menu))
    assert all(deal.deal_id // 10 == deal.merchant_id for deal in city.deals)


def test_segments_have_their_shares(city):
    """S4: three kinds of users, shares to the head."""
    assert Counter(user.segment for user in city.users) == {"work_meal": 500, "family": 300, "social": 200}


def test_shared_out_by_largest_remainder():
    assert shared_out(10, (0.5, 0.3, 0.2)) == [5, 3, 2]
    assert shared_out(7, (0.5, 0.3, 0.2)) == [4, 2, 1]
    assert shared_out(1, (0.2, 0.3, 0.5)) == [0, 0, 1]
    assert shared_out(3, (1.0, 0.0, 0.0)) == [3, 0, 0]


@pytest.mark.parametrize("dishes", [1, 12, 60])
def test_menus(dishes):
    spec = MerchantsSpec(count=60, dishes=dishes, price_min_fen=700, price_max_fen=3900, stock_per_dish=33)
    shops = build_city(scenario(merchants=spec)).merchants
    assert len({shop.name for shop in shops}) == 60
    for shop in shops:
        assert len(shop.menu) == dishes
        assert len({dish.name for dish in shop.menu}) == dishes
        for dish in shop.menu:
            assert 700 <= dish.price_fen <= 3900
            assert dish.stock == 33
            dish.name.encode("gb18030")
        shop.name.encode("gb18030")
    if dishes > 1:
        assert len({dish.price_fen for shop in shops for dish in shop.menu}) > 10


def test_popularity_is_zipf_and_kitchens_follow(city):
    weight = np.asarray([shop.weight for shop in city.merchants])
    slots = np.asarray([shop.slots for shop in city.merchants])
    assert weight.sum() == pytest.approx(1.0)
    ordered = np.sort(weight)[::-1]
    assert ordered[0] / ordered[99] == pytest.approx(100**0.5)  # exponent 0.5
    assert slots.min() >= 1
    assert slots.mean() == pytest.approx(4.0, rel=0.1)
    assert np.corrcoef(weight, slots)[0, 1] > 0.9


def test_opening_hours(city):
    for shop in city.merchants:
        assert 540 <= shop.open_min <= 600
        assert 1260 <= shop.close_min <= 1320
    short = MerchantsSpec(count=20, open_min=660, close_min=780)
    assert {(m.open_min, m.close_min) for m in build_city(scenario(merchants=short)).merchants} == {(660, 780)}


def test_shops_and_workplaces_are_where_streets_are_dense(city):
    def away(nodes):
        return float(np.hypot(city.graph.x_m[nodes], city.graph.y_m[nodes]).mean())

    homes = [user.home_node for user in city.users]
    assert away([user.work_node for user in city.users]) < 0.85 * away(homes)
    assert away([shop.node for shop in city.merchants]) < 0.95 * away(homes)
    for shop in city.merchants:
        assert (shop.lat, shop.lng) == (city.graph.lat[shop.node], city.graph.lng[shop.node])


def test_riders_shifts_cover_the_window(city):
    kinds = Counter(rider.vehicle for rider in city.riders)
    assert kinds == {"motorcycle": 210, "bicycle": 90}
    assert {r.speed_kmh for r in city.riders if r.vehicle == "bicycle"} == {14.0}
    for at in np.linspace(0, 7200, 9):
        on = sum(rider.on_s <= at < rider.off_s for rider in city.riders)
        assert on == pytest.approx(0.8 * 300, abs=2)
    assert all(0 <= rider.on_s < rider.off_s for rider in city.riders)


def test_leads_and_bds(city):
    first = [lead for lead in city.leads if lead.created_s == 0.0]
    assert len(first) == 400
    later = len(city.leads) - 400
    assert abs(later - 180) < 4 * 180**0.5  # Poisson, 2 a day for 90 days
    created = [lead.created_s for lead in city.leads]
    assert created == sorted(created)
    assert created[-1] < 90 * 86_400
    propensity = np.asarray([lead.propensity for lead in city.leads])
    assert propensity.mean() == pytest.approx(1.0, abs=0.15)
    assert np.log(propensity).std() == pytest.approx(0.8, abs=0.1)
    assert len({lead.name for lead in city.leads}) == len(city.leads)
    assert {lead.source for lead in city.leads} == {"crawl", "bd", "merchant", "crowd"}  # C2
    assert [bd.manager for bd in city.bds] == [0] * 10 + [1] * 10 + [2] * 5


def test_deals(city):
    assert len(city.deals) == 40  # one for five of 200 merchants
    menus = {shop.merchant_id: {dish.name for dish in shop.menu} for shop in city.merchants}
    for deal in city.deals:
        assert 0 < deal.price_fen < deal.list_fen
        assert set(deal.title.split(": ")[1].split(" + ")) <= menus[deal.merchant_id]
    assert build_city(Scenario(name="none", city=CitySpec(nodes=64))).deals == ()


def test_zones_are_compact_and_none_is_empty(city):
    size = np.bincount(city.zones)
    assert len(size) == 48
    assert size.min() > 0
    graph = city.graph
    spread, whole = [], distance_m(graph.lat, graph.lng, graph.lat.mean(), graph.lng.mean()).mean()
    for zone in range(48):
        mine = city.zones == zone
        lat, lng = graph.lat[mine], graph.lng[mine]
        spread.append(distance_m(lat, lng, lat.mean(), lng.mean()).mean())
    assert np.mean(spread) < 0.25 * whole


def test_more_zones_than_nodes():
    small = build_city(scenario(nodes=25, extent_km=1, rivers=0, zones=500))
    assert len(np.unique(small.zones)) <= small.graph.n_nodes


def test_a_missing_graph_is_one_clear_line(tmp_path):
    with pytest.raises(CityError) as caught:
        build_city(scenario(graph=str(tmp_path / "nowhere.graphml")))
    assert "\n" not in str(caught.value)
    assert "city.graph" in str(caught.value)
