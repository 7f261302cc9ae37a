"""What an order may have and what it costs, from facts that somebody else has loaded (A13 step 1).

Decides the order of the questions: shop open, dishes on the shelf, price, stock, and after the coupon the price again;
each answer is a domain rule's. Knows no database: the unit of work (`place`) asks with rows it has just read, the
batches (`lane`) with cached ones. So both ways of placing an order refuse alike, in the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from o2o_domain import hours, pricing, stock
from o2o_domain.coupons import Eligible, Ineligible
from o2o_domain.geo import haversine_m
from o2o_domain.pricing import Line, Quote
from o2o_domain.refusal import Refused
from o2o_platform.errors import Conflict, Unprocessable, refusal
from o2o_platform.orders.bodies import OrderBody
from o2o_platform.settings import Settings


class Shop(Protocol):
    """What is asked of a merchant's row."""

    @property
    def id(self) -> int: ...
    @property
    def lat(self) -> float: ...
    @property
    def lng(self) -> float: ...
    @property
    def open_min(self) -> int: ...
    @property
    def close_min(self) -> int: ...


class Dish(Protocol):
    """What is asked of a dish's row."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...
    @property
    def price_fen(self) -> int: ...
    @property
    def on_shelf(self) -> bool | int: ...
    @property
    def level(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Basket:
    """What the shop can give: priced without a coupon, `pieces` by dish id as they are taken from stock."""

    lines: tuple[Line, ...]
    metres: float
    quote: Quote
    pieces: dict[int, int]


def basket(settings: Settings, shop: Shop, dishes: Mapping[int, Dish], body: OrderBody, now: float) -> Basket:
    """Raises Conflict (shop closed, sold out, off the shelf) or Unprocessable (not on the menu, cannot be priced)."""
    _must_be_open(settings, shop, now)
    lines = _lines(dishes, body)
    metres = haversine_m(shop.lat, shop.lng, body.drop.lat, body.drop.lng)
    quote = _price(settings, lines, metres, 0)
    levels = {line.dish_id: dishes[line.dish_id].level for line in lines}
    reserved = stock.reserve(levels, lines)
    if isinstance(reserved, Refused):
        raise refusal(reserved)
    return Basket(lines, metres, quote, {dish: levels[dish] - left for dish, left in reserved.levels.items()})


def with_coupon(
    settings: Settings, basket: Basket, code: str, verdict: Eligible | Ineligible | Refused
) -> tuple[str | None, str | None, Quote]:
    """(code if used, reasons if refused, the quote with or without the discount): a coupon never fails an order."""
    if isinstance(verdict, Eligible):
        return code, None, _price(settings, basket.lines, basket.metres, verdict.discount_fen)
    reasons = verdict.reasons if isinstance(verdict, Ineligible) else (verdict.code,)
    return None, ",".join(reasons), basket.quote


def _must_be_open(settings: Settings, shop: Shop, now: float) -> None:
    minute = int((now + settings.timezone_offset_s) // 60) % hours.DAY_MIN
    if settings.enforce_hours and not hours.is_open(shop.open_min, shop.close_min, minute):
        raise Conflict("closed", f"merchant {shop.id} is closed at minute {minute} of the day")


def _lines(dishes: Mapping[int, Dish], body: OrderBody) -> tuple[Line, ...]:
    lines = []
    for item in body.items:
        dish = dishes.get(item.dish_id)
        if dish is None:
            raise Unprocessable("not_on_menu", f"merchant {body.merchant_id} has no dish {item.dish_id}")
        if not dish.on_shelf:
            raise Conflict("off_shelf", f"dish {item.dish_id}")
        lines.append(Line(dish.id, dish.name, item.qty, dish.price_fen))
    return tuple(lines)


def _price(settings: Settings, lines: tuple[Line, ...], metres: float, discount_fen: int) -> Quote:
    quote = pricing.price(lines, fees=settings.fees, distance_m=metres, discount_fen=discount_fen)
    if isinstance(quote, Refused):
        raise refusal(quote, Unprocessable)
    return quote
