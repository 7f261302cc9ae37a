"""Paired differences against tables of Student's t and scipy, and what a comparison may say."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from o2o_results.comparison import Comparison, Metric, Variant
from o2o_results.errors import ResultsError
from o2o_results.paired import mean_interval, paired, replications_needed


def test_the_interval_of_a_mean_is_students() -> None:
    found = mean_interval([1.0, 2.0, 3.0])
    assert (found.n, found.mean) == (3, 2.0)
    assert found.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)  # t(0.975; 2) = 4.302653
    assert math.isnan(mean_interval([1.0]).low)
    assert math.isnan(mean_interval([]).mean)


def test_a_paired_difference_agrees_with_scipy() -> None:
    rng = np.random.default_rng(5)
    a = rng.normal(10, 3, 20)
    b = a + rng.normal(0.4, 0.5, 20)
    found = paired(list(a), list(b))
    reference = stats.ttest_rel(b, a)
    interval = reference.confidence_interval(0.95)
    assert found.p_value == pytest.approx(reference.pvalue, rel=1e-9)
    assert (found.interval.low, found.interval.high) == (pytest.approx(interval.low), pytest.approx(interval.high))
    assert found.shown == (reference.pvalue < 0.05)


def test_common_random_numbers_show_what_separate_samples_hide() -> None:
    rng = np.random.default_rng(1)
    luck = rng.normal(100, 20, 20)
    found = paired(list(luck), list(luck + 2 + rng.normal(0, 1, 20)))
    assert found.direction == "higher"
    assert stats.ttest_ind(luck, luck + 2).pvalue > 0.05


def test_words_say_no_more_than_is_shown() -> None:
    assert paired([1.0, 2.0, 3.0], [1.1, 1.9, 3.05]).words().startswith("no difference shown (")
    assert paired([1.0, 2.0, 3.0], [3.0, 4.1, 4.9]).words(1) == "+2.0 (1.8 to 2.2)"
    assert paired([1.0, 2.0], [1.0, 2.0]).words() == "no difference shown (0.00 to 0.00)"
    assert paired([1.0, 2.0], [2.0, 3.0]).words() == "+1.00 (1.00 to 1.00)"
    assert paired([1.0], [2.0]).words() == "no interval: too few replications"
    assert paired([], []).words() == "not measured"
    with pytest.raises(ResultsError, match="as many replications on both sides, not 1 and 2"):
        paired([1.0], [1.0, 2.0])


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(11)
    hits = 0
    for _ in range(2000):
        interval = mean_interval(list(rng.normal(3.0, 2.0, 8)), confidence=0.9)
        hits += interval.low <= 3.0 <= interval.high
    assert 0.88 < hits / 2000 < 0.92


def test_replications_needed_grow_with_the_square_of_precision() -> None:
    spread = [1.0, -1.0, 2.0, -2.0, 0.5, -0.5]
    few, many = replications_needed(spread, half_width=1.0), replications_needed(spread, half_width=0.5)
    assert 2 < few < many
    assert many / few == pytest.approx(4, rel=0.35)
    with pytest.raises(ResultsError, match="two differences"):
        replications_needed([1.0], half_width=1.0)


def comparison() -> Comparison:
    metrics = (Metric("signed", "Signed", "merchants", "more", 0), Metric("days", "Days to sign", "days", "less"))
    a = Variant("20", {"signed": (10, 12, 11), "days": (5.0, None, 6.0)})
    b = Variant("40", {"signed": (14, 16, 15), "days": (4.0, 4.5, 5.1)})
    return Comparison("quota", metrics, (a, b), "20", "3 replications, fixed before the first run", facts={"seed": 7})


def test_a_comparison_leaves_out_pairs_in_which_a_figure_is_not_defined() -> None:
    found = comparison()
    assert found.replications == 3
    assert found.difference("signed", "40").interval.mean == pytest.approx(4)
    assert found.difference("days", "40").interval.n == 2
    assert found.mean("days", "20").n == 2
    assert not found.difference("signed", "20").shown


def test_a_comparison_as_json_has_every_figure() -> None:
    raw = comparison().to_json()
    assert (raw["replications"], raw["baseline"], raw["seed"]) == (3, "20", 7)
    cell = next(row for row in raw["figures"] if (row["metric"], row["variant"]) == ("signed", "40"))
    assert (cell["values"], cell["difference"], cell["shown"]) == ([14, 16, 15], pytest.approx(4), True)


def test_a_comparison_must_hold_together() -> None:
    short = Variant("40", {"signed": (1.0,)})
    with pytest.raises(ResultsError, match="different numbers of replications"):
        Comparison("x", (), (Variant("20", {"signed": (1.0, 2.0)}), short), "20", "")
    with pytest.raises(ResultsError, match="baseline '60'"):
        Comparison("x", (), (short,), "60", "")
