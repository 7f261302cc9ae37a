"""What a comparison measures (C6-C8 for the pools)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_results.run import as_table
from o2o_results.tables import TABLES
from o2o_scenarios.loader import load
from o2o_scenarios.schema import Scenario
from o2o_sim.city.build import build_city
from o2o_sim.demand.build import build_trace
from o2o_sim.experiments.metrics import gini, measure, metrics_of, private_time
from o2o_sim.model_run import ModelRun
from o2o_sim.world import simulate

DAY = 86_400.0


def test_worked_gini() -> None:
    assert gini(np.array([1.0, 1.0, 1.0, 1.0])) == pytest.approx(0.0)
    assert gini(np.array([0.0, 0.0, 0.0, 4.0])) == pytest.approx(0.75)
    assert gini(np.zeros(3)) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30), st.floats(0.1, 100))
def test_gini_is_that_of_the_definition_and_knows_no_scale(amounts: list[float], scale: float) -> None:
    values = np.array(amounts)
    if values.sum() <= 1e-3:
        return
    definition = np.abs(values[:, None] - values[None, :]).sum() / (2 * len(values) * values.sum())
    assert gini(values) == pytest.approx(definition, abs=1e-9)
    assert gini(values * scale) == pytest.approx(definition, abs=1e-9)


def _events(*rows: tuple[int, float, str, int | None]) -> pa.Table:
    return as_table(
        "lead_events",
        [
            {
                "event_id": number,
                "lead_id": lead,
                "at": day * DAY,
                "what": what,
                "actor": None,
                "owner": owner,
                "owned": 0,
                "reason": None,
            }
            for number, (lead, day, what, owner) in enumerate(rows)
        ],
    )


HISTORY = _events(
    (0, 0, "created", None),
    (1, 0, "created", None),
    (2, 0, "created", None),
    (0, 1, "claimed", 0),
    (1, 2, "claimed", 1),
    (0, 3, "visited", 0),
    (0, 5, "assigned", 1),
    (1, 6, "signed", 1),
    (0, 8, "dropped", None),
    (2, 9, "claimed", 2),
)


def test_private_time_follows_the_history() -> None:
    days = private_time(HISTORY, 4, 10 * DAY) / DAY
    assert days.tolist() == pytest.approx([4.0, 3.0 + 4.0, 1.0, 0.0])


def test_metrics_of_a_history_made_by_hand() -> None:
    leads = as_table(
        "leads",
        [
            dict(zip(TABLES["leads"].names, row, strict=True))
            for row in (
                (0, "crawl", "visited", None, 1, 1, 1, 0.0, None, 7 * DAY, 2 * DAY),
                (1, "bd", "signed", None, 1, 0, 3, 0.0, 6 * DAY, 4 * DAY, 0.0),
                (2, "bd", "new", 2, 1, 0, 0, 0.0, None, 1 * DAY, 0.0),
            )
        ],
    )
    visit = {"lead_id": 0, "bd_id": 0, "at": DAY, "travel_s": 60.0, "signed": False}
    visits = as_table("visits", [visit | {"visit_id": number} for number in range(4)])
    scenario = load("pool_quota", ["crm.bds=4"])
    tables = {"leads": leads, "lead_events": HISTORY, "visits": visits}
    found = measure(scenario, ModelRun(tables, 10 * DAY, 0))
    assert found == {
        "signed": 1.0,
        "idle_lead_days": pytest.approx(2.0),
        "hoarding_share": pytest.approx(2 / 12),
        "holdings_gini": pytest.approx(gini(np.array([4.0, 7.0, 1.0, 0.0]))),
        "unclaimed_days": pytest.approx((26 - 12) / 3),
        "visits_per_day": pytest.approx(4 / 40),
        "visits_per_signed": pytest.approx(4.0),
        "days_to_sign": pytest.approx(6.0),
        "drops_per_lead": pytest.approx(1 / 3),
    }


def test_nobody_signed_is_not_zero_days() -> None:
    scenario = load("pool_quota", ["crm.bds=4"])
    tables = {name: schema.empty_table() for name, schema in TABLES.items()}
    found = measure(scenario, ModelRun(tables, DAY, 0))
    assert found["signed"] == 0.0
    assert found["days_to_sign"] is None
    assert found["visits_per_signed"] is None
    assert found["hoarding_share"] is None


def test_a_city_day_is_measured() -> None:
    scenario = Scenario.model_validate(
        {
            "name": "short",
            "seed": 3,
            "clock": {"duration_s": 600, "drain_s": 5400},
            "city": {"nodes": 100, "merchants": {"count": 12}, "users": {"count": 60}, "riders": {"count": 40}},
            "demand": {"orders_per_hour": 240},
        }
    )
    city = build_city(scenario)
    trace = build_trace(scenario, city)
    found = measure(scenario, simulate(scenario, city, trace))
    assert set(found) == {metric.name for metric in metrics_of("city")}
    delivered, success = found["delivered"], found["success_share"]
    assert delivered is not None
    assert 0 < delivered <= len(trace)
    assert success is not None
    assert 0.9 < success <= 1.0
    p50, p95, door = found["order_to_print_p50_s"], found["order_to_print_p95_s"], found["click_to_door_min"]
    assert p50 is not None
    assert p95 is not None
    assert door is not None
    assert 0 < p50 <= p95 < door * 60
