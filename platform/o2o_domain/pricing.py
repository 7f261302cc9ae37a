"""What an order costs: items, discount, delivery fee, total, in integer fen.

Decides the sums and what cannot be priced. Leaves whether a coupon applies to `coupons` (its discount is an argument),
stock to `stock` and the split of the money to `ledger`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from o2o_domain.refusal import Refused

MAX_QTY = 99
"""Pieces of one dish in one order."""
MAX_UNIT_FEN = 10_000_000
"""Dearest dish (100,000 yuan): a dearer one is a typing error, and its amount must fit on a 58 mm ticket."""
MAX_LINES = 60
"""Lines of one order."""


@dataclass(frozen=True, slots=True)
class Line:
    """One dish of an order: `name` includes the options; `unit_fen` is the price of one piece."""

    dish_id: int
    name: str
    qty: int
    unit_fen: int


@dataclass(frozen=True, slots=True)
class FeePolicy:
    """Delivery fee and commission (G12: the share is a parameter).

    The fee is base_fen, plus per_km_fen for each started km beyond free_km, and 0 from free_over_fen of items on
    (before discounts). commission_share is the platform's part of the items, 0..1.
    """

    base_fen: int = 300
    free_over_fen: int = 6000
    per_km_fen: int = 100
    free_km: float = 2.0
    commission_share: float = 0.1


@dataclass(frozen=True, slots=True)
class Quote:
    """A priced order, fen: total = items - discount + delivery fee; none is negative, discount <= items."""

    items_fen: int
    discount_fen: int
    delivery_fee_fen: int
    total_fen: int


def delivery_fee(policy: FeePolicy, items_fen: int, distance_m: float) -> int:
    """Delivery fee in fen for `distance_m` metres.

    Worked (default policy): items 30 yuan, 3,200 m -> 300 + 2 started km * 100 = 500; items 60 yuan -> 0.
    """
    if items_fen >= policy.free_over_fen:
        return 0
    beyond_m = distance_m - policy.free_km * 1000.0
    if beyond_m <= 0.0:
        return policy.base_fen
    return policy.base_fen + ceil(beyond_m / 1000.0) * policy.per_km_fen


def price(lines: Sequence[Line], *, fees: FeePolicy, distance_m: float, discount_fen: int = 0) -> Quote | Refused:
    """Price an order to be delivered `distance_m` metres away with a discount that `coupons.eligible` granted.

    A discount larger than the items takes them to 0, never below; the delivery fee is not discounted. Refused with
    empty_cart, too_many_lines, bad_qty (not 1..99), bad_price (not 0..MAX_UNIT_FEN), bad_discount (negative) or
    bad_distance (negative or not a number); the detail names the dish.
    """
    if not lines:
        return Refused("empty_cart")
    if len(lines) > MAX_LINES:
        return Refused("too_many_lines", str(len(lines)))
    items_fen = 0
    for line in lines:
        if not 1 <= line.qty <= MAX_QTY:
            return Refused("bad_qty", str(line.dish_id))
        if not 0 <= line.unit_fen <= MAX_UNIT_FEN:
            return Refused("bad_price", str(line.dish_id))
        items_fen += line.qty * line.unit_fen
    if discount_fen < 0:
        return Refused("bad_discount", str(discount_fen))
    if not 0.0 <= distance_m < float("inf"):
        return Refused("bad_distance", str(distance_m))
    discount = min(discount_fen, items_fen)
    fee = delivery_fee(fees, items_fen, distance_m)
    return Quote(items_fen, discount, fee, items_fen - discount + fee)
