"""The generated trace: deterministic, equal under other policies, and true to the scenario."""

from collections import Counter

import numpy as np
import pytest
from scipy import stats

from o2o_domain.geo import haversine_m
from o2o_domain.hours import is_open
from o2o_scenarios.schema import (
    CitySpec,
    ClockSpec,
    CouponSpec,
    DemandSpec,
    DispatchSpec,
    MerchantsSpec,
    PlatformSpec,
    PoolSpec,
    Scenario,
    StageSpec,
    UsersSpec,
)
from o2o_scenarios.trace import TRACE_SCHEMA, Trace
from o2o_sim.city.build import build_city
from o2o_sim.demand.build import build_trace
from o2o_sim.demand.clock import effective_clock
from o2o_sim.demand.segments import mix

COUPONS = (
    CouponSpec(code="ALL", threshold_fen=2000, off_fen=300, budget_fen=100_000),
    CouponSpec(code="FAMILY", threshold_fen=5000, off_fen=800, budget_fen=100_000, segments=("family",)),
)


def scenario(**parts):
    fields = {
        "name": "town",
        "city": CitySpec(nodes=600, extent_km=6, bridges_per_river=3, users=UsersSpec(count=1500)),
        "demand": DemandSpec(orders_per_hour=3000, deals_per_hour=100),
        "coupons": COUPONS,
        **parts,
    }
    return Scenario(**fields)


def trace_of(story):
    return build_trace(story, build_city(story))


@pytest.fixture(scope="module")
def story():
    return scenario()


@pytest.fixture(scope="module")
def city(story):
    return build_city(story)


@pytest.fixture(scope="module")
def trace(story, city):
    return build_trace(story, city)


def test_columns_and_order(trace):
    assert trace.table.schema.equals(TRACE_SCHEMA)
    assert trace.table["intent_id"].to_pylist() == list(range(len(trace)))
    at = trace.table["intended_s"].to_numpy()
    assert (np.diff(at) >= 0).all()
    assert at[0] >= 0
    assert at[-1] < 7200
    assert all(trace.table[field.name].null_count == 0 for field in TRACE_SCHEMA if not field.nullable)


def test_one_seed_one_trace(trace, tmp_path):
    again = trace_of(scenario())
    assert again.table.equals(trace.table)
    assert again.notes == trace.notes
    trace.write(tmp_path / "a.parquet")
    assert Trace.read(tmp_path / "a.parquet").table.equals(trace.table)
    assert Trace.read(tmp_path / "a.parquet").notes == trace.notes


def test_another_seed_another_trace(trace):
    assert not trace_of(scenario(seed=8)).table.equals(trace.table)


@pytest.mark.parametrize(
    "policy",
    [
        {"dispatch": DispatchSpec(rule="least_loaded", max_radius_m=900)},
        {"platform": PlatformSpec(workers=1, accept=StageSpec(mean_ms=90.0))},
        {"coupons": tuple(c.model_copy(update={"budget_fen": 1, "off_fen": 2, "threshold_fen": 9}) for c in COUPONS)},
        {"crm": {"pool": PoolSpec(quota=3)}},
    ],
    ids=["dispatch", "platform", "coupon budget", "pool quota"],
)
def test_other_policies_meet_the_same_orders(trace, policy):
    """Common random numbers: a policy changes no intent."""
    assert trace_of(scenario(**policy)).table.equals(trace.table)


def test_one_part_of_the_demand_changes_its_column_only(trace):
    other = trace_of(scenario(demand=DemandSpec(orders_per_hour=3000, deals_per_hour=100, review_share=0.9)))
    assert [n for n in TRACE_SCHEMA.names if not other.table[n].equals(trace.table[n])] == ["review_stars"]


def test_a_busier_day_has_the_same_orders_and_more():
    quiet = trace_of(scenario(demand=DemandSpec(orders_per_hour=1500))).table.to_pylist()
    busy = trace_of(scenario(demand=DemandSpec(orders_per_hour=3000))).table.to_pylist()
    assert len(busy) > 1.8 * len(quiet)
    fixed = ("prep_s", "pay_confirm_s", "pay_callback_s", "pay_refused", "review_stars", "note")
    assert all(a[name] == b[name] for a, b in zip(quiet, busy, strict=False) for name in fixed)


