"""What goes with an order beyond its basket: coupon, note, kitchen time, payment and review.

Each column has its own stream of chance, so that changing one part of a scenario (say, the review share) leaves every
other column as it was; and draws are made order by order, so that the k-th order of a busier day meets the same chance.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from o2o_scenarios.schema import Scenario
from o2o_sim.chance import stream
from o2o_sim.city.model import Floats, Ints
from o2o_sim.city.names import NOTES
from o2o_sim.city.people import SEGMENTS

_NOTE_SHARE = 0.25
_STARS = (0.03, 0.04, 0.10, 0.28, 0.55)
"""Chances of 1 to 5 stars."""


def words(index: Ints, names: tuple[str, ...]) -> pa.Array:
    """The string of each index, as an Arrow string array; an index below 0 is null."""
    codes = pa.array(index.astype(np.int32), mask=index < 0)
    return pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string())).cast(pa.string())


def coupons(scenario: Scenario, segment: Ints) -> pa.Array:
    """The coupon code each order tries to use, null for most.

    Users try a coupon of their segment's, without a look at its threshold or what is left of its budget: refusing is
    the platform's part.
    """
    rng = stream(scenario.seed, "demand.coupon")
    n = len(segment)
    luck, which = rng.random((n, 2)).T
    wants = luck < scenario.demand.coupon_share
    choice = np.full(n, -1, dtype=np.int32)
    for number, name in enumerate(SEGMENTS):
        fitting = [i for i, coupon in enumerate(scenario.coupons) if not coupon.segments or name in coupon.segments]
        mine = wants & (segment == number)
        if fitting:
            choice[mine] = np.asarray(fitting)[(which[mine] * len(fitting)).astype(np.int64)]
    return words(choice, tuple(coupon.code for coupon in scenario.coupons))


def notes(seed: int, n: int) -> pa.Array:
    """The users' notes to the kitchen or the rider, empty for three of four."""
    rng = stream(seed, "demand.note")
    luck, which = rng.random((n, 2)).T
    return words(np.where(luck < _NOTE_SHARE, 1 + which * len(NOTES), 0).astype(np.int32), ("", *NOTES))


def kitchen_s(scenario: Scenario, n: int) -> Floats:
    """Kitchen time of each order, log-normal, city seconds."""
    spec = scenario.city.merchants
    rng = stream(scenario.seed, "demand.prep")
    return spec.prep_median_s * np.exp(spec.prep_sigma * rng.standard_normal(n))


def payments(scenario: Scenario, n: int, purpose: str) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """(confirm, callback, refused) of each payment: run seconds until each, exponential, and whether it is refused."""
    spec = scenario.platform.payment
    rng = stream(scenario.seed, purpose)
    confirm, callback, luck = rng.random((n, 3)).T
    return (
        -spec.confirm_mean_s * np.log1p(-confirm),
        -spec.callback_mean_s * np.log1p(-callback),
        luck < spec.refuse_share,
    )


def balances(scenario: Scenario, n: int, purpose: str) -> npt.NDArray[np.bool_]:
    """Whether each order is paid from its user's wallet."""
    share = scenario.platform.payment.balance_share
    return np.asarray(stream(scenario.seed, purpose).random(n) < share, dtype=np.bool_)


def reviews(scenario: Scenario, n: int) -> npt.NDArray[np.int8]:
    """Stars of the review that follows each delivered order, 0 for none."""
    rng = stream(scenario.seed, "demand.review")
    wish, luck = rng.random((n, 2)).T
    writes = wish < scenario.demand.review_share
    stars = 1 + np.searchsorted(np.cumsum(_STARS)[:-1], luck, side="right")
    return np.where(writes, stars, 0).astype(np.int8)
