"""Routes of tickets: look at one, have it printed again; and the tasks behind printing."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from sqlalchemy import Connection
from starlette.responses import Response

from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders.views import sees_all
from o2o_platform.printing import repository
from o2o_platform.printing.dispatcher import Dispatcher

_FIELDS = ("order_id", "merchant_id", "copy_no", "state", "code", "attempts", "queued", "printed", "escalation")


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes, the export of tickets, recovery and the dispatcher's tasks."""
    dispatcher = Dispatcher(ctx)
    ctx.exports["tickets"] = repository.rows
    ctx.on_start.append(dispatcher.recover)
    ctx.background.add("print", dispatcher.run)
    ctx.background.add("print-watch", dispatcher.watch)
    ctx.background.on_close(dispatcher.close)

    def own(conn: Connection, user: CurrentUser, ticket_id: int) -> Any:
        ticket = repository.find(conn, ticket_id)
        if not sees_all(user):
            merchants.must_own(conn, user, ticket.merchant_id)
        return ticket

    @app.get("/tickets/{ticket_id}", tags=["tickets"])
    async def show(ticket_id: int, user: CurrentUser = require(Permission.REPRINT)) -> Response:
        """One ticket and how its printing went."""
        ticket = await ctx.db.read(lambda conn: own(conn, user, ticket_id))
        return reply({"ticket_id": ticket.id, **{name: getattr(ticket, name) for name in _FIELDS}})

    @app.post("/tickets/{ticket_id}/reprint", status_code=201, tags=["tickets"])
    async def reprint(ticket_id: int, user: CurrentUser = require(Permission.REPRINT)) -> Response:
        """Print the order's ticket once more, marked as a copy with its number."""
        now = ctx.clock.now()

        def unit(conn: Connection) -> dict[str, Any]:
            own(conn, user, ticket_id)
            return repository.reprint(conn, ticket_id, now)

        return reply(await ctx.db.write(unit), 201)
