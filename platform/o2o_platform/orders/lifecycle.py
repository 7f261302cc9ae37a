"""The steps of a takeout order after it was paid, each one unit of work (A13 steps 2 to 5).

Decides who may take which step and what it brings with it: accepting looks for a rider, delivering earns the
merchant's share and frees the rider, every bad end gives back money, stock, coupon and rider. Which step may follow
which is the domain's table; an illegal one is a Conflict (409) and changes nothing.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from o2o_domain import dispatch as rules
from o2o_domain.orders import OrderEvent, OrderState
from o2o_domain.roles import Permission, allowed
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.coupons import repository as coupons
from o2o_platform.delivery import dispatch
from o2o_platform.errors import Forbidden, NotFound
from o2o_platform.kit.context import Context
from o2o_platform.kit.prepared import Record
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders import repository
from o2o_platform.orders.bodies import PositionBody
from o2o_platform.payments import settle
from o2o_platform.printing.repository import enqueue
from o2o_platform.reservation import asked, coordinator


def _takeout(conn: Connection, order_id: int) -> Record:
    order = repository.find(conn, order_id)
    if order.kind != "order":
        raise NotFound("no_such_order", f"order {order_id} is no takeout order")
    return order


def _at_counter(conn: Connection, user: CurrentUser, order_id: int) -> Record:
    order = _takeout(conn, order_id)
    if not allowed(user.role, Permission.SEE_ALL_ORDERS):
        merchants.must_own(conn, user, order.merchant_id)
    return order


def _on_road(conn: Connection, user: CurrentUser, order_id: int) -> Record:
    order = _takeout(conn, order_id)
    if order.rider_id != user.id:
        raise Forbidden("not_yours", f"order {order_id} is not with you")
    return order


def accept(conn: Connection, ctx: Context, user: CurrentUser, order_id: int, now: float) -> dict[str, Any]:
    """The merchant takes the order and cooks; a rider is chosen, or the order waits for one until its deadline."""
    order = _at_counter(conn, user, order_id)
    columns = dispatch.seek(conn, ctx.settings, order, now)
    state = repository.advance(conn, order, OrderEvent.ACCEPT, now, cooking=now, **columns)
    if "rider_id" in columns:
        dispatch.assign(conn, order, columns["rider_id"], now)
    return {"order_id": order.id, "state": state.value, "rider_id": columns.get("rider_id")}


def reject(conn: Connection, ctx: Context, user: CurrentUser, order_id: int, reason: str, now: float) -> dict[str, Any]:
    """The merchant will not cook it: the user is refunded."""
    order = _at_counter(conn, user, order_id)
    return _end(conn, ctx, order, OrderEvent.REJECT, reason or "rejected_by_merchant", now)


def ready(conn: Connection, user: CurrentUser, order_id: int, now: float) -> dict[str, Any]:
    """The food stands on the counter."""
    order = _at_counter(conn, user, order_id)
    state = repository.advance(conn, order, OrderEvent.READY, now, ready=now)
    return {"order_id": order.id, "state": state.value}


def picked_up(conn: Connection, user: CurrentUser, order_id: int, where: PositionBody, now: float) -> dict[str, Any]:
    """The rider has it."""
    order = _on_road(conn, user, order_id)
    state = repository.advance(conn, order, OrderEvent.PICK_UP, now, picked_up=now)
    dispatch.moved(conn, user.id, where)
    return {"order_id": order.id, "state": state.value}


def delivered(
    conn: Connection, ctx: Context, user: CurrentUser, order_id: int, where: PositionBody, now: float
) -> dict[str, Any]:
    """The user has it: the merchant has earned its share, and the rider takes the order that waits longest."""
    order = _on_road(conn, user, order_id)
    state = repository.advance(conn, order, OrderEvent.DELIVER, now, delivered=now, closed=now)
    settle.earn(conn, order, now)
    dispatch.moved(conn, user.id, where)
    dispatch.free(conn, ctx.settings, user.id, now, delivered=True)
    return {"order_id": order.id, "state": state.value}


def cancel(conn: Connection, ctx: Context, user: CurrentUser, order_id: int, reason: str, now: float) -> dict[str, Any]:
    """The user, or an operator for them, gives the order up; what was paid is refunded."""
    order = repository.find(conn, order_id)
    if order.user_id != user.id and not allowed(user.role, Permission.CANCEL_ANY_ORDER):
        raise Forbidden("not_yours", f"order {order_id} is somebody else's")
    if order.state == OrderState.PENDING_PAYMENT:
        settle.expire(conn, ctx, order, now, event=OrderEvent.CANCEL, reason=reason or "cancelled_before_payment")
        return {"order_id": order.id, "state": repository.find(conn, order_id).state}
    if order.kind != "order":
        raise NotFound("no_such_order", f"order {order_id} is no takeout order; refund its voucher instead")
    return _end(conn, ctx, order, OrderEvent.CANCEL, reason or "cancelled", now)


def no_rider(conn: Connection, ctx: Context, order_id: int, now: float) -> bool:
    """Patience is at an end; False if a rider was found meanwhile."""
    order = _takeout(conn, order_id)
    since, patience_s = order.seeking_since, ctx.settings.dispatch_patience_s
    if since is None or not rules.give_up(waiting_since=since, patience_s=patience_s, now=now):
        return False
    _end(conn, ctx, order, OrderEvent.NO_RIDER, "no_rider", now)
    return True


def paid(conn: Connection, order: Record, now: float) -> None:
    """What a takeout order does when it is paid: what it holds is its own, and its ticket is queued."""
    coordinator.confirm(conn, order.id, now)
    enqueue(conn, order, now)


def give_back(conn: Connection, order: Record, now: float) -> None:
    """Stock and coupon (and what is held of the wallet) of a takeout order that came to nothing."""
    if order.paid is None:
        coordinator.cancel(conn, order.id, now)
        return
    merchants.put_back(conn, asked.of(conn, order.id).pieces)
    if order.coupon_code is not None:
        coupons.give_back(conn, order.id, now)


def _end(conn: Connection, ctx: Context, order: Record, event: OrderEvent, reason: str, now: float) -> dict[str, Any]:
    columns: dict[str, Any] = {"closed": now, "reason": reason, "seeking_since": None}
    if order.paid_fen:
        columns["refunded_fen"] = order.paid_fen
    state = repository.advance(conn, order, event, now, **columns)  # refuses before anything else is touched
    if order.paid is not None:
        settle.refund(conn, order, now)
    ctx.closed[order.kind](conn, order, now)
    if order.rider_id is not None:
        dispatch.withdraw(conn, order, now)
        dispatch.free(conn, ctx.settings, order.rider_id, now)
    return {"order_id": order.id, "state": state.value, "refunded_fen": order.paid_fen}
