"""A3: the modelled risk scoring and the service say the same of the same orders, one after the other."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_domain import rules
from o2o_domain.decisions import Decision
from o2o_domain.risk import RiskPolicy
from o2o_platform.helpers.risk import Risk
from o2o_platform.helpers.wire import RiskQuestion
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import TRACE_SCHEMA, Trace
from o2o_sim.city.build import build_city
from o2o_sim.world import simulate

SCENARIO = Scenario.model_validate(
    {
        "name": "risky",
        "seed": 3,
        "clock": {"duration_s": 3600, "drain_s": 3600, "speed": 2.0},
        "city": {
            "nodes": 81, "extent_km": 3, "rivers": 0, "zones": 4,
            "merchants": {"count": 1, "dishes": 2, "price_min_fen": 4000, "price_max_fen": 4500,
                          "stock_per_dish": 100_000},
            "users": {"count": 10}, "riders": {"count": 5},
        },
        "platform": {"helpers": ["risk"], "workers": 50, "helper": {"mean_ms": 0.0}},
    }
)  # fmt: skip
CITY = build_city(SCENARIO)
ORDERS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.sampled_from([1, 4, 30]), st.sampled_from([1.0, 60.0, 700.0])),
    min_size=1,
    max_size=40,
)
"""user, crossing, pieces, city seconds since the order before."""


def trace_of(orders: list[tuple[int, int, int, float]]) -> Trace:
    dish, now, rows = CITY.merchants[0].menu[0].dish_id, 0.0, []
    for number, (user, node, pieces, pause_s) in enumerate(orders):
        now += pause_s
        rows.append(
            {
                "intent_id": number, "kind": "order", "intended_s": now, "user_id": user, "segment": "family",
                "merchant_id": 0, "items": [{"dish_id": dish, "qty": pieces}], "deal_id": None, "coupon_code": None,
                "drop_node": node, "drop_lat": float(CITY.graph.lat[node]), "drop_lng": float(CITY.graph.lng[node]),
                "prep_s": 60.0, "pay_confirm_s": 0.1, "pay_callback_s": 0.1, "pay_refused": False, "review_stars": 0,
                "redeem_after_s": None, "note": "",
            }
        )  # fmt: skip
    return Trace(pa.Table.from_pylist(rows, schema=TRACE_SCHEMA))


def in_the_model(trace: Trace) -> list[dict[str, Any]]:
    run = simulate(SCENARIO, CITY, trace, decisions=True)
    logged = [row for row in run.tables["decisions"].to_pylist() if row["rule"] == "risk.assess"]
    for row in logged:  # and the rule itself says so again
        told = Decision(row["rule"], row["input"], row["output"])
        assert rules.replay(told) == told
    return [json.loads(row["output"]) for row in logged]


def in_the_service(trace: Trace) -> list[dict[str, Any]]:
    prices = {dish.dish_id: dish.price_fen for dish in CITY.merchants[0].menu}
    speed = SCENARIO.clock.speed
    risk = Risk(policy=RiskPolicy(window_s=RiskPolicy().window_s / speed))
    answers = [
        risk.answer(
            RiskQuestion(
                user_id=intent.user_id,
                key=str(intent.intent_id),
                at=intent.intended_s / speed,
                amount_fen=sum(prices[dish] * qty for dish, qty in intent.items),
                address=f"{intent.drop_node}号路口",
            )
        )
        for intent in trace.intents()
    ]
    risk.close()
    return [
        {"_": "Assessed", "verdict": said.verdict.value, "score": said.score, "reasons": list(said.reasons)}
        for said in answers
    ]


@settings(deadline=None, max_examples=40)
@given(ORDERS)
def test_both_say_the_same_of_the_same_orders(orders: list[tuple[int, int, int, float]]) -> None:
    trace = trace_of(orders)
    assert in_the_model(trace) == in_the_service(trace)


def test_all_verdicts_are_met() -> None:
    """The property above does not hold because everything is allowed."""
    orders = [(0, 0, 1, 1.0)] * 9 + [(0, 1, 30, 1.0), (0, 1, 1, 700.0)]
    told = Counter(said["verdict"] for said in in_the_model(trace_of(orders)))
    assert set(told) == {"allow", "review", "deny"}
