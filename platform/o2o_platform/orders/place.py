"""Placing an order: one unit of work from idempotency key to payment link (A13 step 1).

Decides the order of the questions: known key, then those of `decide` (shop open, dishes on the shelf, price, stock),
then the tries of stock, coupon and balance (W10; `reservation.apart` asks the same in a unit each). Each answer is a
domain rule's; here the facts are loaded and the answers applied. A coupon that does not apply does not fail the order:
it is priced without, and the reasons are kept. Nothing in here calls the payment provider: the link is signed, not
asked for; an order paid from the balance is paid here and now.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from o2o_domain.orders import OrderState
from o2o_domain.pricing import Quote
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Unprocessable
from o2o_platform.kit.context import Context
from o2o_platform.kit.prepared import Record
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders import decide, repository
from o2o_platform.orders.bodies import OrderBody
from o2o_platform.orders.decide import Basket
from o2o_platform.payments import repository as payments
from o2o_platform.payments import settle
from o2o_platform.payments.signing import pay_url
from o2o_platform.reservation import balance, coupon, stock
from o2o_platform.settings import Settings


@dataclass(frozen=True, slots=True)
class Placed:
    """The answer to POST /orders; `again`: the key was known, the order is the one placed then."""

    answer: dict[str, Any]
    again: bool


def fingerprint(raw: bytes) -> str:
    """Of a request's body, to tell a repeated request from another one under the same key."""
    return hashlib.sha256(raw).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Draft:
    """An order that can be had, as far as the facts go: under its number the branches are asked to hold it."""

    order_id: int
    user: CurrentUser
    key: str
    fingerprint: str
    body: OrderBody
    basket: Basket
    now: float
    risk: str | None = None


def place(
    conn: Connection,
    ctx: Context,
    user: CurrentUser,
    key: str,
    print_of_body: str,
    body: OrderBody,
    now: float,
    risk: str | None = None,
) -> Placed:
    """See the module. Raises Conflict (shop closed, sold out, off the shelf, too little money) or Unprocessable."""
    found = draft(conn, ctx.settings, user, key, print_of_body, body, now, risk)
    if isinstance(found, Placed):
        return found
    basket, order_id = found.basket, found.order_id
    quote, code, refused = basket.quote, body.coupon_code, None
    stock.try_(conn, order_id, basket.pieces, now)
    if code is not None:
        verdict = coupon.try_(
            conn,
            order_id,
            code=code,
            user_id=user.id,
            segment=user.segment,
            items_fen=quote.items_fen,
            now=now,
        )
        code, refused, quote = decide.with_coupon(ctx.settings, basket, code, verdict)
    if body.pay_with == "balance":
        balance.try_(conn, order_id, user.id, quote.total_fen, now)
    return write(conn, ctx, found, quote, code, refused)


def draft(
    conn: Connection,
    settings: Settings,
    user: CurrentUser,
    key: str,
    print_of_body: str,
    body: OrderBody,
    now: float,
    risk: str | None = None,
) -> Draft | Placed:
    """Whether the order can be had, before anything is held; Placed if it was placed before under this key."""
    known = repository.find_by_ref(conn, user.id, key)
    if known is not None:
        if known.fingerprint != print_of_body:
            raise Unprocessable("idempotency_key_reused", f"the key {key} stands for another order")
        payment = payments.of_order(conn, known.id)
        return Placed(answer(settings, known, payment.id, method=payment.method), again=True)
    merchant = merchants.find(conn, body.merchant_id)
    dishes = merchants.some_dishes(conn, merchant.id, [item.dish_id for item in body.items])
    basket = decide.basket(settings, merchant, dishes, body, now)
    return Draft(repository.next_id(conn), user, key, print_of_body, body, basket, now, risk)


def write(conn: Connection, ctx: Context, draft: Draft, quote: Quote, code: str | None, refused: str | None) -> Placed:
    """Write the order that its branches hold, and its payment; one paid from the balance is paid at once."""
    settings, user, body, now = ctx.settings, draft.user, draft.body, draft.now
    columns: dict[str, Any] = {
        "id": draft.order_id,
        "kind": "order",
        "ref": draft.key,
        "fingerprint": draft.fingerprint,
        "user_id": user.id,
        "user_ref": user.ref,
        "segment": user.segment,
        "merchant_id": body.merchant_id,
        "state": OrderState.PENDING_PAYMENT.value,
        "lines": repository.encode_lines(draft.basket.lines),
        "items_fen": quote.items_fen,
        "discount_fen": quote.discount_fen,
        "delivery_fee_fen": quote.delivery_fee_fen,
        "total_fen": quote.total_fen,
        "commission_share": settings.commission_share,
        "coupon_code": code,
        "coupon_refused": refused,
        "risk": draft.risk,
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
    return request(conn, ctx, draft.order_id, body.pay_with, now)


def request(conn: Connection, ctx: Context, order_id: int, method: str, now: float) -> Placed:
    """Open the payment of an order that was just written, and pay it at once if it is paid from the balance."""
    order = repository.find(conn, order_id)
    payment_id = payments.request_payment(conn, order_id, order.total_fen, now, method=method)
    repository.tell(conn, order, "placed", now, state=order.state)
    if method == "balance":
        settle.pay(conn, ctx, order, payments.find(conn, payment_id), now, now)
        order = repository.find(conn, order_id)
    return Placed(answer(ctx.settings, order, payment_id, method=method), again=False)


def answer(settings: Settings, order: Record, payment_id: int, method: str = "provider") -> dict[str, Any]:
    """What POST /orders (and buying a deal) says; what is paid from the balance has no link to pay it."""
    payment: dict[str, Any] = {"payment_id": payment_id}
    if method == "provider":
        payment["pay_url"] = pay_url(settings.provider_url, settings.provider_secret, payment_id, order.total_fen)
    said: dict[str, Any] = {
        "order_id": order.id,
        "order_no": order.order_no,
        "state": order.state,
        "items_fen": order.items_fen,
        "discount_fen": order.discount_fen,
        "delivery_fee_fen": order.delivery_fee_fen,
        "total_fen": order.total_fen,
        "payment": payment,
    }
    if order.coupon_refused:
        said["coupon_refused"] = order.coupon_refused.split(",")
    return said
