"""Reviewing an order, and reading a merchant's reviews. Which order may be reviewed is `o2o_domain.reviews`."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, func, insert, select
from starlette.responses import Response

from o2o_domain import reviews as rules
from o2o_domain.orders import OrderState
from o2o_domain.refusal import Refused
from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Conflict, Forbidden, Unprocessable, refusal
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders import repository as orders
from o2o_platform.reviews.tables import reviews


class ReviewBody(BaseModel):
    """1 to 5 stars (the rule says so), and a text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stars: int
    text: Annotated[str, Field(max_length=1000)] = ""


def write(conn: Connection, user: CurrentUser, order_id: int, body: ReviewBody, now: float) -> dict[str, Any]:
    """Store the review and put the stars on the order.

    Raises NotFound, Forbidden (somebody else's order), Unprocessable (`bad_stars`), Conflict (`not_finished`,
    `already_reviewed`).
    """
    order = orders.find(conn, order_id)
    if order.user_id != user.id:
        raise Forbidden("not_yours", f"order {order_id} is somebody else's")
    decision = rules.review(body.stars, OrderState(order.state))
    if isinstance(decision, Refused):
        raise refusal(decision, Unprocessable if decision.code == "bad_stars" else Conflict)
    if conn.execute(select(reviews.c.order_id).where(reviews.c.order_id == order_id)).first() is not None:
        raise Conflict("already_reviewed", f"order {order_id}")
    values = {"order_id": order_id, "merchant_id": order.merchant_id, "stars": decision.stars, "text": body.text}
    conn.execute(insert(reviews).values(**values, user_id=user.id, at=now))
    orders.write(conn, order, stars=decision.stars)
    return {**values, "at": now}


def of_merchant(conn: Connection, merchant_id: int, limit: int) -> dict[str, Any]:
    """A merchant's reviews, newest first, and the mean of all its stars (null without any)."""
    merchants.find(conn, merchant_id)
    count, mean = conn.execute(
        select(func.count(), func.avg(reviews.c.stars)).where(reviews.c.merchant_id == merchant_id)
    ).one()
    names = ("order_id", "stars", "text", "at")
    newest = (
        select(*(reviews.c[name] for name in names))
        .where(reviews.c.merchant_id == merchant_id)
        .order_by(reviews.c.at.desc(), reviews.c.order_id.desc())
        .limit(limit)
    )
    found = [dict(row) for row in conn.execute(newest).mappings()]
    return {
        "merchant_id": merchant_id,
        "count": count,
        "mean_stars": None if mean is None else float(mean),
        "reviews": found,
    }


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes."""

    @app.post("/orders/{order_id}/review", status_code=201, tags=["reviews"])
    async def create(order_id: int, body: ReviewBody, user: CurrentUser = require(Permission.PLACE_ORDER)) -> Response:
        """Review an own order, once it is delivered or redeemed. 409 a second time."""
        now = ctx.clock.now()
        return reply(await ctx.db.write(lambda conn: write(conn, user, order_id, body, now)), 201)

    @app.get("/merchants/{merchant_id}/reviews", tags=["reviews"])
    async def show(merchant_id: int, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> Response:
        """A merchant's newest reviews and its mean stars."""
        return reply(await ctx.db.read(lambda conn: of_merchant(conn, merchant_id, limit)))
