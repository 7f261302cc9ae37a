"""How a BD decides (C6, C13): hoarding, the choice of leads, and the day's round."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from o2o_scenarios.schema import CrmSpec
from o2o_sim.crm.behaviour import Habits, choose_open, leads_to_claim, plan_day, worth

HABITS = Habits.of(CrmSpec(visits_per_day=8, visit_min=30, work_hours=8, sign_chance=0.05, sign_gain_per_visit=0.04))


def habits(**changes: float) -> Habits:
    return Habits.of(CrmSpec(**{"visits_per_day": 8, "visit_min": 30, "work_hours": 8, **changes}))


def test_claims_of_the_docstring() -> None:
    for hoarding, count in ((0.0, 3), (1.0, 30), (0.5, 16)):
        assert leads_to_claim(habits(hoarding=hoarding), quota=40, held=10, workable=5) == count


@given(st.integers(1, 200), st.integers(0, 200), st.integers(0, 200), st.floats(0, 1), st.floats(0.1, 20))
def test_claims_never_pass_the_quota(quota: int, held: int, workable: int, hoarding: float, per_day: float) -> None:
    count = leads_to_claim(
        habits(hoarding=hoarding, visits_per_day=per_day), quota=quota, held=held, workable=min(held, workable)
    )
    assert 0 <= count <= max(0, quota - held)


@given(
    st.lists(st.tuples(st.floats(0.01, 10), st.floats(0, 5000)), max_size=40),
    st.integers(0, 50),
)
def test_chosen_leads_are_those_of_a_full_sort(leads: list[tuple[float, float]], count: int) -> None:
    appeal = np.array([lead[0] for lead in leads])
    travel = np.array([lead[1] for lead in leads])
    chosen = choose_open(HABITS, appeal=appeal, travel_s=travel, count=count)
    score = appeal / (travel + HABITS.visit_s)
    assert len(set(chosen.tolist())) == len(chosen) == min(count, len(leads))
    assert sorted(score[chosen], reverse=True) == score[chosen].tolist()
    rest = np.delete(score, chosen)
    if len(chosen) and rest.size:
        assert rest.max() <= score[chosen].min()


def test_a_lead_about_to_be_lost_counts_twice() -> None:
    worths = worth(
        habits(defend_days=2, sign_chance=0.05, sign_gain_per_visit=0.04),
        appeal=np.array([1.0, 1.0, 2.0]),
        warmth=np.array([0.0, 0.0, 1.0]),
        due_in_s=np.array([3.0, 2.0, 9.0]) * 86_400,
    )
    assert np.allclose(worths, [0.05, 0.10, 0.18])


def _line(places: list[float]) -> tuple[np.ndarray, np.ndarray]:
    """Travel times from 0 and between places on a line, one second a unit."""
    spots = np.array(places)
    return np.abs(spots), np.abs(spots[:, None] - spots[None, :])


def test_equal_leads_are_visited_along_the_way() -> None:
    from_base, between = _line([3000, 1000, -500, 2000])
    plan = plan_day(HABITS, worths=np.ones(4), from_base_s=from_base, from_lead_s=lambda i: between[i])
    assert plan == [2, 1, 3, 0]


def test_worth_beats_nearness() -> None:
    from_base, between = _line([100, 4000])
    plan = plan_day(HABITS, worths=np.array([0.01, 1.0]), from_base_s=from_base, from_lead_s=lambda i: between[i])
    assert plan[0] == 1


@given(st.lists(st.tuples(st.floats(0, 9000), st.floats(0, 5)), max_size=25), st.floats(0.5, 12), st.floats(0.2, 14))
def test_a_day_keeps_to_hours_and_number_of_visits(
    leads: list[tuple[float, float]], per_day: float, hours: float
) -> None:
    from_base, between = _line([lead[0] for lead in leads])
    worths = np.array([lead[1] for lead in leads])
    mine = habits(visits_per_day=per_day, work_hours=hours)
    plan = plan_day(mine, worths=worths, from_base_s=from_base, from_lead_s=lambda i: between[i])
    assert len(plan) == len(set(plan)) <= round(per_day)
    assert all(worths[i] > 0 for i in plan)
    legs = [from_base[plan[0]], *(between[a][b] for a, b in itertools.pairwise(plan))] if plan else []
    assert sum(legs) + len(plan) * mine.visit_s <= mine.work_s + 1e-6
