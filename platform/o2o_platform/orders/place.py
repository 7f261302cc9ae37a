"""Placing an order: one unit of work from idempotency key to payment link (A13 step 1).

Decides the order of the questions: known key, shop open, dishes on the shelf, price, stock, coupon. Each answer is a
domain rule's; here they are asked and applied. A coupon that does not apply does not fail the order: it is priced
without, and the reasons are kept. Nothing in here calls the payment provider: the link is signed, not asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from o2o_domain import hours, pricing, stock
from o2o_domain.coupons import Eligible, Ineligible
from o2o_domain.geo import haversine_m
from o2o_domain.orders import OrderState
from o2o_domain.pricing import Line, Quote
from o2o_domain.refusal import Refused
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.coupons import repository as coupons
from o2o_platform.errors import Conflict, Unprocessable, refusal
from o2o_platform.kit.prepared import Record
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders import repository
from o2o_platform.orders.bodies import OrderBody
from o2o_platform.payments import repository as payments
from o2o_platform.payments.signing import pay_url
from o2o_platform.settings import Settings


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to POST /orders; `again`: the key was known, the order is the one placed then."""

    answer: dict[str, Any]
    again: bool


def fingerprint(raw: bytes) -> str:
    """Of a request's body, to tell a repeated request from another one under the same key."""
    return hashlib.sha256(raw).hexdigest()[:32]


def place(
    conn: Connection, settings: Settings, user: CurrentUser, key: str, print_of_body: str, body: OrderBody, now: float
) -> Placed:
    """See the module. Raises Conflict (shop closed, sold out, off the shelf) or Unprocessable (cannot be priced)."""
    known = repository.find_by_ref(conn, user.id, key)
    if known is not None:
        if known.fingerprint != print_of_body:
            raise Unprocessable("idempotency_key_reused", f"the key {key} stands for another order")
        return Placed(answer(settings, known, payments.of_order(conn, known.id).id), again=True)
    merchant = merchants.find(conn, body.merchant_id)
    _must_be_open(settings, merchant, now)
    dishes = merchants.some_dishes(conn, merchant.id, [item.dish_id for item in body.items])
    lines = _lines(dishes, body)
    metres = haversine_m(merchant.lat, merchant.lng, body.drop.lat, body.drop.lng)
    quote = _price(settings, lines, metres, 0)
    reserved = stock.reserve({dish_id: row.level for dish_id, row in dishes.items()}, lines)
    if isinstance(reserved, Refused):
        raise refusal(reserved)
    order_id = repository.next_id(conn)
    code, refused = body.coupon_code, None
    if code is not None:
        code, refused, quote = _coupon(conn, settings, user, code, order_id, lines, metres, quote, now)
    columns: dict[str, Any] = {
        "id": order_id,
        "kind": "order",
        "ref": key,
        "fingerprint": print_of_body,
        "user_id": user.id,
        "user_ref": user.ref,
        "segment": user.segment,
        "merchant_id": merchant.id,
        "state": OrderState.PENDING_PAYMENT.value,
        "lines": repository.encode_lines(lines),
        "items_fen": quote.items_fen,
        "discount_fen": quote.discount_fen,
        "delivery_fee_fen": quote.delivery_fee_fen,
        "total_fen": quote.total_fen,
        "commission_share": settings.commission_share,
        "coupon_code": code,
        "coupon_refused": refused,
        "drop_lat": body.drop.lat,
        "drop_lng": body.drop.lng,
        "address": body.drop.address,
        "phone": body.drop.phone,
        "note": body.note,
        "pay_deadline": now + settings.payment_deadline_s,
        "promised": now + settings.promise_s,
        "accepted": now,
        "paid_fen": 0,
        "refunded_fen": 0,
        "stars": 0,
    }
    repository.insert_order(conn, **columns)
    merchants.take(conn, {dish_id: dishes[dish_id].level - left for dish_id, left in reserved.levels.items()})
    payment_id = payments.request_payment(conn, order_id, quote.total_fen, now)
    order = repository.find(conn, order_id)
    repository.tell(conn, order, "placed", now, state=order.state)
    return Placed(answer(settings, order, payment_id), again=False)


def answer(settings: Settings, order: Record, payment_id: int) -> dict[str, Any]:
    """What POST /orders (and buying a deal) says."""
    link = pay_url(settings.provider_url, settings.provider_secret, payment_id, order.total_fen)
    said: dict[str, Any] = {
        "order_id": order.id,
        "order_no": order.order_no,
        "state": order.state,
        "items_fen": order.items_fen,
        "discount_fen": order.discount_fen,
        "delivery_fee_fen": order.delivery_fee_fen,
        "total_fen": order.total_fen,
        "payment": {"payment_id": payment_id, "pay_url": link},
    }
    if order.coupon_refused:
        said["coupon_refused"] = order.coupon_refused.split(",")
    return said


def _must_be_open(settings: Settings, merchant: Record, now: float) -> None:
    minute = int((now + settings.timezone_offset_s) // 60) % hours.DAY_MIN
    if settings.enforce_hours and not hours.is_open(merchant.open_min, merchant.close_min, minute):
        raise Conflict("closed", f"merchant {merchant.id} is closed at minute {minute} of the day")


def _lines(dishes: Mapping[int, Record], body: OrderBody) -> tuple[Line, ...]:
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


def _coupon(
    conn: Connection,
    settings: Settings,
    user: CurrentUser,
    code: str,
    order_id: int,
    lines: tuple[Line, ...],
    metres: float,
    quote: Quote,
    now: float,
) -> tuple[str | None, str | None, Quote]:
    """(code if used, reasons if refused, the quote with or without the discount)."""
    verdict = coupons.claim_and_redeem(
        conn,
        code=code,
        user_id=user.id,
        segment=user.segment,
        items_fen=quote.items_fen,
        order_id=order_id,
        now=now,
    )
    if isinstance(verdict, Eligible):
        return code, None, _price(settings, lines, metres, verdict.discount_fen)
    reasons = verdict.reasons if isinstance(verdict, Ineligible) else (verdict.code,)
    return None, ",".join(reasons), quote
