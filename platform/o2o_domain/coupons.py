"""Spend-and-save coupons: who may use one, and how its budget is held.

Decides eligibility with all reasons, and claims under a budget and a limit per user. A coupon is claimed (its full
value is held of the budget), then redeemed on an order (what it really took off stays spent, the rest is freed), or
given back when the order is closed, rejected or cancelled (everything is freed). Leaves counting and locking to the
shells; a conditional update in SQL may guard the budget but decides nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from o2o_domain.refusal import Refused


@dataclass(frozen=True, slots=True)
class Coupon:
    """`off_fen` off from `threshold_fen` of items on; at most `budget_fen` altogether, `per_user` claims a user.

    `segments` (S4) empty: everyone.
    """

    code: str
    threshold_fen: int
    off_fen: int
    budget_fen: int
    per_user: int = 1
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Eligible:
    """The coupon takes `discount_fen` off this basket."""

    discount_fen: int


@dataclass(frozen=True, slots=True)
class Ineligible:
    """All reasons why not, in a fixed order: below_threshold, segment, per_user_limit."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Claimed:
    """Hold `hold_fen` of the budget for this user."""

    hold_fen: int


@dataclass(frozen=True, slots=True)
class Spent:
    """A redeemed claim: `spent_fen` stays committed, `freed_fen` of the hold goes back to the budget."""

    spent_fen: int
    freed_fen: int


class CouponState(StrEnum):
    """States of one claim."""

    CLAIMED = "claimed"
    REDEEMED = "redeemed"
    RETURNED = "returned"


class CouponEvent(StrEnum):
    """What happens to a claim."""

    REDEEM = "redeem"
    GIVE_BACK = "give_back"


TRANSITIONS: Mapping[tuple[CouponState, CouponEvent], CouponState] = MappingProxyType(
    {
        (CouponState.CLAIMED, CouponEvent.REDEEM): CouponState.REDEEMED,
        (CouponState.CLAIMED, CouponEvent.GIVE_BACK): CouponState.RETURNED,
        (CouponState.REDEEMED, CouponEvent.GIVE_BACK): CouponState.RETURNED,  # the order was cancelled or closed
    }
)
"""From (state, event) to state; a returned claim is gone, the user may claim again."""

TERMINAL: frozenset[CouponState] = frozenset({CouponState.RETURNED})
"""States without exits: a redeemed claim can still come back with its order."""


def step(state: CouponState, event: CouponEvent) -> CouponState | Refused:
    """The claim's state after `event`, or Refused("illegal_transition")."""
    after = TRANSITIONS.get((state, event))
    return Refused("illegal_transition", f"{state} + {event}") if after is None else after


def eligible(coupon: Coupon, *, items_fen: int, segment: str, used_by_user: int) -> Eligible | Ineligible:
    """Whether a user of `segment` who has used the coupon `used_by_user` times may use it on `items_fen`.

    `used_by_user` counts redemptions that were not given back.
    """
    if (
        items_fen >= coupon.threshold_fen
        and used_by_user < coupon.per_user
        and (not coupon.segments or segment in coupon.segments)
    ):
        return Eligible(min(coupon.off_fen, items_fen))
    reasons: list[str] = []
    if items_fen < coupon.threshold_fen:
        reasons.append("below_threshold")
    if coupon.segments and segment not in coupon.segments:
        reasons.append("segment")
    if used_by_user >= coupon.per_user:
        reasons.append("per_user_limit")
    return Ineligible(tuple(reasons))


def claim(coupon: Coupon, *, committed_fen: int, claimed_by_user: int) -> Claimed | Refused:
    """Hold one use of the coupon; `committed_fen` = holds + redemptions so far, so the budget is never exceeded.

    `claimed_by_user` counts the user's claims that were not given back.
    """
    if claimed_by_user >= coupon.per_user:
        return Refused("per_user_limit", coupon.code)
    if committed_fen + coupon.off_fen > coupon.budget_fen:
        return Refused("budget_exhausted", coupon.code)
    return Claimed(coupon.off_fen)


def redeem(hold_fen: int, discount_fen: int) -> Spent | Refused:
    """Turn a hold into what the order really took off: 0 <= discount <= hold."""
    if not 0 <= discount_fen <= hold_fen:
        return Refused("discount_above_hold", f"{discount_fen} > {hold_fen}")
    return Spent(discount_fen, hold_fen - discount_fen)
