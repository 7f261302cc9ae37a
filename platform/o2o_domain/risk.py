"""Risk of an order: points for what is unusual about it, and what the points lead to (A3 risk control).

Decides points and verdict. Leaves counting a user's orders, knowing addresses and what a denied order is told to the
shells. Both worlds score with it. The figures are this project's own, kept small enough to be read: one reason alone
never denies an order, all of them together do.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RiskVerdict(StrEnum):
    """What becomes of the order."""

    ALLOW = "allow"
    REVIEW = "review"
    """It is taken, and somebody looks at it."""
    DENY = "deny"
    UNKNOWN = "unknown"
    """The scoring was not to be had: the order is taken (S11). No order is scored so."""


@dataclass(frozen=True, slots=True)
class RiskPolicy:
    """The points of each reason, and the two lines that a score may cross."""

    window_s: float = 600.0
    """Orders of a user are counted back to this many seconds."""
    large_fen: int = 20_000
    huge_fen: int = 100_000
    large_points: int = 20
    huge_points: int = 40
    free_orders: int = 3
    """Orders in the window that nobody wonders at; each beyond them has `order_points`, up to `order_points_max`."""
    order_points: int = 10
    order_points_max: int = 50
    new_address_points: int = 15
    """An address that this user has not ordered to, if he has ordered before."""
    review_at: int = 40
    deny_at: int = 90


@dataclass(frozen=True, slots=True)
class RiskFacts:
    """What is known of an order when it is placed."""

    amount_fen: int
    """Price of the dishes."""
    orders_in_window: int
    """Of the same user, before this one."""
    orders_before: int
    """Of the same user, ever."""
    known_address: bool


@dataclass(frozen=True, slots=True)
class Assessed:
    """A score, and the reasons that have points: large | huge | many_orders | new_address."""

    verdict: RiskVerdict
    score: int
    reasons: tuple[str, ...] = ()


def assess(facts: RiskFacts, policy: RiskPolicy) -> Assessed:
    """The points of this order, and what they lead to.

    At the defaults: 1,200 yuan (40) by a user with seven orders in the last ten minutes (40) to a new address (15) are
    95 points, which deny it; any two of the three are a review at most.
    """
    points: dict[str, int] = {}
    if facts.amount_fen >= policy.huge_fen:
        points["huge"] = policy.huge_points
    elif facts.amount_fen >= policy.large_fen:
        points["large"] = policy.large_points
    if facts.orders_in_window > policy.free_orders:
        beyond = facts.orders_in_window - policy.free_orders
        points["many_orders"] = min(beyond * policy.order_points, policy.order_points_max)
    if facts.orders_before and not facts.known_address:
        points["new_address"] = policy.new_address_points
    score = sum(points.values())
    if score >= policy.deny_at:
        verdict = RiskVerdict.DENY
    elif score >= policy.review_at:
        verdict = RiskVerdict.REVIEW
    else:
        verdict = RiskVerdict.ALLOW
    return Assessed(verdict, score, tuple(points))
