"""Whether and how a coupon is redeemed on an order, from facts that somebody else has loaded.

Decides which claim is used (the user's oldest, else a new one) and asks the domain's rules in one fixed order. Knows no
database: the unit of work asks with rows it has just read, the batches of the order path with cached ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from o2o_domain import coupons as rules
from o2o_domain.coupons import Coupon, Eligible, Ineligible
from o2o_domain.refusal import Refused


class Held(Protocol):
    """What is asked of a standing claim that is not redeemed yet."""

    @property
    def id(self) -> int: ...
    @property
    def hold_fen(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Redemption:
    """Redeem claim `claim_id` (None: make one, which holds `hold_fen`); of its hold, `spent_fen` stays spent."""

    verdict: Eligible
    claim_id: int | None
    hold_fen: int
    spent_fen: int
    freed_fen: int


def redemption(
    coupon: Coupon, *, committed_fen: int, held: Sequence[Held], used: int, segment: str | None, items_fen: int
) -> Redemption | Ineligible | Refused:
    """`held`: the user's open claims, oldest first; `used`: how many they have redeemed that still stand."""
    verdict = rules.eligible(coupon, items_fen=items_fen, segment=segment or "", used_by_user=used)
    if isinstance(verdict, Ineligible):
        return verdict
    if held:
        claim_id, hold_fen = held[0].id, held[0].hold_fen
    else:
        claimed = rules.claim(coupon, committed_fen=committed_fen, claimed_by_user=used)
        if isinstance(claimed, Refused):
            return claimed
        claim_id, hold_fen = None, claimed.hold_fen
    spent = rules.redeem(hold_fen, verdict.discount_fen)
    if isinstance(spent, Refused):
        return spent
    return Redemption(verdict, claim_id, hold_fen, spent.spent_fen, spent.freed_fen)


def free_ordinal(taken: Sequence[int | None]) -> int:
    """The smallest ordinal (1, 2, ...) that none of a user's standing claims has: see `coupon_claims.nth`."""
    numbers = set(taken)
    nth = 1
    while nth in numbers:
        nth += 1
    return nth
