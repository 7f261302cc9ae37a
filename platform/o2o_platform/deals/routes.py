"""Deals and vouchers over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Header, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection
from starlette.responses import Response

from o2o_domain.roles import Permission, Role
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.deals import repository, vouchers
from o2o_platform.deals.vouchers import Channel
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.merchants import repository as merchants
from o2o_platform.merchants.bodies import Latitude, Longitude
from o2o_platform.orders import repository as orders

MAX_BULK = 20_000
_STAFF = frozenset({Role.OPERATOR, Role.ADMIN})

Fen = Annotated[int, Field(ge=0, le=10**9)]
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=1, max_length=128)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DealBody(_Body):
    """`stock` pieces at `price_fen` instead of `list_fen`, to be bought and redeemed until `valid_until` (unix s)."""

    merchant_id: int
    title: Annotated[str, Field(max_length=128)]
    price_fen: Fen
    list_fen: Fen
    stock: Annotated[int, Field(ge=0, le=10**9)]
    valid_until: float
    ref: Annotated[str, Field(min_length=1, max_length=64)] | None = None


class BuyBody(_Body):
    """How many pieces, and what pays for them; may be left out."""

    qty: int = 1
    pay_with: Literal["provider", "balance"] = "provider"


class RedeemBody(_Body):
    """By which channel; may be left out."""

    channel: Channel = Channel.QR


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes, the deal's part in payment and closing, and the export of vouchers."""
    ctx.paid["deal"] = vouchers.paid
    ctx.closed["deal"] = repository.give_back
    ctx.exports["vouchers"] = vouchers.export

    def publish_one(conn: Connection, user: CurrentUser, body: DealBody, now: float) -> dict[str, Any]:
        if user.role not in _STAFF:
            merchants.must_own(conn, user, body.merchant_id)
        return repository.view(repository.publish(conn, body.model_dump(), by=user.id, now=now))

    @app.post("/deals", status_code=201, tags=["deals"])
    async def publish(body: DealBody, user: CurrentUser = require(Permission.PUBLISH_DEAL)) -> Response:
        """Publish a deal: audited by rule, on line at once (A12). 422 with the reason if the rules do not pass it."""
        now = ctx.clock.now()
        return reply(await ctx.db.write(lambda conn: publish_one(conn, user, body, now)), 201)

    @app.post("/deals:bulk", status_code=201, tags=["deals"])
    async def publish_many(
        body: Annotated[list[DealBody], Field(max_length=MAX_BULK)],
        user: CurrentUser = require(Permission.PUBLISH_DEAL),
    ) -> Response:
        """Publish many, all or none."""
        now = ctx.clock.now()
        made = await ctx.db.write(lambda conn: [publish_one(conn, user, one, now) for one in body], long=True)
        return reply({"deals": made}, 201)

    @app.get("/deals", tags=["deals"])
    async def near_me(
        lat: Latitude,
        lng: Longitude,
        radius_m: Annotated[float, Query(gt=0, le=50_000)] = 3000.0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        """Deals that can be bought now within `radius_m` metres, nearest first."""
        now = ctx.clock.now()
        found = await ctx.db.read(lambda conn: repository.near_me(conn, lat, lng, radius_m, limit, now))
        return reply({"deals": [{**repository.view(row), "distance_m": round(metres, 1)} for row, metres in found]})

    @app.get("/deals/{deal_id}", tags=["deals"])
    async def show(deal_id: int) -> Response:
        """One deal."""
        return reply(await ctx.db.read(lambda conn: repository.view(repository.find(conn, deal_id))))

    @app.post("/deals/{deal_id}/buy", status_code=201, tags=["deals"])
    async def buy(
        deal_id: int, key: Key, body: BuyBody | None = None, user: CurrentUser = require(Permission.PLACE_ORDER)
    ) -> Response:
        """Buy pieces of a deal; the answer is that of POST /orders, and paying issues the voucher."""
        now, wanted = ctx.clock.now(), body or BuyBody()
        bought = await ctx.db.write(
            lambda conn: repository.buy(conn, ctx, user, key, deal_id, wanted.qty, wanted.pay_with, now)
        )
        answer = reply(bought.answer, 201)
        if bought.again:
            answer.headers["Idempotent-Replayed"] = "true"
        return answer

    _vouchers(app, ctx)


def _vouchers(app: FastAPI, ctx: Context) -> None:
    async def read(unit: Callable[[Connection], dict[str, Any]]) -> Response:
        return reply(await ctx.db.read(unit))

    @app.get("/orders/{order_id}/voucher", tags=["deals"])
    async def of_order(order_id: int, user: CurrentUser = require(Permission.PLACE_ORDER)) -> Response:
        """The voucher of an own purchase; 404 until it is paid."""

        def unit(conn: Connection) -> dict[str, Any]:
            orders.find(conn, order_id)
            row = vouchers.of_order(conn, order_id)
            vouchers.may_see(conn, user, row)
            return vouchers.view(row)

        return await read(unit)

    @app.get("/vouchers/mine", tags=["deals"])
    async def mine(user: CurrentUser = require(Permission.PLACE_ORDER)) -> Response:
        """Own vouchers, newest first, at most 200."""
        return await read(lambda conn: {"vouchers": [vouchers.view(row) for row in vouchers.of_user(conn, user.id)]})

    @app.get("/vouchers/{code}", tags=["deals"])
    async def show(
        code: str, user: CurrentUser = require(Permission.PLACE_ORDER, Permission.REDEEM_VOUCHER)
    ) -> Response:
        """A voucher, for its buyer and for the merchant that it is for."""

        def unit(conn: Connection) -> dict[str, Any]:
            row = vouchers.find(conn, code)
            vouchers.may_see(conn, user, row)
            return vouchers.view(row)

        return await read(unit)

    @app.post("/vouchers/{code}/redeem", tags=["deals"])
    async def redeem(
        code: str, body: RedeemBody | None = None, user: CurrentUser = require(Permission.REDEEM_VOUCHER)
    ) -> Response:
        """Redeem once, by QR, POS or telephone (A6). 409: already redeemed, refunded or expired."""
        now, channel = ctx.clock.now(), (body or RedeemBody()).channel
        return reply(await ctx.db.write(lambda conn: vouchers.redeem(conn, user, code, channel, now)))

    @app.post("/vouchers/{code}/refund", tags=["deals"])
    async def refund(code: str, user: CurrentUser = require(Permission.PLACE_ORDER)) -> Response:
        """Give an unused voucher back. 409 once it is redeemed."""
        now = ctx.clock.now()
        return reply(await ctx.db.write(lambda conn: vouchers.refund(conn, user, code, now)))
