"""Leads over HTTP (C1, C6-C8, C13), and the periodic recycle.

Decides which HTTP status a refusal has: 404 unknown, 403 not the owner or not the superior, 422 senseless, else 409.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Query
from pydantic import Field
from sqlalchemy import Connection, Row
from starlette.responses import Response

from o2o_domain.refusal import Refused
from o2o_domain.roles import Permission, allowed
from o2o_platform.accounts import repository as accounts
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.crm import exports, history, holds, nearby, pools, recycle, repository, views, visits
from o2o_platform.crm.bodies import AssignBody, ContractBody, LeadBody, VisitBody
from o2o_platform.crm.visits import CheckIn
from o2o_platform.errors import Conflict, Forbidden, NotFound, PlatformError, Unprocessable, refusal
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.merchants.bodies import Latitude, Longitude

MAX_BULK = 50_000

_KINDS: dict[str, type[PlatformError]] = {
    "unknown_lead": NotFound,
    "not_owner": Forbidden,
    "not_superior": Forbidden,
    "not_a_bd": Unprocessable,
}


def _ok(outcome: Row[Any] | Refused) -> Response:
    if isinstance(outcome, Refused):
        raise refusal(outcome, _KINDS.get(outcome.code, Conflict))
    return reply(views.view(outcome))


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes, the recycle and the exports."""
    ctx.exports["leads"] = exports.lead_rows(holds.policy_of(ctx.settings), ctx.clock.now)
    ctx.exports["lead_events"] = exports.event_rows
    ctx.exports["visits"] = exports.visit_rows
    _reading(app, ctx)
    _working(app, ctx)
    _recycling(app, ctx)


def _reading(app: FastAPI, ctx: Context) -> None:
    @app.get("/crm/leads/open", tags=["crm"])
    async def nearest(
        lat: Latitude,
        lng: Longitude,
        k: Annotated[int, Query(ge=1, le=200)] = 20,
        user: CurrentUser = require(Permission.WORK_LEADS),
    ) -> Response:
        """The k nearest leads of the public pool (C13)."""
        now = ctx.clock.now()
        found = await ctx.db.read(lambda conn: nearby.nearest(conn, lat, lng, k, now))
        return reply({"leads": [views.view(lead, metres) for lead, metres in found]})

    @app.get("/crm/leads/mine", tags=["crm"])
    async def mine(user: CurrentUser = require(Permission.WORK_LEADS)) -> Response:
        """The own private pool: first what drops first, in `due_in_s` seconds unless something happens to it."""
        now = ctx.clock.now()
        found = await ctx.db.read(lambda conn: views.held(conn, user.id, now))
        held = [{**views.view(lead), "due_in_s": lead.due_at - now} for lead in found]
        return reply({"quota": ctx.settings.pool_quota, "leads": held})

    @app.get("/crm/leads/team", tags=["crm"])
    async def team(user: CurrentUser = require(Permission.ASSIGN_LEAD)) -> Response:
        """The private pools of everybody below the asker, and of nobody else (A7)."""
        now = ctx.clock.now()
        found = await ctx.db.read(lambda conn: views.held_below(conn, user.id, now))
        return reply({"leads": [views.view(lead) for lead in found]})

    async def seen(lead_id: int, user: CurrentUser, unit: Callable[[Connection, Row[Any]], Any]) -> Response:
        def read(conn: Connection) -> Any:
            lead = repository.find(conn, lead_id)
            if lead is None:
                raise refusal(repository.UNKNOWN, NotFound)
            views.may_see(user, lead)
            return unit(conn, lead)

        return reply(await ctx.db.read(read))

    @app.get("/crm/leads/{lead_id}", tags=["crm"])
    async def show(
        lead_id: int, user: CurrentUser = require(Permission.WORK_LEADS, Permission.SEE_ALL_LEADS)
    ) -> Response:
        """One lead."""
        return await seen(lead_id, user, lambda _, lead: views.view(lead))

    @app.get("/crm/leads/{lead_id}/history", tags=["crm"])
    async def events(
        lead_id: int, user: CurrentUser = require(Permission.WORK_LEADS, Permission.SEE_ALL_LEADS)
    ) -> Response:
        """Everything that happened to a lead, oldest first (C1)."""
        return await seen(lead_id, user, lambda conn, lead: {"events": history.of_lead(conn, lead.id)})


