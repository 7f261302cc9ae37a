"""The house table: ratios of pairs, bounds, and what does not count."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_cli.bench.house import bound, figure, rate, short, show


def test_the_ratio_is_the_median_of_the_pairs_ratios() -> None:
    row = rate("r", "orders", "/s", [(90, 100), (120, 100), (110, 100)], 1.0)
    assert (row.ours, row.reference, row.ratio, row.verdict) == (110, 100, pytest.approx(1.1), "PASS")
    # A neighbour that slowed one pair slowed both of its sides: medians of each side would say 0.5.
    assert rate("r", "x", "/s", [(100, 100), (50, 50), (60, 120)], 1.0).ratio == 1.0


def test_a_ratio_below_its_target_is_short() -> None:
    assert rate("r", "x", "/s", [(79, 100)], 0.8).verdict == "SHORT"
    assert rate("r", "x", "/s", [(80, 100)], 0.8).verdict == "PASS"


def test_a_bound_is_kept_broken_invalid_or_not_measured() -> None:
    told = [
        bound("b", "p99", "ms", value, 50.0, why=why) for value, why in ((50, ""), (51, ""), (9, "late"), (None, ""))
    ]
    assert [row.verdict for row in told] == ["PASS", "SHORT", "INVALID", "NOT MEASURED"]
    assert [short([row]) for row in told] == [False, True, True, True]


def test_what_was_not_measured_does_not_pass() -> None:
    row = rate("r", "x", "/s", [], 1.0, missing="pgbench is not installed")
    assert (row.verdict, row.ratio) == ("NOT MEASURED", None)
    assert short([row])


def test_the_table_shows_absolute_figures_and_reasons(capsys: Any) -> None:
    show(
        "Order path",
        [rate("off", "orders", "/s", [(2000, 1000)], 1.0), bound("p99", "p99", "ms", 12.345, 50, why="late")],
    )
    out = capsys.readouterr().out
    for told in ("2,000 /s", "1,000 /s", "2.00", ">= 1", "PASS", "12.3 ms", "<= 50 ms", "INVALID", "p99: late"):
        assert told in out
    assert figure(0.01234) == "0.0123"
