"""Public and private pools (C6-C8): quota, the edges of the three clocks, extension and assignment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from o2o_domain.leads import LeadStage
from o2o_domain.pools import (
    DAY_S,
    Drop,
    Extended,
    Granted,
    GrantedHold,
    Hold,
    PoolPolicy,
    assign,
    claim,
    drop_due,
    extend,
    idle_s,
    next_check_s,
    signed,
    start,
    visited,
)
from o2o_domain.refusal import Refused

POLICY = PoolPolicy(quota=3)
ALL = replace(POLICY, extension_resets="all")
T0 = 1_766_000_000.0
"""A claim at some unix time, so that edges are tested on figures of real size."""


def day(days: float) -> float:
    return T0 + days * DAY_S


def reason(hold: Hold, at_day: float, policy: PoolPolicy = POLICY) -> str | None:
    drop = drop_due(hold, policy, day(at_day))
    return None if drop is None else drop.reason


@pytest.mark.parametrize(("held", "granted"), [(0, True), (2, True), (3, False), (4, False)])
def test_claims_stop_at_the_quota(held: int, granted: bool) -> None:
    """C6."""
    answer = claim(owner=None, held=held, policy=POLICY)
    assert answer == (Granted() if granted else Refused("quota_reached", "3"))


def test_an_owned_lead_cannot_be_claimed_not_even_by_its_owner() -> None:
    """C6: of many claims of one lead, one succeeds."""
    assert claim(owner=9, held=0, policy=POLICY) == Refused("already_owned", "9")


@pytest.mark.parametrize(
    ("at_day", "expected"), [(14, None), (14.999, None), (15 - 1e-9, None), (15, "no_visit"), (16, "no_visit")]
)
def test_day_14_kept_day_15_dropped_without_a_visit(at_day: float, expected: str | None) -> None:
    """C7."""
    assert reason(start(1, T0), at_day) == expected


@pytest.mark.parametrize(
    ("at_day", "expected"), [(29, None), (29.999, None), (30 - 1e-9, None), (30, "no_contract"), (31, "no_contract")]
)
def test_day_29_kept_day_30_dropped_without_a_contract(at_day: float, expected: str | None) -> None:
    """C7: visited on day 20, so only the contract is missing."""
    assert reason(visited(start(1, T0), day(20)), at_day) == expected


@pytest.mark.parametrize(
    ("at_day", "expected"), [(44, None), (44.999, None), (45 - 1e-9, None), (45, "term"), (46, "term")]
)
def test_day_44_kept_day_45_dropped_with_the_other_two_satisfied(at_day: float, expected: str | None) -> None:
    """C7: visited on day 40 and signed."""
    assert reason(signed(visited(start(1, T0), day(40))), at_day) == expected


def test_each_visit_restarts_the_visit_clock_only() -> None:
    """C7: a lead visited every 14 days but unsigned drops at day 30."""
    hold = start(1, T0)
    for at in (14, 28):
        assert reason(hold, at) is None
        hold = visited(hold, day(at))
    assert reason(hold, 29.999) is None
    assert drop_due(hold, POLICY, day(40)) == Drop("no_contract", day(30))


def test_a_visit_before_the_claim_does_not_count() -> None:
    hold = Hold(1, T0, last_visit_s=day(-10))
    assert reason(hold, 14.999) is None
    assert reason(hold, 15) == "no_visit"


def test_of_clocks_due_together_the_visit_is_named() -> None:
    assert reason(start(1, T0), 15, PoolPolicy(visit_days=15, contract_days=15, term_days=15)) == "no_visit"
    hold = visited(start(1, T0), day(15))
    assert reason(hold, 30, PoolPolicy(visit_days=30, contract_days=30, term_days=30)) == "no_contract"


def test_next_check_is_the_first_clock() -> None:
    assert next_check_s(start(1, T0), POLICY) == day(15)
    assert next_check_s(visited(start(1, T0), day(10)), POLICY) == day(25)
    assert next_check_s(visited(start(1, T0), day(20)), POLICY) == day(30)
    assert next_check_s(signed(visited(start(1, T0), day(35))), POLICY) == day(45)


def test_an_extension_of_the_term_leaves_the_other_clocks() -> None:
    """C8 with extension_resets = term."""
    answer = extend(start(1, T0), POLICY, by_owner=True, now_s=day(1))
    assert isinstance(answer, Extended)
    assert reason(answer.hold, 15) == "no_visit"
    settled = signed(visited(answer.hold, day(50)))
    assert reason(settled, 59.999) is None
    assert reason(settled, 60) == "term"


def test_an_extension_of_all_shields_from_every_clock() -> None:
    """C8 with extension_resets = all: the first clock was due on day 15, so nothing is due before day 30."""
    answer = extend(start(1, T0), ALL, by_owner=True, now_s=day(14))
    assert isinstance(answer, Extended)
    assert reason(answer.hold, 29.999, ALL) is None
    assert drop_due(answer.hold, ALL, day(30)) == Drop("no_visit", day(30))


def test_extensions_are_counted_and_only_the_owners() -> None:
    """C8: count and length are parameters."""
    once = extend(start(1, T0), POLICY, by_owner=True)
    assert isinstance(once, Extended)
    assert extend(once.hold, POLICY, by_owner=True) == Refused("no_extensions_left", "1")
    assert extend(start(1, T0), POLICY, by_owner=False) == Refused("not_owner", "1")
    twice = extend(once.hold, replace(POLICY, max_extensions=2), by_owner=True)
    assert isinstance(twice, Extended)
    assert reason(signed(visited(twice.hold, day(70))), 74.999) is None
    assert reason(signed(visited(twice.hold, day(70))), 75) == "term"


@pytest.mark.parametrize(("at_day", "granted"), [(14.999, True), (15, False)])
def test_what_is_due_cannot_be_extended(at_day: float, granted: bool) -> None:
    answer = extend(start(1, T0), POLICY, by_owner=True, now_s=day(at_day))
    assert isinstance(answer, Extended) is granted
    if not granted:
        assert answer == Refused("already_due", "1")


def test_assignment_is_the_superiors_and_keeps_the_quota() -> None:
    """C6, C8: a non-superior gets a refusal (403)."""
    hold = start(1, T0)
    given = {"to": 2, "policy": POLICY, "now_s": day(10)}
    assert assign(hold, by_is_superior=False, held_by_target=0, **given) == Refused("not_superior")  # type: ignore[arg-type]
    assert assign(hold, by_is_superior=True, held_by_target=3, **given) == Refused("quota_reached", "3")  # type: ignore[arg-type]
    same = assign(hold, to=1, by_is_superior=True, held_by_target=0, policy=POLICY, now_s=day(10))
    assert same == Refused("already_owned", "1")


def test_a_public_lead_is_assigned_with_fresh_clocks() -> None:
    answer = assign(None, to=2, by_is_superior=True, held_by_target=0, policy=POLICY, now_s=day(3))
    assert answer == GrantedHold(start(2, day(3)))
    assert isinstance(answer, Granted)


def test_an_assignment_of_the_term_leaves_the_other_clocks() -> None:
    """C8 with extension_resets = term: the contract clock still counts from the first claim."""
    hold = visited(start(1, T0), day(20))
    answer = assign(hold, to=2, by_is_superior=True, held_by_target=0, policy=POLICY, now_s=day(25))
    assert isinstance(answer, GrantedHold)
    assert answer.hold.owner == 2
    assert reason(answer.hold, 29.999) is None
    assert reason(answer.hold, 30) == "no_contract"
    stalled = signed(visited(answer.hold, day(60)))
    assert reason(stalled, 69.999) is None
    assert reason(stalled, 70) == "term"


def test_an_assignment_of_all_restarts_every_clock_and_the_extensions() -> None:
    """C8 with extension_resets = all."""
    extended = extend(visited(start(1, T0), day(5)), ALL, by_owner=True)
    assert isinstance(extended, Extended)
    answer = assign(extended.hold, to=2, by_is_superior=True, held_by_target=0, policy=ALL, now_s=day(10))
    assert isinstance(answer, GrantedHold)
    assert answer.hold.extensions == 0
    assert reason(answer.hold, 24.999, ALL) is None
    assert reason(answer.hold, 25, ALL) == "no_visit"
    assert reason(visited(answer.hold, day(30)), 40, ALL) == "no_contract"


@pytest.mark.parametrize(("day", "idle_days"), [(0.0, 0.0), (7.0, 0.0), (8.0, 1.0), (20.5, 13.5)])
def test_a_private_lead_is_idle_from_seven_days_after_its_last_visit(day: float, idle_days: float) -> None:
    assert idle_s(PoolPolicy(), since_s=T0, now_s=T0 + day * DAY_S) == pytest.approx(idle_days * DAY_S)


@pytest.mark.parametrize("stage", [LeadStage.SIGNED, LeadStage.DEAD])
def test_a_closed_lead_is_nobodys_to_take(stage: LeadStage) -> None:
    """C6, C8: whoever asks, and before anything else is looked at."""
    assert claim(owner=None, held=0, policy=POLICY, stage=stage) == Refused("lead_closed", f"the lead is {stage}")
    given = assign(None, to=1, by_is_superior=False, held_by_target=0, policy=POLICY, now_s=T0, stage=stage)
    assert given == Refused("lead_closed", f"the lead is {stage}")


def test_nobody_extends_a_public_lead() -> None:
    assert extend(None, POLICY, by_owner=False) == Refused("not_owner", "public")