def _working(app: FastAPI, ctx: Context) -> None:
    policy = holds.policy_of(ctx.settings)

    @app.post("/crm/leads", status_code=201, tags=["crm"])
    async def add(body: LeadBody, user: CurrentUser = require(Permission.ADD_LEAD)) -> Response:
        """Add a lead to the public pool."""
        now = ctx.clock.now()
        ids = await ctx.db.write(lambda conn: repository.create(conn, [body.value()], actor_id=user.id, now=now))
        return reply({"ref": body.ref, "id": ids[0]}, 201)

    @app.post("/crm/leads:bulk", status_code=201, tags=["crm"])
    async def add_many(
        body: Annotated[list[LeadBody], Field(max_length=MAX_BULK)],
        user: CurrentUser = require(Permission.ADD_LEAD),
    ) -> Response:
        """Add many leads; a ref that is known already keeps its lead."""
        now, new = ctx.clock.now(), [one.value() for one in body]
        ids = await ctx.db.write(lambda conn: repository.create(conn, new, actor_id=user.id, now=now), long=True)
        made = [{"ref": lead.ref, "id": lead_id} for lead, lead_id in zip(new, ids, strict=True)]
        return reply({"leads": made}, 201)

    @app.post("/crm/leads/{lead_id}/claim", tags=["crm"])
    async def claim(lead_id: int, user: CurrentUser = require(Permission.WORK_LEADS)) -> Response:
        """Take a public lead (C6). 409: already_owned (also by oneself) or quota_reached."""
        now, bd_id = ctx.clock.now(), user.id
        return _ok(
            await ctx.db.write(lambda conn: pools.claim(conn, lead_id=lead_id, bd_id=bd_id, policy=policy, now=now))
        )

    @app.post("/crm/leads/{lead_id}/release", tags=["crm"])
    async def release(lead_id: int, user: CurrentUser = require(Permission.WORK_LEADS)) -> Response:
        """Put an own lead back."""
        now, bd_id = ctx.clock.now(), user.id
        return _ok(
            await ctx.db.write(lambda conn: pools.release(conn, lead_id=lead_id, bd_id=bd_id, policy=policy, now=now))
        )

    @app.post("/crm/leads/{lead_id}/extend", tags=["crm"])
    async def extend(lead_id: int, user: CurrentUser = require(Permission.WORK_LEADS)) -> Response:
        """Lengthen the protection of an own lead (C8). 409: no_extensions_left."""
        now, bd_id = ctx.clock.now(), user.id
        return _ok(
            await ctx.db.write(lambda conn: pools.extend(conn, lead_id=lead_id, bd_id=bd_id, policy=policy, now=now))
        )

    @app.post("/crm/leads/{lead_id}/visits", status_code=201, tags=["crm"])
    async def visit(lead_id: int, body: VisitBody, user: CurrentUser = require(Permission.WORK_LEADS)) -> Response:
        """Check in at the store of an own lead. 409 too_far: only within `visit_radius_m` metres (C13)."""
        now, bd_id, radius_m = ctx.clock.now(), user.id, ctx.settings.visit_radius_m
        at = CheckIn(body.lat, body.lng, body.note)
        outcome = await ctx.db.write(
            lambda conn: visits.visit(
                conn, lead_id=lead_id, bd_id=bd_id, at=at, radius_m=radius_m, policy=policy, now=now
            )
        )
        if isinstance(outcome, Refused):
            raise refusal(outcome, _KINDS.get(outcome.code, Conflict))
        return reply({"visit_id": outcome, "lead_id": lead_id, "at": now}, 201)

    @app.post("/crm/leads/{lead_id}/contract", tags=["crm"])
    async def contract(
        lead_id: int, body: ContractBody | None = None, user: CurrentUser = require(Permission.WORK_LEADS)
    ) -> Response:
        """Bring the signed contract of an own lead. 409: no_visit (C1), already_signed."""
        now, bd_id, convert = ctx.clock.now(), user.id, (body or ContractBody()).convert
        return _ok(
            await ctx.db.write(
                lambda conn: visits.sign(conn, lead_id=lead_id, bd_id=bd_id, convert=convert, policy=policy, now=now)
            )
        )

    @app.post("/crm/leads/{lead_id}/assign", tags=["crm"])
    async def assign(lead_id: int, body: AssignBody, user: CurrentUser = require(Permission.ASSIGN_LEAD)) -> Response:
        """Give a lead to a subordinate (C8). 403 unless the asker is above the BD, and above who holds it now."""
        now = ctx.clock.now()

        def unit(conn: Connection) -> Row[Any] | Refused:
            target = accounts.by_id(conn, body.to)
            if target is None or not allowed(target.role, Permission.WORK_LEADS):
                return Refused("not_a_bd", f"account {body.to} does not work leads")
            return pools.assign(conn, lead_id=lead_id, to=body.to, by=user.id, policy=policy, now=now)

        return _ok(await ctx.db.write(unit))


def _recycling(app: FastAPI, ctx: Context) -> None:
    policy = holds.policy_of(ctx.settings)

    async def sweep() -> Counter[str]:
        """Drop everything that is due, a batch a unit."""
        reasons: Counter[str] = Counter()
        while True:
            now = ctx.clock.now()
            dropped = await ctx.db.write(lambda conn: recycle.sweep(conn, policy, now), long=True)  # noqa: B023 - awaited here
            reasons += dropped
            if dropped.total() < recycle.BATCH:
                return reasons

    async def every_so_often() -> None:
        while True:
            await ctx.clock.sleep(ctx.settings.pool_recycle_interval_s)
            await sweep()

    async def reschedule() -> None:
        await ctx.db.write(lambda conn: recycle.reschedule(conn, policy), long=True)

    ctx.on_start.append(reschedule)
    ctx.background.add("recycle leads", every_so_often)

    @app.post("/crm/recycle", tags=["crm"])
    async def run(user: CurrentUser = require(Permission.RECYCLE_LEADS)) -> Response:
        """Drop now whatever is due (it also happens every `pool_recycle_interval_s` by itself)."""
        reasons = await sweep()
        return reply({"dropped": reasons.total(), "reasons": dict(reasons)})
