"""Coupons: eligibility with reasons, budget and limit per user."""

from __future__ import annotations

import pytest

from o2o_domain.coupons import Claimed, Coupon, Eligible, Ineligible, Spent, claim, eligible, redeem
from o2o_domain.refusal import Refused

COUPON = Coupon("LUNCH5", threshold_fen=3000, off_fen=500, budget_fen=1200, per_user=2, segments=("work_meal",))


def test_an_eligible_basket_gets_the_whole_amount() -> None:
    assert eligible(COUPON, items_fen=3000, segment="work_meal", used_by_user=1) == Eligible(500)


@pytest.mark.parametrize(
    ("items_fen", "segment", "used", "reasons"),
    [
        (2999, "work_meal", 0, ("below_threshold",)),
        (3000, "family", 0, ("segment",)),
        (3000, "work_meal", 2, ("per_user_limit",)),
        (2999, "family", 2, ("below_threshold", "segment", "per_user_limit")),
    ],
)
def test_all_reasons_are_told(items_fen: int, segment: str, used: int, reasons: tuple[str, ...]) -> None:
    """S4: the segment is one of the reasons."""
    assert eligible(COUPON, items_fen=items_fen, segment=segment, used_by_user=used) == Ineligible(reasons)


def test_no_segments_means_everyone() -> None:
    everyone = Coupon("ALL", 0, 500, 1000)
    assert eligible(everyone, items_fen=600, segment="social", used_by_user=0) == Eligible(500)


def test_a_coupon_takes_no_more_than_the_basket() -> None:
    assert eligible(Coupon("ALL", 0, 500, 1000), items_fen=120, segment="", used_by_user=0) == Eligible(120)


@pytest.mark.parametrize(("committed", "granted"), [(0, True), (700, True), (701, False), (1200, False)])
def test_a_claim_holds_its_full_value_of_the_budget(committed: int, granted: bool) -> None:
    answer = claim(COUPON, committed_fen=committed, claimed_by_user=0)
    assert answer == (Claimed(500) if granted else Refused("budget_exhausted", "LUNCH5"))


@pytest.mark.parametrize(("claimed", "granted"), [(1, True), (2, False)])
def test_a_user_claims_no_more_than_the_limit(claimed: int, granted: bool) -> None:
    answer = claim(COUPON, committed_fen=0, claimed_by_user=claimed)
    assert answer == (Claimed(500) if granted else Refused("per_user_limit", "LUNCH5"))


def test_redeeming_frees_what_was_not_spent() -> None:
    assert redeem(500, 120) == Spent(120, 380)
    assert redeem(500, 500) == Spent(500, 0)


@pytest.mark.parametrize("discount", [-1, 501])
def test_redeeming_more_than_the_hold_is_refused(discount: int) -> None:
    refused = redeem(500, discount)
    assert isinstance(refused, Refused)
    assert refused.code == "discount_above_hold"
