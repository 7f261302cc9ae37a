"""Routes of orders. Nearly all are on the hot lane (`hot_lane`); each writes in one unit of work."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query
from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import current_user
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.delivery import dispatch
from o2o_platform.errors import Unprocessable
from o2o_platform.hot_lane import Answer, Headers
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import body, decoded, encoded, reply
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders import bodies, lifecycle, repository, views
from o2o_platform.orders.bodies import OrderBody, PositionBody, ReasonBody
from o2o_platform.orders.lane.route import Lane
from o2o_platform.orders.place import fingerprint, place
from o2o_platform.reservation import apart

KEY = "Idempotency-Key"
MAX_KEY = 128
_KEY = KEY.lower().encode()
_AGAIN = ((b"idempotent-replayed", b"true"),)


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes, and the takeout's part in payment and closing."""
    ctx.paid["order"] = lifecycle.paid
    ctx.closed["order"] = lifecycle.give_back
    _placing(app, ctx)
    _steps(app, ctx)

    @app.get("/merchants/{merchant_id}/orders", tags=["orders"])
    async def of_merchant(
        merchant_id: int,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        user: CurrentUser = Depends(current_user),
    ) -> Response:
        """A merchant's orders by id; go on with the last id as `after`."""

        def unit(conn: Connection) -> list[dict[str, Any]]:
            if not views.sees_all(user):
                merchants.must_own(conn, user, merchant_id)
            return [views.view(row) for row in repository.of_merchant(conn, merchant_id, after=after, limit=limit)]

        return reply({"orders": await ctx.db.read(unit)})


def _placing(app: FastAPI, ctx: Context) -> None:
    lane = Lane(ctx) if ctx.db.dialect == "postgresql" else None
    app.state.lane = lane
    if lane is not None:
        lane.register()

    async def create(user: CurrentUser, headers: Headers, raw: bytes) -> Answer:
        """Place an order; the answer holds the link to pay it. Needs the header Idempotency-Key."""
        key = headers.get(_KEY, b"").decode("latin-1")
        if not 1 <= len(key) <= MAX_KEY:
            raise Unprocessable("idempotency_key", f"the header {KEY} must have 1 to {MAX_KEY} characters")
        wanted = decoded(raw, bodies.ORDER)
        risk = None if ctx.assess is None else await ctx.assess(user, key, wanted)
        mark, now = fingerprint(raw), ctx.clock.now()
        if ctx.settings.reservation == "apart":
            placed = await apart.place(ctx, user, key, mark, wanted, now, risk)
        elif lane is not None:
            placed = await lane.place(user, key, mark, wanted, now, risk)
        else:
            placed = await ctx.db.write(lambda conn: place(conn, ctx, user, key, mark, wanted, now, risk))
        return 201, encoded(placed.answer), _AGAIN if placed.again else ()

    async def show(request: Request, user: CurrentUser, order_id: int) -> Response:
        """One order, to those whom it concerns."""

        def unit(conn: Connection) -> dict[str, Any]:
            order = repository.find(conn, order_id)
            views.may_see(conn, user, order)
            return views.view(order)

        return reply(await ctx.db.read(unit, quick=True))

    add = partial(ctx.hot.add, app, tag="orders")
    ctx.hot.add_lean(app, "POST", "/orders", create, Permission.PLACE_ORDER, tag="orders", body=OrderBody, status=201)
    add("GET", "/orders/{order_id}", show, None)


def _steps(app: FastAPI, ctx: Context) -> None:
    async def write(unit: Callable[[Connection], dict[str, Any]], alone: str = "") -> Response:
        return reply(await ctx.db.write(unit, alone=alone))

    async def accept(request: Request, user: CurrentUser, order_id: int) -> Response:
        """The merchant cooks it; a rider is looked for."""
        now = ctx.clock.now()
        return await write(lambda conn: lifecycle.accept(conn, ctx, user, order_id, now), dispatch.ALONE)

    async def reject(request: Request, user: CurrentUser, order_id: int) -> Response:
        """The merchant will not cook it; the user is refunded."""
        reason, now = await _reason(request), ctx.clock.now()
        return await write(lambda conn: lifecycle.reject(conn, ctx, user, order_id, reason, now), dispatch.ALONE)

    async def ready(request: Request, user: CurrentUser, order_id: int) -> Response:
        """The food is ready."""
        now = ctx.clock.now()
        return await write(lambda conn: lifecycle.ready(conn, user, order_id, now))

    async def picked_up(request: Request, user: CurrentUser, order_id: int) -> Response:
        """The rider has it."""
        where, now = await _position(request), ctx.clock.now()
        return await write(lambda conn: lifecycle.picked_up(conn, user, order_id, where, now), dispatch.ALONE)

    async def delivered(request: Request, user: CurrentUser, order_id: int) -> Response:
        """The user has it; the rider is free at the place named."""
        where, now = await _position(request), ctx.clock.now()
        return await write(lambda conn: lifecycle.delivered(conn, ctx, user, order_id, where, now), dispatch.ALONE)

    async def cancel(request: Request, user: CurrentUser, order_id: int) -> Response:
        """The user, or an operator for them, gives the order up; what was paid is refunded."""
        reason, now = await _reason(request), ctx.clock.now()
        return await write(lambda conn: lifecycle.cancel(conn, ctx, user, order_id, reason, now), dispatch.ALONE)

    add = partial(ctx.hot.add, app, "POST", tag="orders")
    add("/orders/{order_id}/accept", accept, Permission.WORK_ORDERS)
    add("/orders/{order_id}/reject", reject, Permission.WORK_ORDERS, body=ReasonBody)
    add("/orders/{order_id}/ready", ready, Permission.WORK_ORDERS)
    add("/orders/{order_id}/picked_up", picked_up, Permission.RIDE, body=PositionBody)
    add("/orders/{order_id}/delivered", delivered, Permission.RIDE, body=PositionBody)
    add("/orders/{order_id}/cancel", cancel, None, body=ReasonBody)


async def _reason(request: Request) -> str:
    if not await request.body():
        return ""
    return (await body(request, bodies.REASON)).reason


async def _position(request: Request) -> PositionBody:
    if not await request.body():
        return PositionBody()
    return await body(request, bodies.POSITION)
