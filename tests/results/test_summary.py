"""Deliveries, utilisation, pools, SLO verdicts and validity, and the summary that gathers them."""

from __future__ import annotations

import json
import math
from typing import Any

import pyarrow as pa
import pytest

from o2o_results.operations import deliveries, distance_m, kitchen_utilisation, pools, rider_utilisation
from o2o_results.run import as_table
from o2o_results.slo import Objective, validity
from o2o_results.statistics import Percentiles
from o2o_results.summary import summarise

Tables = dict[str, pa.Table]


def lateness(p99_s: float, n: int = 100) -> Percentiles:
    return Percentiles(n, 0, 0.0, 0.0, p99_s, p99_s, 0.0)


def test_late_is_more_than_the_promise_after_the_intent(lunch: Tables) -> None:
    rows = [row for row in lunch["orders"].to_pylist() if row["state"] == "delivered"][:3]
    for row, minutes in zip(rows, (44.9, 45.0, 45.1), strict=True):
        row["delivered"] = row["intended"] + minutes * 60
    found = deliveries(as_table("orders", rows), promise_min=45, speed=1)
    assert (found.delivered, found.late, found.p50_min) == (3, 1, pytest.approx(45))
    # Ten times faster: the same run seconds are ten times as many city minutes.
    assert deliveries(as_table("orders", rows), promise_min=45, speed=10).late == 3
    assert math.isnan(deliveries(as_table("orders", []), promise_min=45, speed=1).late_share)


def test_utilisation_is_busy_time_over_time_at_work(lunch: Tables) -> None:
    span = max(row["delivered"] for row in lunch["orders"].to_pylist() if row["delivered"] is not None)
    store = lunch["merchants"].to_pylist()[0] | {"slots": 2, "busy_s": span}
    tables = lunch | {"merchants": as_table("merchants", [store])}
    assert kitchen_utilisation(tables)[0] == pytest.approx(0.5)
    rider = lunch["riders"].to_pylist()[0] | {"driving_s": span / 4, "service_s": span / 4}
    away = rider | {"rider_id": 1, "on": span + 10, "off": span + 20}
    half = rider | {"rider_id": 2, "on": -100.0, "off": span / 2}
    shares = rider_utilisation(lunch | {"riders": as_table("riders", [rider, away, half])})
    assert shares[0] == pytest.approx(0.5)
    assert math.isnan(shares[1])
    assert shares[2] == pytest.approx(1.0)


def test_distance_is_the_straight_line(lunch: Tables) -> None:
    row = lunch["orders"].to_pylist()[50] | {"merchant_id": 0}
    store = lunch["merchants"].to_pylist()[0]
    row |= {"drop_lat": store["lat"] + 0.01, "drop_lng": store["lng"]}
    far = row | {"order_id": 51, "merchant_id": 9999}
    found = distance_m(lunch | {"orders": as_table("orders", [row, far])})
    assert found[0] == pytest.approx(1111.95, abs=0.1)
    assert math.isnan(found[1])


def test_pools_count_signed_private_and_idle(weeks: Tables) -> None:
    found = pools(weeks)
    assert (found.leads, found.signed, found.private, found.claims, found.drops, found.visits) == (5, 1, 2, 5, 2, 3)
    assert found.idle_share == pytest.approx(8 / 15)
    assert found.idle_days == pytest.approx(40)


def test_an_objective_is_met_missed_or_not_measured() -> None:
    def slo(sense: Any, value: float) -> bool | None:
        return Objective("x", "x", "s", sense, 10.0, value).ok

    assert (slo("at most", 10.0), slo("at most", 10.1), slo("at most", math.inf)) == (True, False, False)
    assert (slo("at least", 10.0), slo("at least", 9.9)) == (True, False)
    assert slo("at most", math.nan) is None


def test_a_live_run_with_a_late_generator_is_invalid(fake: Any) -> None:
    plan = fake.scenario()  # allows 10 ms
    assert validity(plan, "live", "finished", lateness(0.010)).valid
    late = validity(plan, "live", "finished", lateness(0.0101))
    assert not late.valid
    assert late.reason == "the generator was 10.1 ms late at p99; at most 10 ms is allowed"
    assert validity(plan, "model", "finished", lateness(0.5)).valid
    assert not validity(plan, "model", "interrupted", lateness(0.0)).valid
    assert not validity(plan, "live", "failed", lateness(0.0)).valid


def test_the_summary_gathers_figures_under_stable_names(lunch: Tables, fake: Any) -> None:
    found = summarise(lunch, fake.scenario())
    metrics = found.metrics()
    assert metrics["order_to_print_p95_s"] == found.printing.p95_s
    assert metrics["stage_printed_p50_s"] == found.stages[-1].median_s
    assert metrics["intents"] == 400
    assert [goal.name for goal in found.objectives] == ["order_to_print_p95_s", "success_share", "late_share"]
    assert found.validity.valid
    raw = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert raw["metrics"]["idle_share"] is None
    assert raw["objectives"][0]["ok"] is True


def test_a_run_without_orders_has_a_summary(fake: Any) -> None:
    found = summarise({}, fake.scenario())
    assert found.outcomes.intents == 0
    assert [goal.ok for goal in found.objectives] == [None, None, None]
    json.dumps(found.to_json(), allow_nan=False)
