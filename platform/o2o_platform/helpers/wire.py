"""What the platform and its helpers say to each other, as msgspec Structs. Times are unix seconds, money is fen.

Decides the shapes: a helper NAME answers POST /NAME/ask, a list of its questions, with a list of as many answers. One
that learns takes POST /NAME/events, a list (told twice it learns once), and answers up to where it has learned.
"""

from __future__ import annotations

from msgspec import Struct

from o2o_domain.risk import RiskVerdict


class RiskQuestion(Struct, frozen=True):
    """Shall this order be taken? `key` names the order, so that whoever asks twice is told the same."""

    user_id: int
    key: str
    at: float
    amount_fen: int
    address: str


class RiskAnswer(Struct, frozen=True):
    """The verdict and what it stands on; see `o2o_domain.risk`."""

    verdict: RiskVerdict
    score: int = 0
    reasons: tuple[str, ...] = ()


class MerchantQuestion(Struct, frozen=True):
    """What is there to say about a merchant?"""

    merchant_id: int


class Recommendation(Struct, frozen=True):
    """Dishes that are ordered most here, and merchants that the same users order from; best first."""

    dishes: tuple[int, ...] = ()
    merchants: tuple[int, ...] = ()


class ReviewSummary(Struct, frozen=True):
    """How many reviews a merchant has; `stars` are the numbers of those with 1, 2, 3, 4 and 5."""

    count: int = 0
    mean_stars: float | None = None
    stars: tuple[int, int, int, int, int] = (0, 0, 0, 0, 0)


class Ordered(Struct, frozen=True):
    """An order was placed (what the recommendation learns from)."""

    order_id: int
    user_id: int
    merchant_id: int
    dishes: tuple[int, ...]


class Reviewed(Struct, frozen=True):
    """An order was reviewed (what the reviews learn from)."""

    order_id: int
    merchant_id: int
    stars: int
    at: float


class Newest(Struct, frozen=True):
    """Up to where a helper has learned: an order's id, a time; 0 if it knows nothing yet."""

    newest: float = 0.0


NO_VERDICT = RiskAnswer(RiskVerdict.UNKNOWN)
"""In the place of a verdict that is not to be had: the order is taken."""


def summary(stars: tuple[int, int, int, int, int]) -> ReviewSummary:
    """The summary of a histogram of stars."""
    count = sum(stars)
    mean = round(sum(place * number for place, number in enumerate(stars, 1)) / count, 3) if count else None
    return ReviewSummary(count, mean, stars)
