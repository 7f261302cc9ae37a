"""What can be seen of the helpers: a merchant's page, the breakers, and the record of their changes (A3, S11)."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import FastAPI
from sqlalchemy import Connection, func, select
from starlette.responses import Response

from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.helpers import record
from o2o_platform.helpers.feed import Feed, placed_after, reviewed_after
from o2o_platform.helpers.panel import Panel
from o2o_platform.helpers.wire import ReviewSummary, summary
from o2o_platform.kit.context import Context
from o2o_platform.kit.duties import Duty
from o2o_platform.kit.web import reply
from o2o_platform.merchants.views import menu_view
from o2o_platform.reviews.tables import reviews


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes, the seam before an order, the export, and the tasks of record and feeds."""
    panel = Panel(ctx)
    panel.meter(ctx.meters)
    app.state.helpers = panel
    if panel.risk is not None:
        ctx.assess = panel.assess
    ctx.exports["breakers"] = record.rows
    ctx.background.add("breaker record", panel.record.run, Duty.HTTP)
    ctx.background.on_close(panel.close)
    _feeds(ctx)

    @app.get("/merchants/{merchant_id}/page", tags=["merchants"])
    async def page(merchant_id: int) -> Response:
        """The menu, what is recommended beside it, and its reviews in short.

        A part that is not to be had now is null and named in `degraded`; the menu always comes.
        """
        shown, recommended, reviewed = await asyncio.gather(
            ctx.db.read(lambda conn: menu_view(conn, merchant_id)),
            panel.recommend(merchant_id),
            _summary(ctx, panel, merchant_id),
        )
        parts = {"recommendation": recommended, "reviews": reviewed}
        return reply({**shown, **parts, "degraded": [name for name, part in parts.items() if part is None]})

    @app.get("/admin/breakers", tags=["helpers"])
    async def breakers(user: CurrentUser = require(Permission.EXPORT)) -> Response:
        """The breakers of the process that answers, with counts of questions since its start."""
        return reply({"breakers": panel.states()})


def _feeds(ctx: Context) -> None:
    wanted: list[tuple[str, str, Any]] = [
        ("recommendation", ctx.settings.recommendation_url, placed_after),
        ("reviews", ctx.settings.reviews_url, reviewed_after),
    ]
    for name, url, read in wanted:
        if url:
            feed = Feed(ctx, name, url, read)
            ctx.background.add(f"feed of {name}", feed.run, Duty.SWEEPS)
            ctx.background.on_close(feed.close)


async def _summary(ctx: Context, panel: Panel, merchant_id: int) -> ReviewSummary | None:
    if panel.reviews is not None:
        return await panel.review_summary(merchant_id)
    return await ctx.db.read(lambda conn: _counted(conn, merchant_id))


def _counted(conn: Connection, merchant_id: int) -> ReviewSummary:
    """The built-in: counted where the reviews are."""
    query = select(reviews.c.stars, func.count()).where(reviews.c.merchant_id == merchant_id).group_by(reviews.c.stars)
    found: dict[int, int] = {row[0]: row[1] for row in conn.execute(query)}
    return summary((found.get(1, 0), found.get(2, 0), found.get(3, 0), found.get(4, 0), found.get(5, 0)))
