"""Routes of merchants: create (singly, in bulk), near me, menu, printer, dishes on and off the shelf (G2)."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import Field
from sqlalchemy import Connection
from starlette.responses import Response

from o2o_domain.roles import Permission, allowed
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Conflict
from o2o_platform.kit.cache import TOPIC as FACTS
from o2o_platform.kit.context import Context
from o2o_platform.kit.outbox import publish
from o2o_platform.kit.web import reply
from o2o_platform.merchants import repository
from o2o_platform.merchants.bodies import DishChange, Latitude, Longitude, MerchantBody, PrinterBody
from o2o_platform.merchants.near import near
from o2o_platform.merchants.views import dish_view, menu_view, merchant_view

MAX_BULK = 20_000


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes and the export of stock."""
    ctx.exports["stock"] = repository.stock_rows

    @app.post("/admin/merchants:bulk", status_code=201, tags=["merchants"])
    async def bulk(
        body: Annotated[list[MerchantBody], Field(max_length=MAX_BULK)],
        user: CurrentUser = require(Permission.MANAGE_MERCHANTS),
    ) -> Response:
        """Create many merchants with their menus; a ref that exists already is left as it is and its ids returned."""
        made = await ctx.db.write(lambda conn: [_add(conn, merchant) for merchant in body], long=True)
        return reply({"merchants": made}, 201)

    @app.post("/merchants", status_code=201, tags=["merchants"])
    async def create(body: MerchantBody, user: CurrentUser = require(Permission.MANAGE_MERCHANTS)) -> Response:
        """Create one merchant."""

        def unit(conn: Connection) -> dict[str, Any]:
            if repository.find_by_ref(conn, body.ref) is not None:
                raise Conflict("ref_taken", f"merchant {body.ref}")
            return _add(conn, body)

        return reply(await ctx.db.write(unit), 201)

    @app.get("/merchants", tags=["merchants"])
    async def near_me(
        lat: Latitude,
        lng: Longitude,
        radius_m: Annotated[float, Query(gt=0, le=50_000)] = 3000.0,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Response:
        """Merchants within `radius_m` metres, nearest first."""
        found = await ctx.db.read(lambda conn: near(conn, lat, lng, radius_m, limit))
        return reply({"merchants": [{**merchant_view(row), "distance_m": round(metres, 1)} for row, metres in found]})

    @app.get("/merchants/{merchant_id}/menu", tags=["merchants"])
    async def menu(merchant_id: int) -> Response:
        """Dishes that can be ordered; what is off the shelf or sold out is not shown."""
        return reply(await ctx.db.read(lambda conn: menu_view(conn, merchant_id)))

    @app.put("/merchants/{merchant_id}/printer", tags=["merchants"])
    async def printer(
        merchant_id: int, body: PrinterBody, user: CurrentUser = require(Permission.MANAGE_MENU)
    ) -> Response:
        """Say what the merchant prints on; tickets that wait go to it."""

        def unit(conn: Connection) -> None:
            repository.find(conn, merchant_id)
            _must_run(conn, user, merchant_id)
            repository.must_be_free(conn, body.address, but=merchant_id)
            values = repository.printer_values(body.address, body.width_cols, body.secret)
            repository.set_printer(conn, merchant_id, values)
            for changed in ctx.printer_changed:
                changed(conn, merchant_id, ctx.clock.now())

        await ctx.db.write(unit)
        return reply({"merchant_id": merchant_id, "url": body.address.url, "width_cols": body.width_cols})

    @app.patch("/merchants/{merchant_id}/dishes/{dish_id}", tags=["merchants"])
    async def change(
        merchant_id: int, dish_id: int, body: DishChange, user: CurrentUser = require(Permission.MANAGE_MENU)
    ) -> Response:
        """Change price, stock level, name or shelf of a dish."""

        def unit(conn: Connection) -> dict[str, Any]:
            _must_run(conn, user, merchant_id)
            changed = repository.change_dish(conn, merchant_id, dish_id, body.model_dump())
            publish(conn, FACTS, "menu", ctx.clock.now(), merchant_id=merchant_id)
            return dish_view(changed)

        return reply(await ctx.db.write(unit))


def _must_run(conn: Connection, user: CurrentUser, merchant_id: int) -> None:
    if not allowed(user.role, Permission.MANAGE_MERCHANTS):
        repository.must_own(conn, user, merchant_id)


def _add(conn: Connection, body: MerchantBody) -> dict[str, Any]:
    existing = repository.find_by_ref(conn, body.ref)
    if existing is not None:
        dishes = [{"ref": dish.ref, "id": dish.id} for dish in repository.menu(conn, existing.id)]
        return {"ref": body.ref, "id": existing.id, "dishes": dishes}
    values: dict[str, Any] = body.model_dump(exclude={"dishes", "printer"})
    printer = body.printer
    if printer is None:
        values |= repository.printer_values(None, 48, None)
    else:
        repository.must_be_free(conn, printer.address)
        values |= repository.printer_values(printer.address, printer.width_cols, printer.secret)
    merchant_id = repository.add_merchant(conn, values)
    ids = repository.add_dishes(conn, merchant_id, [dish.model_dump() for dish in body.dishes])
    dishes = [{"ref": dish.ref, "id": dish_id} for dish, dish_id in zip(body.dishes, ids, strict=True)]
    return {"ref": body.ref, "id": merchant_id, "dishes": dishes}
