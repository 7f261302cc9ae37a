"""An order as its readers see it: who may, and which fields."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from o2o_domain.roles import Permission, Role, allowed
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Forbidden
from o2o_platform.kit.prepared import Record
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders.repository import lines_of

_MARKS = ("accepted", "paid", "cooking", "ready", "assigned", "picked_up", "delivered", "closed", "promised")


def sees_all(user: CurrentUser) -> bool:
    """Whether this user may look at anybody's orders."""
    return allowed(user.role, Permission.SEE_ALL_ORDERS)


def may_see(conn: Connection, user: CurrentUser, order: Record) -> None:
    """Consumers see their own orders, merchants and riders those they work on, staff all. Raises Forbidden."""
    if sees_all(user) or order.user_id == user.id or (order.rider_id is not None and order.rider_id == user.id):
        return
    if user.role is Role.MERCHANT and merchants.owns(conn, user, order.merchant_id):
        return
    raise Forbidden("not_yours", f"order {order.id} is somebody else's")


def view(order: Record) -> dict[str, Any]:
    """The order as JSON; marks are unix seconds, null until reached."""
    return {
        "order_id": order.id,
        "order_no": order.order_no,
        "order_ref": order.ref,
        "kind": order.kind,
        "state": order.state,
        "reason": order.reason,
        "user_id": order.user_id,
        "merchant_id": order.merchant_id,
        "rider_id": order.rider_id,
        "items": [
            {"dish_id": x.dish_id, "name": x.name, "qty": x.qty, "unit_fen": x.unit_fen} for x in lines_of(order)
        ],
        "items_fen": order.items_fen,
        "discount_fen": order.discount_fen,
        "delivery_fee_fen": order.delivery_fee_fen,
        "total_fen": order.total_fen,
        "paid_fen": order.paid_fen,
        "refunded_fen": order.refunded_fen,
        "coupon_code": order.coupon_code,
        "coupon_refused": order.coupon_refused.split(",") if order.coupon_refused else None,
        "note": order.note,
        "stars": order.stars,
        **{mark: getattr(order, mark) for mark in _MARKS},
    }
