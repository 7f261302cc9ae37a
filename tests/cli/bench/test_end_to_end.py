"""The search for the sustained rate, and what its rows say."""

from __future__ import annotations

import pytest

from o2o_cli.bench.end_to_end import FIRST, Measured, Try, best, growth, next_rate, rows


def tried(rate: float, sustained: bool, printed: float | None = None) -> Try:
    return Try(rate, rate, rate if printed is None else printed, 0.0, 0, 1.0, sustained, True)


@pytest.mark.parametrize("helpful", [True, False], ids=["overload tells", "overload tells nothing"])
def test_the_search_closes_in_on_the_rate_from_both_sides(helpful: bool) -> None:
    tries: list[Try] = []
    for _ in range(5 if helpful else 9):
        rate = next_rate(tries, 1000.0)
        came_out = min(rate, 437.0) if helpful or rate <= 437.0 else 0.0
        tries.append(tried(rate, rate <= 437.0, came_out))
    assert tries[0].rate == FIRST * 1000
    found = best(tries)
    assert found is not None
    assert 410 <= found.rate <= 437


def test_a_path_as_fast_as_its_orders_is_found_too() -> None:
    tries: list[Try] = []
    for _ in range(6):
        tries.append(tried(next_rate(tries, 1000.0), True))
    found = best(tries)
    assert found is not None
    assert 980 < found.rate <= 1000


def test_growth_is_the_slope_of_what_comes_after_the_start() -> None:
    assert growth([0, 1, 2, 3, 4, 5, 6, 7, 8], [0, 50, 50, 50, 50, 50, 50, 50, 50]) == pytest.approx(0.0, abs=1e-9)
    assert growth([100 + t for t in range(9)], [30 * t for t in range(9)]) == pytest.approx(30.0)
    assert growth([0.0, 1.0], [0, 1]) == 0.0


def test_the_row_counts_what_came_out_at_the_printers() -> None:
    told = Measured(
        [900.0, 1000.0, 1100.0], {"balance": [tried(600, True, 590), tried(800, False)], "provider": []}, {}
    )
    balance, provider = rows(told)
    assert (balance.ours, balance.reference, balance.verdict) == (590, 1000, "SHORT")
    assert balance.ratio == pytest.approx(0.59)
    assert (provider.ours, provider.verdict) == (0.0, "SHORT")
