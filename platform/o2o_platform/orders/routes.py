"""Routes of orders. The hot ones decode and encode with msgspec (see `kit.web`); each writes in one unit of work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from sqlalchemy import Connection
from starlette.responses import Response

from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import current_user, require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Unprocessable
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import body, reply, schema_of
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders import bodies, lifecycle, repository, views
from o2o_platform.orders.bodies import OrderBody, PositionBody, ReasonBody
from o2o_platform.orders.place import fingerprint, place
from o2o_platform.printing.repository import enqueue

KEY = "Idempotency-Key"
MAX_KEY = 128


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes, and the takeout's part in payment and closing."""
    ctx.paid["order"] = enqueue
    ctx.closed["order"] = lifecycle.give_back

    @app.post("/orders", status_code=201, tags=["orders"], openapi_extra=schema_of(OrderBody))
    async def create(request: Request, user: CurrentUser = require(Permission.PLACE_ORDER)) -> Response:
        """Place an order; the answer holds the link to pay it. Needs the header Idempotency-Key."""
        key = request.headers.get(KEY, "")
        if not 1 <= len(key) <= MAX_KEY:
            raise Unprocessable("idempotency_key", f"the header {KEY} must have 1 to {MAX_KEY} characters")
        wanted = await body(request, bodies.ORDER)
        mark, now = fingerprint(await request.body()), ctx.clock.now()
        placed = await ctx.db.write(lambda conn: place(conn, ctx.settings, user, key, mark, wanted, now))
        answer = reply(placed.answer, 201)
        if placed.again:
            answer.headers["Idempotent-Replayed"] = "true"
        return answer

    @app.get("/orders/{order_id}", tags=["orders"])
    async def show(order_id: int, user: CurrentUser = Depends(current_user)) -> Response:
        """One order, to those whom it concerns."""

        def unit(conn: Connection) -> dict[str, Any]:
            order = repository.find(conn, order_id)
            views.may_see(conn, user, order)
            return views.view(order)

        return reply(await ctx.db.read(unit))

    @app.get("/merchants/{merchant_id}/orders", tags=["orders"])
    async def of_merchant(
        merchant_id: int,
        after: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int, Query(ge=1, le=500)] = 100,
        user: CurrentUser = Depends(current_user),
    ) -> Response:
        """A merchant's orders by id; go on with the last id as `after`."""

        def unit(conn: Connection) -> list[dict[str, Any]]:
            if user.role not in views.STAFF:
                merchants.must_own(conn, user, merchant_id)
            return [views.view(row) for row in repository.of_merchant(conn, merchant_id, after=after, limit=limit)]

        return reply({"orders": await ctx.db.read(unit)})

    async def step(unit: Callable[[Connection], dict[str, Any]]) -> Response:
        return reply(await ctx.db.write(unit))

    @app.post("/orders/{order_id}/accept", tags=["orders"])
    async def accept(order_id: int, user: CurrentUser = require(Permission.WORK_ORDERS)) -> Response:
        """The merchant cooks it; a rider is looked for."""
        now = ctx.clock.now()
        return await step(lambda conn: lifecycle.accept(conn, ctx, user, order_id, now))

    @app.post("/orders/{order_id}/reject", tags=["orders"], openapi_extra=schema_of(ReasonBody))
    async def reject(request: Request, order_id: int, user: CurrentUser = require(Permission.WORK_ORDERS)) -> Response:
        """The merchant will not cook it; the user is refunded."""
        reason, now = await _reason(request), ctx.clock.now()
        return await step(lambda conn: lifecycle.reject(conn, ctx, user, order_id, reason, now))

    @app.post("/orders/{order_id}/ready", tags=["orders"])
    async def ready(order_id: int, user: CurrentUser = require(Permission.WORK_ORDERS)) -> Response:
        """The food is ready."""
        now = ctx.clock.now()
        return await step(lambda conn: lifecycle.ready(conn, user, order_id, now))

    @app.post("/orders/{order_id}/picked_up", tags=["orders"], openapi_extra=schema_of(PositionBody))
    async def picked_up(request: Request, order_id: int, user: CurrentUser = require(Permission.RIDE)) -> Response:
        """The rider has it."""
        where, now = await _position(request), ctx.clock.now()
        return await step(lambda conn: lifecycle.picked_up(conn, user, order_id, where, now))

    @app.post("/orders/{order_id}/delivered", tags=["orders"], openapi_extra=schema_of(PositionBody))
    async def delivered(request: Request, order_id: int, user: CurrentUser = require(Permission.RIDE)) -> Response:
        """The user has it; the rider is free at the place named."""
        where, now = await _position(request), ctx.clock.now()
        return await step(lambda conn: lifecycle.delivered(conn, ctx, user, order_id, where, now))

    @app.post("/orders/{order_id}/cancel", tags=["orders"], openapi_extra=schema_of(ReasonBody))
    async def cancel(request: Request, order_id: int, user: CurrentUser = Depends(current_user)) -> Response:
        """The user, or an operator for them, gives the order up; what was paid is refunded."""
        reason, now = await _reason(request), ctx.clock.now()
        return await step(lambda conn: lifecycle.cancel(conn, ctx, user, order_id, reason, now))


async def _reason(request: Request) -> str:
    if not await request.body():
        return ""
    return (await body(request, bodies.REASON)).reason


async def _position(request: Request) -> PositionBody:
    if not await request.body():
        return PositionBody()
    return await body(request, bodies.POSITION)
