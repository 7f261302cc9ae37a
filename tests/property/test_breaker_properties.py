"""S11: the breaker against a plain restatement of its rule, whatever calls and results come in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain.breaker import (
    TRANSITIONS,
    Allow,
    Breaker,
    BreakerEvent,
    BreakerPolicy,
    BreakerState,
    Reject,
    on_call,
    on_result,
)

CLOSED, OPEN, HALF_OPEN = BreakerState

POLICIES = st.builds(
    BreakerPolicy,
    failures=st.integers(1, 6),
    window=st.integers(1, 8),
    share=st.sampled_from([0.25, 0.5, 0.75, 1.0]),
    open_s=st.sampled_from([0.0, 1.0, 5.0]),
    trials=st.integers(1, 3),
    slow_s=st.sampled_from([0.1, None]),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["call", "call", "good", "good", "bad", "slow"]),
        st.integers(0, 5),  # which of the calls under way ends
        st.sampled_from([0.0, 0.05, 0.9, 5.0]),  # seconds that pass before
    ),
    max_size=80,
)


@dataclass
class Played:
    """What a list of steps led to: every breaker on the way, and the calls that it let through."""

    now: float = 0.0
    before: list[Breaker] = field(default_factory=list)
    after: list[Breaker] = field(default_factory=list)
    what: list[str] = field(default_factory=list)
    at: list[float] = field(default_factory=list)
    under_way: list[tuple[int, float]] = field(default_factory=list)
    trials_under_way: list[int] = field(default_factory=list)


def play(policy: BreakerPolicy, steps: list[tuple[str, int, float]]) -> Played:
    breaker, played = Breaker(policy), Played()
    for what, which, pause_s in steps:
        played.now += pause_s
        before = breaker
        if what == "call":
            answer = on_call(breaker, played.now)
            breaker = answer.breaker
            if isinstance(answer, Allow):
                played.under_way.append((answer.turn, played.now))
                what = "allowed"
            else:
                what = "rejected"
        elif played.under_way:
            turn, _ = played.under_way.pop(which % len(played.under_way))
            took_s = 0.2 if what == "slow" else 0.01
            breaker = on_result(breaker, turn, ok=what != "bad", took_s=took_s, now=played.now)
            what = f"{what} {'now' if turn == before.turn else 'late'}"
        else:
            continue
        played.before.append(before)
        played.after.append(breaker)
        played.what.append(what)
        played.at.append(played.now)
        mine = [turn for turn, _ in played.under_way if turn == breaker.turn]
        played.trials_under_way.append(len(mine) if breaker.state is HALF_OPEN else 0)
    return played


@given(POLICIES, STEPS)
def test_every_change_is_a_row_of_the_table_and_has_its_time_and_reason(
    policy: BreakerPolicy, steps: list[tuple[str, int, float]]
) -> None:
    played = play(policy, steps)
    rows = {(state, after) for (state, _), after in TRANSITIONS.items()}
    for before, after, at in zip(played.before, played.after, played.at, strict=True):
        # An open breaker that is asked may let the trial through at once: one change, never two, a step.
        if before.state is not after.state:
            assert (before.state, after.state) in rows
            assert (after.since, after.turn) == (at, before.turn + 1)
            assert after.reason
        else:
            assert (after.since, after.turn, after.reason) == (before.since, before.turn, before.reason)


@given(POLICIES, STEPS)
def test_half_open_never_has_more_trials_than_the_policy_allows(
    policy: BreakerPolicy, steps: list[tuple[str, int, float]]
) -> None:
    assert all(trials <= policy.trials for trials in play(policy, steps).trials_under_way)


@given(POLICIES, STEPS)
def test_it_opens_exactly_when_the_rule_says(policy: BreakerPolicy, steps: list[tuple[str, int, float]]) -> None:
    """Restated: of the results told while it was closed, the last N in a row, or so many of the last W, were bad."""
    played = play(policy, steps)
    results: list[bool] = []  # since it was closed: True is a failure
    for before, after, what in zip(played.before, played.after, played.what, strict=True):
        kind, _, when = what.partition(" ")
        if before.state is CLOSED and when == "now":
            bad = kind == "bad" or (kind == "slow" and policy.slow_s is not None)
            results.append(bad)
            in_a_row = len(results) >= policy.failures and all(results[-policy.failures :])
            last = results[-policy.window :]
            share = bad and len(last) == policy.window and sum(last) / policy.window >= policy.share
            assert (after.state is OPEN) == (in_a_row or share)
            if after.state is OPEN:
                assert after.reason == ("failures_in_a_row" if in_a_row else "failure_share")
        else:
            assert not (before.state is CLOSED and after.state is not CLOSED)
        if after.state is not CLOSED:
            results = []


@given(POLICIES, STEPS)
def test_open_rejects_until_its_time_is_over_and_then_lets_the_next_call_through(
    policy: BreakerPolicy, steps: list[tuple[str, int, float]]
) -> None:
    played = play(policy, steps)
    for before, after, what, at in zip(played.before, played.after, played.what, played.at, strict=True):
        if before.state is OPEN and what in ("allowed", "rejected"):
            over = at >= before.since + policy.open_s
            assert what == ("allowed" if over else "rejected")
            assert after.state is (HALF_OPEN if over else OPEN)
        if before.state is CLOSED:
            assert what != "rejected"


@given(POLICIES, STEPS)
def test_half_open_ends_with_the_first_bad_trial_or_the_last_good_one(
    policy: BreakerPolicy, steps: list[tuple[str, int, float]]
) -> None:
    played, good = play(policy, steps), 0
    for before, after, what in zip(played.before, played.after, played.what, strict=True):
        kind, _, when = what.partition(" ")
        if before.state is not HALF_OPEN or when != "now":
            good = good if before.state is HALF_OPEN else 0
            continue
        if kind == "bad" or (kind == "slow" and policy.slow_s is not None):
            assert (after.state, after.reason) == (OPEN, "trial_failed")
        else:
            good += 1
            assert after.state is (CLOSED if good >= policy.trials else HALF_OPEN)


@given(POLICIES, STEPS, st.sampled_from(list(BreakerState)))
def test_a_result_of_an_earlier_turn_changes_nothing(
    policy: BreakerPolicy, steps: list[tuple[str, int, float]], state: BreakerState
) -> None:
    played = play(policy, steps)
    for before, after, what in zip(played.before, played.after, played.what, strict=True):
        if what.endswith("late"):
            assert after is before


@given(POLICIES)
def test_a_helper_that_recovers_is_trusted_again_after_the_open_time_and_its_trials(policy: BreakerPolicy) -> None:
    """Time to re-close: the open time, and then as many answers as there are trials."""
    breaker, now = Breaker(policy), 100.0
    while breaker.state is CLOSED:
        answer = on_call(breaker, now)
        breaker = on_result(answer.breaker, breaker.turn, ok=False, took_s=0.0, now=now)
    now += policy.open_s
    for _ in range(policy.trials):
        answer = on_call(breaker, now)
        assert isinstance(answer, Allow)
        now += 0.01
        breaker = on_result(answer.breaker, answer.turn, ok=True, took_s=0.01, now=now)
    assert (breaker.state, breaker.reason) == (CLOSED, "trials_passed")
    assert breaker.since == pytest.approx(100.0 + policy.open_s + 0.01 * policy.trials)
    assert (breaker.in_a_row, breaker.seen) == (0, 0)  # it begins anew


def test_a_rejection_says_when_to_come_again() -> None:
    policy = BreakerPolicy(failures=1, open_s=5.0)
    opened = on_result(Breaker(policy), 0, ok=False, took_s=0.0, now=10.0)
    answer = on_call(opened, 12.0)
    assert isinstance(answer, Reject)
    assert (answer.retry_at, answer.breaker) == (15.0, opened)


def test_the_table_holds_each_event_once_and_every_state_can_be_left() -> None:
    assert sorted(event for _, event in TRANSITIONS) == sorted(BreakerEvent)
    assert {state for state, _ in TRANSITIONS} == set(BreakerState) == set(TRANSITIONS.values())


@pytest.mark.parametrize(
    "field_", [{"failures": 0}, {"window": 0}, {"share": 0.0}, {"share": 1.5}, {"trials": 0}, {"open_s": -1.0},
               {"slow_s": 0.0}, {"open_s": float("nan")}],
)  # fmt: skip
def test_a_senseless_policy_is_an_error(field_: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        BreakerPolicy(**field_)  # type: ignore[arg-type]
