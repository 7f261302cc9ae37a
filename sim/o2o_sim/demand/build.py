"""`build_trace`: a scenario and its city to the trace of intents, deterministic by the seed.

Decides who orders where at each instant and puts the columns together. The trace depends on the city, the demand and
the payment provider only: other policies (dispatch, fees, coupon budgets, platform) leave it as it is, to the bit.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import TRACE_SCHEMA, Trace
from o2o_sim.chance import stream
from o2o_sim.city.model import City, Floats, Ints
from o2o_sim.city.people import SEGMENTS
from o2o_sim.demand import choices
from o2o_sim.demand.arrivals import RateCurve, arrivals, circumstances, shape
from o2o_sim.demand.baskets import draw_baskets
from o2o_sim.demand.clock import effective_clock
from o2o_sim.demand.reach import choose_merchants
from o2o_sim.demand.realday import read_day
from o2o_sim.demand.segments import HABITS, WORKING_MIN, mix
from o2o_sim.errors import DemandError

_REDEEM_SHARE = 0.85
_REDEEM_MEAN_S = 3600.0


def build_trace(scenario: Scenario, city: City) -> Trace:
    """The intents of a scenario in `city` (of `build_city` for the same scenario), with notes for the manifest.

    Raises DemandError: order files that cannot be read, a curve without weight, a city without users.
    """
    if not city.merchants or not city.users:
        raise DemandError(f"demand: {len(city.merchants)} merchants and {len(city.users)} users, at least 1 is needed")
    start_min, duration_s = effective_clock(scenario)
    if scenario.demand.orders is not None:
        orders, notes = _real(scenario, city)
    else:
        curve = shape(scenario.demand, start_min, duration_s).scaled(circumstances(scenario.demand) / 3600.0)
        orders, notes = _generated(scenario, city, start_min, curve.scaled(scenario.demand.orders_per_hour))
        if scenario.demand.deals_per_hour > 0 and city.deals:
            deals = _deals(scenario, city, start_min, curve.scaled(scenario.demand.deals_per_hour))
            notes["deals"] = deals.num_rows
            orders = pa.concat_tables([orders, deals])
    orders = orders.take(np.argsort(orders["intended_s"].to_numpy(), kind="stable"))
    orders = orders.set_column(0, TRACE_SCHEMA.field(0), pa.array(np.arange(orders.num_rows, dtype=np.int64)))
    return Trace(orders.cast(TRACE_SCHEMA).combine_chunks(), notes)


def _real(scenario: Scenario, city: City) -> tuple[pa.Table, dict[str, Any]]:
    """Every row of the file becomes an intent; what the file does not say is drawn as for generated demand."""
    day = read_day(Path(str(scenario.demand.orders)))
    order = np.argsort(day.placed_s, kind="stable")  # draws belong to the k-th order of the day
    user = day.drop[order]
    place = np.asarray([user.home_node for user in city.users], dtype=np.int32)[user]
    table = _orders(scenario, city, day.placed_s[order], user, day.shop[order], place, day.prep_s[order])
    notes: dict[str, Any] = {"kind": "real day", "orders": table.num_rows, **city.notes.get("day", day.notes)}
    if scenario.demand.deals_per_hour > 0:
        notes["deals"] = "none: a real day has orders only"
    return table, notes


def _generated(scenario: Scenario, city: City, start_min: float, curve: RateCurve) -> tuple[pa.Table, dict[str, Any]]:
    at = arrivals(stream(scenario.seed, "demand.arrivals"), curve)
    n = len(at)
    minute = (start_min + at / 60.0) % 1440.0
    user, place, expected = _who(scenario, city, minute)
    chosen = choose_merchants(
        city,
        place,
        minute.astype(np.int64),
        stream(scenario.seed, "demand.merchant").random(n),
        scenario.demand.max_distance_m,
    )
    table = _orders(scenario, city, at, user, chosen.merchant, place, choices.kitchen_s(scenario, n))
    notes = {
        "kind": "generated",
        "orders": n,
        "orders_expected": round(curve.total(), 1),
        "rate_factor": round(circumstances(scenario.demand), 4),
        "segment_mix_expected": {name: round(share, 4) for name, share in zip(SEGMENTS, expected, strict=True)},
        "nearest_open_merchant_out_of_reach": chosen.none_open_in_reach,
        "no_merchant_open": chosen.none_open,
    }
    return table, notes


def _who(scenario: Scenario, city: City, minute: Floats) -> tuple[Ints, Ints, list[float]]:
    """(user, drop-off node) of each order, and the expected share of each segment."""
    rng = stream(scenario.seed, "demand.user")
    n = len(minute)
    by_segment = [
        np.asarray([user.user_id for user in city.users if user.segment == name], dtype=np.int32) for name in SEGMENTS
    ]
    everyone = len(city.users)
    shares = tuple(len(members) / everyone for members in by_segment)
    chance = mix((shares[0], shares[1], shares[2]), minute, holiday=scenario.demand.holiday)
    luck, which, where = rng.random((n, 3)).T
    segment = np.minimum((np.cumsum(chance, axis=1)[:, :-1] <= luck[:, None]).sum(axis=1), len(SEGMENTS) - 1)
    user = np.zeros(n, dtype=np.int32)
    at_work = np.zeros(n, dtype=bool)
    working = (minute >= WORKING_MIN[0]) & (minute < WORKING_MIN[1]) & (not scenario.demand.holiday)
    for number, name in enumerate(SEGMENTS):
        mine = segment == number
        members = by_segment[number]
        if len(members):
            user[mine] = members[(which[mine] * len(members)).astype(np.int64)]
        during, outside = HABITS[name].at_work
        at_work[mine] = where[mine] < np.where(working[mine], during, outside)
    home = np.asarray([user.home_node for user in city.users], dtype=np.int32)
    work = np.asarray([user.work_node for user in city.users], dtype=np.int32)
    expected = chance.mean(axis=0).tolist() if n else [0.0] * len(SEGMENTS)
    return user, np.where(at_work, work[user], home[user]), expected


def _segments(city: City, user: Ints) -> Ints:
    number = {name: i for i, name in enumerate(SEGMENTS)}
    return np.asarray([number[user.segment] for user in city.users], dtype=np.int32)[user]


def _orders(
    scenario: Scenario, city: City, at: Floats, user: Ints, merchant: Ints, place: Ints, prep_s: Floats
) -> pa.Table:
    n = len(at)
    segment = _segments(city, user)
    confirm, callback, refused = choices.payments(scenario, n, "demand.payment")
    columns = {
        "kind": pa.repeat(pa.scalar("order"), n),
        "intended_s": at,
        "user_id": user,
        "segment": choices.words(segment, SEGMENTS),
        "merchant_id": merchant,
        "items": draw_baskets(stream(scenario.seed, "demand.items"), city, merchant, segment),
        "deal_id": pa.nulls(n, pa.int32()),
        "coupon_code": choices.coupons(scenario, segment),
        "prep_s": prep_s,
        "pay_confirm_s": confirm,
        "pay_callback_s": callback,
        "pay_refused": refused,
        "pay_balance": choices.balances(scenario, n, "demand.balance"),
        "review_stars": choices.reviews(scenario, n),
        "redeem_after_s": pa.nulls(n, pa.float64()),
        "note": choices.notes(scenario.seed, n),
    }
    return _table(city, columns, place)


def _deals(scenario: Scenario, city: City, start_min: float, curve: RateCurve) -> pa.Table:
    """Intents to buy a deal: any user, deals by their merchants' popularity; most are redeemed within hours."""
    rng = stream(scenario.seed, "demand.deals")
    at = arrivals(rng, curve)
    n = len(at)
    rng = stream(scenario.seed, "demand.deal_choice")
    weight = np.asarray([city.merchants[deal.merchant_id].weight for deal in city.deals])
    which = rng.choice(len(city.deals), size=n, p=weight / weight.sum())
    user = rng.integers(len(city.users), size=n).astype(np.int32)
    redeemed, after = rng.random(n) < _REDEEM_SHARE, _REDEEM_MEAN_S * rng.standard_exponential(n)
    confirm, callback, refused = choices.payments(scenario, n, "demand.deal_payment")
    home = np.asarray([someone.home_node for someone in city.users], dtype=np.int32)
    columns = {
        "kind": pa.repeat(pa.scalar("deal"), n),
        "intended_s": at,
        "user_id": user,
        "segment": choices.words(_segments(city, user), SEGMENTS),
        "merchant_id": np.asarray([deal.merchant_id for deal in city.deals], dtype=np.int32)[which],
        "items": pa.array([[]] * n, TRACE_SCHEMA.field("items").type),
        "deal_id": np.asarray([deal.deal_id for deal in city.deals], dtype=np.int32)[which],
        "coupon_code": pa.nulls(n, pa.string()),
        "prep_s": np.zeros(n),
        "pay_confirm_s": confirm,
        "pay_callback_s": callback,
        "pay_refused": refused,
        "pay_balance": choices.balances(scenario, n, "demand.deal_balance"),
        "review_stars": np.zeros(n, dtype=np.int8),
        "redeem_after_s": pa.array(after, mask=~redeemed),
        "note": pa.repeat(pa.scalar(""), n),
    }
    return _table(city, columns, home[user])


def _table(city: City, columns: dict[str, Any], place: Ints) -> pa.Table:
    n = len(place)
    columns = {
        **columns,
        "intent_id": np.zeros(n, dtype=np.int64),  # numbered after sorting
        "drop_node": place.astype(np.int32),
        "drop_lat": city.graph.lat[place],
        "drop_lng": city.graph.lng[place],
    }
    arrays = []
    for field in TRACE_SCHEMA:
        values = columns[field.name]
        arrays.append((pa.array(values) if isinstance(values, np.ndarray) else values).cast(field.type))
    return pa.Table.from_arrays(arrays, schema=TRACE_SCHEMA)
