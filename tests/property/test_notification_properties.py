"""Copying by hand: what is written differs from what was ordered exactly as the mistakes say, and is found so (A14)."""

from __future__ import annotations

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain import notification
from o2o_domain.errors import DomainError
from o2o_domain.notification import (
    STEPS,
    Age,
    CallOwner,
    CallPolicy,
    CopyChances,
    CopyError,
    Redial,
    Who,
    after_call,
    by_app,
    by_hand,
    copied,
    differences,
    ladder,
    mistake,
    overdue,
)
from o2o_domain.tickets import LADDER, PrintPolicy

MENU = tuple("ABCDEFGHIJKL")
Case: TypeAlias = tuple[list[tuple[str, int]], list[CopyError | None], list[float]]
LINE_ERRORS = (None, CopyError.WRONG_DISH, CopyError.WRONG_QUANTITY, CopyError.MISSED_LINE)
PICKS = st.floats(0, 1, exclude_max=True)
SHARES = st.floats(0, 1 / 3)


@st.composite
def copyings(draw: st.DrawFn) -> Case:
    """An order of distinct dishes, fewer than half the menu, and what happens to each line."""
    names = draw(st.lists(st.sampled_from(MENU), min_size=1, max_size=5, unique=True))
    lines = [(name, draw(st.integers(1, 9))) for name in names]
    return lines, [draw(st.sampled_from(LINE_ERRORS)) for _ in lines], [draw(PICKS) for _ in lines]


@given(copyings())
def test_a_slip_is_right_if_and_only_if_no_mistake_was_made(case: Case) -> None:
    lines, mistakes, picks = case
    slip = copied(lines, MENU, mistakes, picks)
    assert bool(differences(lines, slip)) == any(mistakes)
    assert all(qty > 0 for _, qty in slip)
    assert {name for name, _ in slip} <= set(MENU)


@given(copyings(), st.sampled_from(LINE_ERRORS[1:]))
def test_a_single_mistake_is_found_as_what_it_is(case: Case, error: CopyError) -> None:
    lines, _, picks = case
    mistakes: list[CopyError | None] = [error, *[None] * (len(lines) - 1)]
    found = differences(lines, copied(lines, MENU, mistakes, picks))
    lost = error is CopyError.MISSED_LINE and len(lines) == 1
    assert found == {(CopyError.MISSED_ORDER if lost else error): 1}


@given(copyings())
def test_lines_may_come_in_any_order_and_in_parts(case: Case) -> None:
    lines, _, _ = case
    apart = [(name, 1) for name, qty in reversed(lines) for _ in range(qty)]
    assert not differences(lines, apart)
    assert differences(lines, None) == {CopyError.MISSED_ORDER: 1}


def test_a_menu_with_nothing_else_on_it_cannot_be_confused() -> None:
    assert copied([("A", 2)], ["A"], [CopyError.WRONG_DISH], [0.5]) == (("A", 2),)


def test_each_line_needs_its_mistake_and_its_pick() -> None:
    with pytest.raises(DomainError):
        copied([("A", 1)], MENU, [], [])


@given(SHARES, SHARES, SHARES, st.floats(0, 1), PICKS)
def test_whoever_errs_less_makes_no_other_lines_wrong(a: float, b: float, c: float, less: float, luck: float) -> None:
    """Common random numbers: with all chances scaled down, a line that is wrong now was wrong before."""
    often = CopyChances(a, b, c)
    seldom = CopyChances(a * less, b * less, c * less)
    if mistake(seldom, luck) is not None:
        assert mistake(often, luck) is not None


@given(SHARES, SHARES, SHARES)
def test_shares_of_luck_are_the_chances(a: float, b: float, c: float) -> None:
    chances, grid = CopyChances(a, b, c), 3000
    made = [mistake(chances, (place + 0.5) / grid) for place in range(grid)]
    for error, chance in zip(LINE_ERRORS[1:], (a, b, c), strict=True):
        assert made.count(error) / grid == pytest.approx(chance, abs=1.5 / grid)


@pytest.mark.parametrize("chances", [(-0.1, 0, 0, 0), (0.5, 0.5, 0.1, 0), (0, 0, 0, 1.1)])
def test_what_is_no_chance_is_refused(chances: tuple[float, float, float, float]) -> None:
    with pytest.raises(DomainError):
        CopyChances(*chances)


@given(st.integers(1, 20), st.floats(0, 1e4), st.floats(0, 1e4))
def test_the_shop_is_called_until_the_deadline_and_then_the_owner(calls: int, queued: float, later: float) -> None:
    policy, now = CallPolicy(), queued + later
    verdict = after_call(policy, calls=calls, queued_at=queued, now=now)
    if isinstance(verdict, Redial):
        assert now < verdict.at <= queued + policy.deadline_s
        assert calls < policy.max_calls
    else:
        assert verdict == CallOwner()
        assert calls >= policy.max_calls or now + policy.redial_s > queued + policy.deadline_s


@given(st.sampled_from([Age.PHONE, Age.APP]), st.floats(0, 1e6), st.lists(st.floats(0, 300), min_size=1, max_size=40))
def test_the_ladder_is_climbed_step_by_step_and_never_early(age: Age, queued: float, pauses: list[float]) -> None:
    policy = PrintPolicy()
    level, now = None, queued
    for pause in pauses:
        now += pause
        step = overdue(age, policy, queued_at=queued, level=level, now=now)
        if step is None:
            continue
        number = ladder(age).index(step)
        assert number == (0 if level is None else ladder(age).index(level) + 1)
        assert now - queued >= policy.deadline_s * (number + 1) - 1e-6
        level = step
    if now - queued < policy.deadline_s:
        assert level is None


@pytest.mark.parametrize("age", [Age.APP_PRINTER, Age.CLOUD])
def test_where_a_machine_prints_the_rules_of_tickets_decide(age: Age) -> None:
    assert ladder(age) == LADDER
    with pytest.raises(DomainError):
        overdue(age, PrintPolicy(), queued_at=0.0, level=None, now=1e6)


def test_each_age_takes_a_step_away_from_people() -> None:
    assert list(STEPS) == list(Age)
    assert [by_hand(age) for age in Age] == [True, True, False, False]
    assert [by_app(age) for age in Age] == [False, True, True, False]
    people = [sum(step.who in (Who.CALLER, Who.STAFF) for step in STEPS[age]) for age in Age]
    assert people == sorted(people, reverse=True)
    assert people[-1] == 0


def test_chances_of_a_scenario_are_chances_of_the_domain() -> None:
    assert notification.CopyChances(0.1, 0.2, 0.7, 1.0).missed_line == 0.7
