"""Stock: all lines or none, and the way back."""

from __future__ import annotations

from o2o_domain.pricing import Line
from o2o_domain.refusal import Refused
from o2o_domain.stock import Reserved, give_back, reserve

LEVELS = {1: 5, 2: 1, 3: 0}


def line(dish_id: int, qty: int) -> Line:
    return Line(dish_id, f"dish {dish_id}", qty, 100)


def test_only_touched_dishes_come_back_with_new_levels() -> None:
    assert reserve(LEVELS, [line(1, 2), line(2, 1)]) == Reserved({1: 3, 2: 0})


def test_lines_of_one_dish_are_counted_together() -> None:
    assert reserve(LEVELS, [line(1, 3), line(1, 2)]) == Reserved({1: 0})
    assert reserve(LEVELS, [line(1, 3), line(1, 3)]) == Refused("sold_out", "1")


def test_one_dish_short_refuses_the_whole_order_and_changes_nothing() -> None:
    levels = dict(LEVELS)
    assert reserve(levels, [line(1, 1), line(3, 1)]) == Refused("sold_out", "3")
    assert levels == LEVELS


def test_a_dish_without_a_level_is_not_on_the_menu() -> None:
    assert reserve(LEVELS, [line(9, 1)]) == Refused("not_on_menu", "9")


def test_giving_back_reverses_a_reservation() -> None:
    lines = [line(1, 2), line(2, 1), line(1, 1)]
    taken = reserve(LEVELS, lines)
    assert isinstance(taken, Reserved)
    assert give_back({**LEVELS, **taken.levels}, lines) == Reserved({1: 5, 2: 1})


def test_a_dish_taken_off_the_menu_meanwhile_comes_back_with_its_pieces() -> None:
    assert give_back({}, [line(9, 2)]) == Reserved({9: 2})
