"""POST /orders/{id}/refunds: a part of an order's money back while the order stands, by its merchant or an operator.

Decides who may, and that a key stands for one refund. Leaves how much may go back to the domain
(`payments.part_refund`) and the books to `settle`.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import FastAPI, Header
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from o2o_domain.orders import OrderState
from o2o_domain.payments import PaymentState, part_refund
from o2o_domain.refusal import Refused
from o2o_domain.roles import Permission, Role
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Conflict, Unprocessable, refusal
from o2o_platform.kit.context import Context
from o2o_platform.kit.prepared import Record
from o2o_platform.kit.web import reply
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders import repository as orders
from o2o_platform.payments import owed, repository, settle

Key = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=128)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RefundItem(_Body):
    """Pieces of a dish that the money is given back for."""

    dish_id: int
    qty: Annotated[int, Field(ge=1, le=99)]


class PartRefundBody(_Body):
    """How much is given back, why, and for which dishes if for some."""

    amount_fen: Annotated[int, Field(ge=1, le=10**12)]
    reason: Annotated[str, Field(min_length=1, max_length=64)]
    items: Annotated[list[RefundItem], Field(max_length=60)] = []


def register(app: FastAPI, ctx: Context) -> None:
    """Add the route."""

    @app.post("/orders/{order_id}/refunds", status_code=201, tags=["payments"])
    async def give_back(
        order_id: int, key: Key, body: PartRefundBody, user: CurrentUser = require(Permission.REFUND_ORDER)
    ) -> Response:
        """Give a part of an order's money back, or all that is left; the order stands. Needs Idempotency-Key."""
        now = ctx.clock.now()
        answer, again = await ctx.db.write(lambda conn: refund(conn, user, order_id, key, body, now))
        response = reply(answer, 201)
        if again:
            response.headers["Idempotent-Replayed"] = "true"
        return response


def refund(
    conn: Connection, user: CurrentUser, order_id: int, key: str, body: PartRefundBody, now: float
) -> tuple[dict[str, Any], bool]:
    """The unit of work: (answer, whether the key was known).

    Raises NotFound, Forbidden, Unprocessable (a key that stands for another refund, dishes that were not ordered) or
    Conflict (`not_refundable`, `more_than_paid`).
    """
    order = orders.find(conn, order_id)
    if user.role is Role.MERCHANT:
        merchants.must_own(conn, user, order.merchant_id)
    items = _items(order, body)
    known = owed.of_key(conn, order_id, key)
    if known is not None:
        if (known.fen, known.items) != (body.amount_fen, items):
            raise Unprocessable("idempotency_key_reused", f"the key {key} stands for another refund")
        return _answer(order, known.id, known.fen), True
    if order.kind != "order":
        raise Conflict("not_refundable", f"order {order_id} is a deal; its voucher is refunded, whole")
    payment = repository.of_order(conn, order_id)
    given = part_refund(
        OrderState(order.state),
        PaymentState(payment.state),
        paid_fen=order.paid_fen,
        refunded_fen=order.refunded_fen,
        amount_fen=body.amount_fen,
    )
    if isinstance(given, Refused):
        raise refusal(given)
    refund_id = settle.refund_part(
        conn, order, payment, given, now, reason=body.reason, key=key, items=items, by=user.id
    )
    return _answer(orders.find(conn, order_id), refund_id, given.fen), False


def _items(order: Record, body: PartRefundBody) -> str | None:
    ordered = {line.dish_id: line.qty for line in orders.lines_of(order)}
    for item in body.items:
        if item.qty > ordered.get(item.dish_id, 0):
            raise Unprocessable("not_ordered", f"{item.qty} of dish {item.dish_id} were not ordered")
    return msgspec.json.encode([(item.dish_id, item.qty) for item in body.items]).decode() if body.items else None


def _answer(order: Record, refund_id: int, fen: int) -> dict[str, Any]:
    return {
        "refund_id": refund_id,
        "order_id": order.id,
        "state": order.state,
        "fen": fen,
        "paid_fen": order.paid_fen,
        "refunded_fen": order.refunded_fen,
    }
