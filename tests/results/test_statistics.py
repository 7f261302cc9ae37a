"""Figures of the order-to-print path, worked by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from o2o_results.run import as_table
from o2o_results.statistics import (
    Percentiles,
    bin_width_s,
    generator_lateness,
    nearest_rank,
    order_to_print,
    outcomes,
    owed_paper,
    stages,
    throughput,
)
from o2o_results.tables import MARKS

Tables = dict[str, pa.Table]


def test_nearest_rank_is_a_value_that_occurred() -> None:
    values = np.array([4.0, 1.0, 3.0, 2.0])
    assert [nearest_rank(values, q) for q in (0.01, 0.25, 0.5, 0.75, 0.95, 1.0)] == [1.0, 1.0, 2.0, 3.0, 4.0, 4.0]
    hundred = np.arange(1.0, 101.0)
    assert [nearest_rank(hundred, q) for q in (0.5, 0.95, 0.99)] == [50.0, 95.0, 99.0]
    assert math.isnan(nearest_rank(np.array([]), 0.5))


def test_what_never_ended_counts_as_infinite() -> None:
    found = Percentiles.of(np.array([1.0, 2.0, 3.0, np.nan, np.inf]))
    assert (found.n, found.missing, found.p50_s, found.mean_s) == (5, 2, 3.0, 2.0)
    assert found.p95_s == found.max_s == math.inf


def test_a_paid_order_without_paper_is_not_forgotten(lunch: Tables) -> None:
    before = order_to_print(lunch["orders"])
    assert before.missing == 0
    rows = lunch["orders"].to_pylist()
    hit = [row for row in rows if row["state"] == "delivered"][: before.n // 10]
    for row in hit:
        row["printed"] = None
    after = order_to_print(as_table("orders", rows))
    assert (after.n, after.missing) == (before.n, len(hit))
    assert after.p95_s == math.inf
    assert after.p50_s >= before.p50_s
    assert outcomes(lunch | {"orders": as_table("orders", rows)}).failed == len(hit)


def test_paper_is_owed_for_paid_takeout_that_was_not_given_up(lunch: Tables) -> None:
    owed = owed_paper(lunch["orders"])
    for row, due in zip(lunch["orders"].to_pylist(), owed, strict=True):
        assert due == (row["kind"] == "order" and row["paid"] is not None)
    rejected = [row | {"printed": None} for row in lunch["orders"].to_pylist() if row["state"] == "rejected"]
    assert rejected
    assert not owed_paper(as_table("orders", rejected)).any()


def test_stages_follow_the_marks_and_their_means_add_up(lunch: Tables) -> None:
    found = stages(lunch["orders"])
    assert [(s.start, s.end) for s in found] == list(pairwise(MARKS))
    assert sum(s.mean_s for s in found) == pytest.approx(order_to_print(lunch["orders"]).mean_s)
    assert all(0 < s.median_s <= s.p95_s for s in found)


def test_throughput_counts_every_event_once(lunch: Tables) -> None:
    series = throughput(lunch["orders"], bins=60)
    assert {len(counts) for counts in series.counts.values()} <= set(range(1, 62))
    for mark, counts in series.counts.items():
        assert counts.sum() == lunch["orders"].num_rows - lunch["orders"].column(mark).null_count
    assert series.per_second("intended").sum() * series.width_s == pytest.approx(400)


def test_bins_are_of_pleasant_width() -> None:
    assert [bin_width_s(span, 60) for span in (5, 60, 120, 7200, 14_400)] == [0.1, 1.0, 2.0, 120.0, 300.0]
    assert bin_width_s(90 * 86_400, 60) == 130_680 - 130_680 % 3600 + (0 if 129_600 * 60 >= 90 * 86_400 else 3600)


def test_lateness_of_the_generator_is_sent_less_intended(lunch: Tables) -> None:
    rows = lunch["orders"].to_pylist()
    for row in rows:
        row["sent"] = row["intended"] + 0.001
    rows[0]["sent"] = None
    found = generator_lateness(as_table("orders", rows))
    assert (found.n, found.missing) == (399, 0)
    assert found.p99_s == pytest.approx(0.001)


def test_outcomes_tell_failures_from_refusals(lunch: Tables) -> None:
    base = outcomes(lunch)
    assert base.failed == base.unfinished == 0
    assert base.success_share == 1.0
    assert sum(base.by_state.values()) == base.intents == base.sent == 400
    rows = lunch["orders"].to_pylist()
    rows[100]["state"] = "lost"
    rows[101]["state"] = "not_sent"
    refused = next(row["order_id"] for row in rows if row["state"] == "refused")
    requests = lunch["requests"].to_pylist()
    next(r for r in requests if r["order_id"] == refused).update(status=503, ok=False)
    found = outcomes(lunch | {"orders": as_table("orders", rows), "requests": as_table("requests", requests)})
    assert (found.sent, found.failed) == (399, 2)
    assert found.success_share == pytest.approx(1 - 2 / 399)
    empty: dict[str, Any] = {}
    assert math.isnan(outcomes(empty).success_share)
