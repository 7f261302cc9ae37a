"""The merchant's app with an attached printer: it shows tickets, and prints those that somebody taps (A14).

    GET  /merchants/{id}/tickets/next              what is to be printed next; 204: nothing now
    POST /merchants/{id}/tickets/{token}/fetch     the ticket: ESC/POS bytes, or JSON with these bytes and the lines
    POST /merchants/{id}/tickets/{token}/result    {"code": null}: on paper; {"code": "..."}: not, and never will be

Decides what each writes. The tickets' steps are `printing.remote`: one ticket is under way at a time, what was fetched
is not given out again once its result is known or given up, and what is repeated has no effect. The app is the
merchant's own account and hears of tickets by its feed (/feed/orders, event `queued`); the printer's state is the app's
business, which takes a ticket when the printer can print. A merchant whose printer is of another kind has no tickets
here (404): nobody taps "print" for what a cloud printer prints.
"""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import FastAPI, Header
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, bindparam, select
from starlette.responses import Response

from o2o_domain.roles import Permission
from o2o_domain.ticket_layout import layout
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Conflict, NotFound
from o2o_platform.kit import logs
from o2o_platform.kit.context import Context
from o2o_platform.kit.prepared import Prepared
from o2o_platform.kit.web import reply
from o2o_platform.merchants import repository as shops
from o2o_platform.merchants.tables import merchants
from o2o_platform.printing import remote
from o2o_platform.printing.job import Job, ticket_of
from o2o_platform.printing.media import escpos
from o2o_platform.printing.signs import Signs

SCHEME = "app://"
ESCPOS = "application/vnd.escpos"
"""Asked for by `Accept`: the bytes alone."""

_PRINTER = Prepared(select(merchants.c.printer_url).where(merchants.c.id == bindparam("id")))


class ResultBody(BaseModel):
    """How printing went. `code`: why nothing is on paper and nothing will be (paper_end, ...); none: it is."""

    model_config = ConfigDict(extra="forbid")

    code: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,32}$")] | None = None


def register(app: FastAPI, ctx: Context, heard: Signs) -> None:
    """Add the routes."""
    path = "/merchants/{merchant_id}/tickets"
    keeper = require(Permission.WORK_ORDERS)

    @app.get(f"{path}/next", tags=["printers"])
    async def following(merchant_id: int, user: CurrentUser = keeper) -> Response:
        """The head of the queue; asked again it is the same. 204: nothing, or one of them is under way."""
        now = ctx.clock.now()

        def unit(conn: Connection) -> Job | None:
            _must_print_here(conn, user, merchant_id)
            return remote.offer(conn, merchant_id, now) if remote.peek(conn, merchant_id) else None

        job = await ctx.db.write(unit)
        heard.note(merchant_id, now, "ok")
        return Response(status_code=204) if job is None else reply(_shown(job))

    @app.post(f"{path}/{{token}}/fetch", tags=["printers"])
    async def fetch(
        merchant_id: int, token: str, accept: str = Header(default="application/json"), user: CurrentUser = keeper
    ) -> Response:
        """Take the ticket that was shown; while nothing is known of it, it may be fetched again."""
        now = ctx.clock.now()

        def unit(conn: Connection) -> Job | None:
            _must_print_here(conn, user, merchant_id)
            return remote.fetch(conn, merchant_id, token, now)

        job = await ctx.db.write(unit)
        if job is None:
            raise Conflict("overtaken", f"{token[:40]} is not to be printed now")
        ticket = ticket_of(job, ctx.settings.timezone_offset_s)
        data = escpos.render(ticket, job.width, f"{ctx.settings.public_url}/orders/{job.order_id}")
        if accept.split(";")[0].strip() == ESCPOS:
            return Response(data, media_type=ESCPOS, headers={"Cache-Control": "no-store"})
        lines = [line._asdict() for line in layout(ticket, job.width)]
        return reply({**_shown(job), "escpos": base64.b64encode(data).decode(), "lines": lines})

    @app.post(f"{path}/{{token}}/result", tags=["printers"])
    async def result(merchant_id: int, token: str, body: ResultBody, user: CurrentUser = keeper) -> Response:
        """How it went. `changed` is false for what was known, or settled otherwise, before."""
        now = ctx.clock.now()

        def unit(conn: Connection) -> bool:
            _must_print_here(conn, user, merchant_id)
            if remote.its(conn, merchant_id, token) is None:
                raise NotFound("no_such_ticket", f"{token[:40]} is no ticket of merchant {merchant_id}")
            return remote.result(conn, merchant_id, token, body.code is None, body.code or "", now)

        changed = await ctx.db.write(unit)
        heard.note(merchant_id, now, body.code or "ok")
        outcome = "printed" if body.code is None else "failed"
        logs.line("print", merchant_id=merchant_id, token=token, outcome=outcome, code=body.code, changed=changed)
        return reply({"changed": changed})


def _must_print_here(conn: Connection, user: CurrentUser, merchant_id: int) -> None:
    """Raises Forbidden for somebody else's shop, NotFound for one that prints otherwise."""
    shops.must_own(conn, user, merchant_id)
    found = _PRINTER.first(conn, id=merchant_id)
    if found is None or not (found.printer_url or "").startswith(SCHEME):
        raise NotFound("no_app_printer", f"merchant {merchant_id} has no printer attached to its app")


def _shown(job: Job) -> dict[str, Any]:
    return {
        "token": remote.token_of(job.ticket_id),
        **{name: getattr(job, name) for name in ("ticket_id", "order_id", "order_ref", "order_no", "copy_no")},
    }
