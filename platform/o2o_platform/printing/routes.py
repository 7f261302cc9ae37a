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
from o2o_platform.kit.duties import Duty
from o2o_platform.kit.web import reply
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders.views import sees_all
from o2o_platform.printing import printer_status, remote, repository, signs
from o2o_platform.printing.consumer import SlotDispatcher
from o2o_platform.printing.dispatcher import Dispatcher, Watch
from o2o_platform.printing.drivers import mqtt
from o2o_platform.printing.protocols import app as app_printers
from o2o_platform.printing.protocols import cloudprnt, cloudprnt_setting, epson, vendor
from o2o_platform.printing.slots import queue_of

_FIELDS = ("order_id", "merchant_id", "copy_no", "state", "code", "attempts", "queued", "printed", "escalation")


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes, the export of tickets, recovery and the dispatcher's tasks."""
    ctx.exports["tickets"] = repository.rows
    ctx.printer_changed.append(remote.reroute)
    ctx.background.add("print-watch", Watch(ctx).run)
    if ctx.redis is not None:
        ctx.queues[repository.TOPIC, "queued"] = queue_of
    if Duty.DISPATCH in ctx.duties:
        _dispatch(ctx)
        mqtt.register(ctx)  # after the dispatcher: at the end its tickets in hand still need the broker
    heard = signs.Signs(ctx)
    ctx.background.add("printer-signs", heard.run, Duty.HTTP)
    if Duty.HTTP in ctx.duties:
        ctx.background.on_close(heard.close)
    ctx.printer_changed.append(signs.forget)
    printer_status.register(app, ctx)
    cloudprnt.register(app, ctx, heard)
    cloudprnt_setting.register(app, ctx)
    epson.register(app, ctx, heard)
    app_printers.register(app, ctx, heard)
    vendor.register(app, ctx)  # after the dispatcher: at the end its tickets in hand still need the clouds

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


def _dispatch(ctx: Context) -> None:
    """Print: alone when embedded, else as one of several."""
    if ctx.redis is None:
        alone = Dispatcher(ctx)
        ctx.on_start.append(alone.recover)
        ctx.background.add("print", alone.run, Duty.DISPATCH)
        ctx.background.add("print-tidy", alone.printers.tidy, Duty.DISPATCH)
        ctx.background.on_close(alone.close)
        return
    one = SlotDispatcher(ctx, ctx.redis)
    ctx.background.add("print-slots", one.look, Duty.DISPATCH)
    ctx.background.add("print", one.read, Duty.DISPATCH)
    ctx.background.add("print-sweep", one.sweep, Duty.DISPATCH)
    ctx.background.add("print-tidy", one.printers.tidy, Duty.DISPATCH)
    ctx.background.on_close(one.close)
    ctx.meters.read(
        "dispatch", "What this dispatcher holds and has done, and how far behind it is.", lambda: one.figures
    )
