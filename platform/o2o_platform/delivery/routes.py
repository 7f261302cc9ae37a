"""Routes of riders: on line, off line; and the end of patience for orders that found nobody."""

from __future__ import annotations

from functools import partial
from itertools import takewhile
from typing import Annotated

from fastapi import FastAPI
from pydantic import Field
from sqlalchemy import Connection, select
from starlette.responses import Response

from o2o_domain import dispatch as rules
from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.delivery import dispatch, repository
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.merchants.bodies import Body, Latitude, Longitude
from o2o_platform.orders import lifecycle
from o2o_platform.orders.tables import orders


class OnlineBody(Body):
    """Where the rider starts, and how fast they are."""

    lat: Latitude
    lng: Longitude
    speed_kmh: Annotated[float, Field(gt=0, le=120)] = 20.0


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes, the export of riders and the watch over patience."""
    ctx.exports["riders"] = repository.rows
    ctx.background.add("patience", lambda: watch(ctx))

    @app.post("/riders/me/online", tags=["riders"])
    async def online(body: OnlineBody, user: CurrentUser = require(Permission.RIDE)) -> Response:
        """Start working; the answer names the order, if one was waiting."""
        now = ctx.clock.now()
        order_id = await ctx.db.write(
            lambda conn: dispatch.online(
                conn, ctx.settings, user.id, user.ref, body.lat, body.lng, body.speed_kmh, now
            ),
            alone=dispatch.ALONE,
        )
        return reply({"rider_id": user.id, "online": True, "order_id": order_id})

    @app.post("/riders/me/offline", tags=["riders"])
    async def offline(user: CurrentUser = require(Permission.RIDE)) -> Response:
        """Take no more orders; the one in hand is still to be finished."""
        now = ctx.clock.now()
        order_id = await ctx.db.write(lambda conn: dispatch.offline(conn, user.id, now), alone=dispatch.ALONE)
        return reply({"rider_id": user.id, "online": False, "order_id": order_id})


async def watch(ctx: Context) -> None:
    """Cancel and refund orders whose patience is at an end, for ever."""
    while True:
        await give_up(ctx)
        await ctx.clock.sleep(ctx.settings.sweep_interval_s)


async def give_up(ctx: Context) -> int:
    """Cancel what is due now; returns how many."""
    now = ctx.clock.now()

    def due(conn: Connection) -> list[int]:
        query = select(orders.c.id, orders.c.seeking_since).where(orders.c.seeking_since.is_not(None))
        waiting = conn.execute(query.order_by(orders.c.seeking_since, orders.c.id))
        patience_s = ctx.settings.dispatch_patience_s
        over = takewhile(
            lambda row: rules.give_up(waiting_since=row.seeking_since, patience_s=patience_s, now=now), waiting
        )
        return [row.id for row in over]

    count = 0
    for order_id in await ctx.db.read(due):
        unit = partial(lifecycle.no_rider, ctx=ctx, order_id=order_id, now=now)
        count += await ctx.db.write(unit, alone=dispatch.ALONE)
    return count
