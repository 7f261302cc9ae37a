"""Reviews: who may give how many stars (G1).

Decides stars and moment. Leaves "one review an order, by its user" to the shell that loads the order.
"""

from __future__ import annotations

from dataclasses import dataclass

from o2o_domain.orders import OrderState
from o2o_domain.refusal import Refused

_REVIEWABLE = frozenset({OrderState.DELIVERED, OrderState.REDEEMED})


@dataclass(frozen=True, slots=True)
class Accepted:
    """Store the review with `stars` (1..5)."""

    stars: int


def review(stars: int, state: OrderState) -> Accepted | Refused:
    """A review of an order in `state`: only of what was delivered or redeemed, 1 to 5 stars.

    Refused with bad_stars or not_finished.
    """
    if not 1 <= stars <= 5:
        return Refused("bad_stars", str(stars))
    if state not in _REVIEWABLE:
        return Refused("not_finished", str(state))
    return Accepted(stars)
