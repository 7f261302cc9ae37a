"""Routes of notices: staff see all, merchants their own and answer them; and the task that sends."""

from __future__ import annotations

from typing import Literal

from fastapi import FastAPI, Query
from pydantic import BaseModel
from sqlalchemy import Connection, or_, select
from starlette.responses import Response

from o2o_domain.notices import Answer
from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.merchants.repository import must_own
from o2o_platform.merchants.tables import merchants
from o2o_platform.notices import repository
from o2o_platform.notices.notifier import Sender, StandIn
from o2o_platform.orders.views import sees_all

PAGE = 100
Level = Literal["app", "sms", "phone"]


class AnswerBody(BaseModel):
    """What the merchant says: the order is known, or its ticket was written by hand."""

    answer: Literal["got_it", "by_hand"]


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes, the export and the sender."""
    ctx.exports["notices"] = repository.rows
    ctx.background.add("notices", Sender(ctx, StandIn()).run)

    @app.get("/admin/notices", tags=["tickets"])
    async def everybodys(
        after: int = Query(default=0, ge=0),
        limit: int = Query(default=PAGE, ge=1, le=1000),
        level: Level | None = None,
        user: CurrentUser = require(Permission.SEE_ALL_ORDERS),
    ) -> Response:
        """What merchants were told about tickets, and what came back."""
        found = await ctx.db.read(lambda conn: repository.listed(conn, after=after, limit=limit, level=level))
        return reply({"notices": found})

    @app.get("/notices", tags=["tickets"])
    async def own(
        after: int = Query(default=0, ge=0),
        limit: int = Query(default=PAGE, ge=1, le=1000),
        user: CurrentUser = require(Permission.WORK_ORDERS),
    ) -> Response:
        """What the merchant's own shops were told."""

        def unit(conn: Connection) -> list[dict[str, object]]:
            mine = or_(merchants.c.ref == user.merchant_ref, merchants.c.owner_ref == user.ref)
            shops = list(conn.execute(select(merchants.c.id).where(mine)).scalars())
            return repository.listed(conn, after=after, limit=limit, merchant_ids=shops)

        return reply({"notices": await ctx.db.read(unit)})

    @app.post("/notices/{notice_id}/answer", tags=["tickets"])
    async def answer(notice_id: int, body: AnswerBody, user: CurrentUser = require(Permission.WORK_ORDERS)) -> Response:
        """The merchant says something to a notice; the same again changes nothing."""
        now = ctx.clock.now()

        def unit(conn: Connection) -> Answer:
            notice = repository.find(conn, notice_id)
            if not sees_all(user):
                must_own(conn, user, notice.merchant_id)
            return repository.answer(conn, notice, Answer(body.answer), now)

        return reply({"notice_id": notice_id, "answer": await ctx.db.write(unit)})
