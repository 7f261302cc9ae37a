"""A small town for tests of the model: 81 crossings, six merchants, traces written by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest

from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import TRACE_SCHEMA, Trace
from o2o_sim.city.build import build_city
from o2o_sim.city.model import City

TOWN: dict[str, Any] = {
    "name": "town",
    "seed": 11,
    "clock": {"start_min": 660, "duration_s": 600, "drain_s": 5400},
    "city": {
        "nodes": 81,
        "extent_km": 3,
        "rivers": 0,
        "zones": 4,
        "merchants": {"count": 6, "dishes": 4, "stock_per_dish": 50},
        "users": {"count": 40},
        "riders": {"count": 30, "shift_h": 24},
    },
    "platform": {"payment": {"refuse_share": 0}},
}


def merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over`, level by level."""
    result = dict(base)
    for key, value in over.items():
        result[key] = merged(result[key], value) if isinstance(value, dict) and key in result else value
    return result


@pytest.fixture(scope="session")
def town() -> Callable[..., tuple[Scenario, City]]:
    """A function: the town's scenario and city, with the scenario's fields overridden; all riders at work all day."""

    def make(over: dict[str, Any] | None = None) -> tuple[Scenario, City]:
        scenario = Scenario.model_validate(merged(TOWN, over or {}))
        city = build_city(scenario)
        riders = tuple(replace(rider, on_s=-1.0, off_s=1e6) for rider in city.riders)
        return scenario, replace(city, riders=riders)

    return make


@pytest.fixture(scope="session")
def intents() -> Callable[..., Trace]:
    """A function: a trace of rows given by the fields that matter.

    By default an intent is one dish of merchant 0 at city second 0; of kind "deal", the city's first deal.
    """

    def make(city: City, *rows: dict[str, Any]) -> Trace:
        filled = []
        for number, row in enumerate(sorted(rows, key=lambda row: float(row.get("intended_s", 0.0)))):
            deal = city.deals[0] if row.get("kind") == "deal" else None
            merchant = city.merchants[deal.merchant_id if deal else row.get("merchant_id", 0)]
            default = {
                "intent_id": number,
                "kind": "order",
                "intended_s": 0.0,
                "user_id": number % len(city.users),
                "segment": "work_meal",
                "merchant_id": merchant.merchant_id,
                "items": [] if deal else [{"dish_id": merchant.menu[0].dish_id, "qty": 1}],
                "deal_id": deal.deal_id if deal else None,
                "coupon_code": None,
                "drop_node": 40,
                "drop_lat": float(city.graph.lat[40]),
                "drop_lng": float(city.graph.lng[40]),
                "prep_s": 300.0,
                "pay_confirm_s": 0.2,
                "pay_callback_s": 0.1,
                "pay_refused": False,
                "pay_balance": False,
                "review_stars": 0,
                "redeem_after_s": None,
                "note": "",
            }
            filled.append(default | row)
        return Trace(pa.Table.from_pylist(filled, schema=TRACE_SCHEMA))

    return make