def test_number_of_orders(trace):
    kinds = Counter(trace.table["kind"].to_pylist())
    assert abs(kinds["order"] - 6000) < 4 * 6000**0.5
    assert abs(kinds["deal"] - 200) < 4 * 200**0.5
    assert trace.notes["orders"] == kinds["order"]


def test_rain_brings_more_orders():
    """S5: demand changes with the weather."""
    wet = trace_of(scenario(demand=DemandSpec(orders_per_hour=3000, weather="rain", rain_multiplier=1.5)))
    assert len(wet) == pytest.approx(9000, rel=0.05)
    assert wet.notes["rate_factor"] == 1.5


def test_orders_are_of_open_merchants_in_reach(story, city, trace):
    for intent in trace.intents():
        if intent.kind == "deal":
            continue
        shop = city.merchants[intent.merchant_id]
        assert haversine_m(shop.lat, shop.lng, intent.drop_lat, intent.drop_lng) <= story.demand.max_distance_m
        assert is_open(shop.open_min, shop.close_min, int(660 + intent.intended_s // 60))
        assert (intent.drop_lat, intent.drop_lng) == (
            city.graph.lat[intent.drop_node],
            city.graph.lng[intent.drop_node],
        )


def test_merchants_share_demand_by_popularity():
    """Within reach of everyone, orders fall to merchants by their weight (chi-square)."""
    wide = scenario(demand=DemandSpec(orders_per_hour=5000, max_distance_m=50_000))
    town = build_city(wide)
    orders = np.bincount(build_trace(wide, town).table["merchant_id"].to_numpy(), minlength=len(town.merchants))
    expected = np.asarray([shop.weight for shop in town.merchants]) * orders.sum()
    assert stats.chisquare(orders, expected).pvalue > 0.001


def test_baskets(city, trace):
    size: dict[str, list[int]] = {}
    for intent in trace.intents():
        if intent.kind == "deal":
            assert intent.items == ()
            continue
        menu = {dish.dish_id for dish in city.merchants[intent.merchant_id].menu}
        dishes = [dish for dish, _ in intent.items]
        assert dishes
        assert set(dishes) <= menu
        assert len(set(dishes)) == len(dishes)
        assert all(1 <= qty <= 3 for _, qty in intent.items)
        size.setdefault(intent.segment, []).append(sum(qty for _, qty in intent.items))
    assert np.mean(size["family"]) > 1.8 * np.mean(size["work_meal"])


def test_a_menu_of_one_dish():
    story = scenario(city=CitySpec(nodes=64, merchants=MerchantsSpec(count=5, dishes=1), users=UsersSpec(count=50)))
    assert {len(intent.items) for intent in trace_of(story).intents() if intent.kind == "order"} == {1}


def test_the_recorded_mix_of_segments_matches(trace, city):
    """S4: three agent types with separate mixes; the recorded mix matches the expected one (chi-square)."""
    orders = [intent for intent in trace.intents() if intent.kind == "order"]
    assert all(intent.segment == city.users[intent.user_id].segment for intent in orders)
    seen = Counter(intent.segment for intent in orders)
    expected = trace.notes["segment_mix_expected"]
    assert sum(expected.values()) == pytest.approx(1.0, abs=1e-3)
    names = list(expected)
    share = np.asarray([expected[name] for name in names])
    assert stats.chisquare([seen[n] for n in names], share / share.sum() * len(orders)).pvalue > 0.001


def test_each_segment_has_its_time_of_day():
    """S4: offices at noon, families in the evening, friends in the afternoon and at night."""
    share = mix((0.5, 0.3, 0.2), np.array([690.0, 1110.0, 900.0, 1380.0]), holiday=False)
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    noon, evening, tea, night = share
    assert noon[0] == max(share[:, 0])
    assert evening[1] == max(share[:, 1])
    assert night[2] > tea[2] > evening[2] > noon[2]
    assert mix((0.5, 0.3, 0.2), np.array([690.0]), holiday=True)[0, 0] < noon[0]
    np.testing.assert_allclose(noon, [0.69, 0.19, 0.11], atol=0.01)  # the docstring's figure


def test_lunch_goes_to_the_workplace(trace, city):
    lunches = [i for i in trace.intents() if i.kind == "order" and i.segment == "work_meal"]
    at_work = np.mean([intent.drop_node == city.users[intent.user_id].work_node for intent in lunches])
    assert at_work == pytest.approx(0.95, abs=0.02)


def test_coupons_are_of_the_segment(trace):
    tried = Counter((i.segment, i.coupon_code) for i in trace.intents() if i.kind == "order")
    assert tried["work_meal", "FAMILY"] == tried["social", "FAMILY"] == 0
    assert tried["family", "FAMILY"] > 0
    orders = sum(tried.values())
    without = sum(count for (_, code), count in tried.items() if code is None)
    assert 1 - without / orders == pytest.approx(0.3, abs=0.025)


def test_kitchen_payment_and_review_draws(trace):
    orders = trace.table.filter(np.asarray(trace.table["kind"].to_pylist()) == "order")
    prep = orders["prep_s"].to_numpy()
    assert np.median(prep) == pytest.approx(540, rel=0.03)
    assert np.log(prep).std() == pytest.approx(0.35, rel=0.05)
    assert orders["pay_confirm_s"].to_numpy().mean() == pytest.approx(0.2, rel=0.06)
    assert orders["pay_callback_s"].to_numpy().mean() == pytest.approx(0.1, rel=0.06)
    assert orders["pay_refused"].to_numpy().mean() == pytest.approx(0.005, abs=0.003)
    stars = orders["review_stars"].to_numpy()
    assert set(np.unique(stars)) == {0, 1, 2, 3, 4, 5}
    assert (stars > 0).mean() == pytest.approx(0.25, abs=0.02)


def test_deals(trace, city):
    sold = [intent for intent in trace.intents() if intent.kind == "deal"]
    of = {deal.deal_id: deal.merchant_id for deal in city.deals}
    assert all(of[intent.deal_id] == intent.merchant_id for intent in sold)
    redeemed = [intent.redeem_after_s for intent in sold if intent.redeem_after_s is not None]
    assert 0.75 < len(redeemed) / len(sold) < 0.95
    assert all(intent.deal_id is None for intent in trace.intents() if intent.kind == "order")


def test_where_no_shop_is_near_the_nearest_takes_the_order():
    story = scenario(demand=DemandSpec(orders_per_hour=500, max_distance_m=1.0))
    town = build_city(story)
    found = build_trace(story, town)
    assert found.notes["nearest_open_merchant_out_of_reach"] > 0.5 * len(found)
    for intent in found.intents()[:50]:
        away = {m.merchant_id: haversine_m(m.lat, m.lng, intent.drop_lat, intent.drop_lng) for m in town.merchants}
        assert away[intent.merchant_id] <= min(away.values()) + 1e-6 or away[intent.merchant_id] <= 1.0


def test_at_night_everything_is_closed_and_the_notes_say_so():
    story = scenario(clock=ClockSpec(start_min=120, duration_s=3600), demand=DemandSpec(orders_per_hour=300))
    found = trace_of(story)
    assert found.notes["no_merchant_open"] == len(found) > 0


def test_no_demand_no_intents():
    found = trace_of(scenario(demand=DemandSpec(orders_per_hour=0)))
    assert len(found) == 0
    assert found.table.schema.equals(TRACE_SCHEMA)


def test_the_clock_is_the_scenario_s(story):
    assert effective_clock(story) == (660.0, 7200.0)


def test_who_pays_from_a_wallet_changes_no_other_column(trace, tmp_path):
    assert not any(trace.table["pay_balance"].to_pylist())
    some = trace_of(scenario(platform=PlatformSpec(payment={"balance_share": 0.3})))
    assert [n for n in TRACE_SCHEMA.names if not some.table[n].equals(trace.table[n])] == ["pay_balance"]
    assert np.mean(some.table["pay_balance"].to_pylist()) == pytest.approx(0.3, abs=0.03)
    old = Trace(trace.table.drop_columns(["pay_balance"]), trace.notes)  # written before there were wallets
    old.write(tmp_path / "old.parquet")
    assert Trace.read(tmp_path / "old.parquet").table.equals(trace.table)
