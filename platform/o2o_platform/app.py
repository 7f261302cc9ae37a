"""The composition of the reference platform: one FastAPI app out of features.

Decides the order of start-up (database, features, recovery, background tasks) and of closing. Each feature module has
`register(app, ctx)`, which adds its routes, hooks and tasks; nothing else is known of it here. To add a feature, write
its folder and name it in FEATURES.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib import import_module

import httpx
from fastapi import FastAPI

from o2o_platform import errors
from o2o_platform.front import Front, Platform
from o2o_platform.hot_lane import HotLane, Tokens
from o2o_platform.kit import health, tailing
from o2o_platform.kit.background import Background
from o2o_platform.kit.clock import Clock, SystemClock
from o2o_platform.kit.context import Context
from o2o_platform.kit.database import open_database
from o2o_platform.kit.duties import ALL, Duty
from o2o_platform.kit.logs import RequestLines
from o2o_platform.kit.stream import Stream
from o2o_platform.kit.web import Route
from o2o_platform.settings import Settings

FEATURES: tuple[str, ...] = (
    "accounts.routes",
    "merchants.routes",
    "wallets.routes",
    "reservation.routes",
    "orders.routes",
    "payments.routes",
    "printing.routes",
    "notices.routes",
    "delivery.routes",
    "feeds.routes",
    "coupons.routes",
    "deals.routes",
    "reviews.routes",
    "helpers.routes",
    "crm.routes",
    "export.routes",
    "apidocs.routes",
)
"""Module names of the features, each with `register(app, ctx)`."""

Register = Callable[[FastAPI, Context], None]


def create_app(
    settings: Settings,
    *,
    duties: frozenset[Duty] = ALL,
    clock: Clock | None = None,
    provider_transport: httpx.AsyncBaseTransport | None = None,
) -> FastAPI:
    """The platform as an ASGI app that does its `duties`; recovery and tasks start with the app's lifespan.

    Raises PlatformError if the settings name no database that can be used.
    `provider_transport` replaces the network to the payment provider (tests: httpx.ASGITransport of the sandbox).
    """
    clock = clock or SystemClock()
    registers = [_register(name) for name in FEATURES]  # imports hang up the tables
    db = open_database(
        settings.database_url,
        readers=settings.readers,
        connections=settings.connections,
        durable=settings.durable,
        now=clock.now,
    )
    stream = Stream(db.events_after)
    db.on_commit = stream.delivered
    hot = HotLane(Tokens(settings.jwt_secret, clock))
    ctx = Context(settings, clock, db, stream, Background(clock, duties, db.lease), hot, duties)
    if db.dialect == "postgresql":
        ctx.redis = tailing.redis_of(settings)
        ctx.relay = tailing.relay(ctx.background, db, ctx.redis, clock, settings, ctx.queues)
        tailing.tail(ctx.background, ctx.redis, stream)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        await db.start()
        stream.begin_at(await tailing.end_of(ctx.redis) if ctx.redis else db.last_event)
        for recover in ctx.on_start:
            await recover()
        ctx.background.start()
        app.state.ready = True
        try:
            yield
        finally:
            app.state.ready = False
            stream.close()
            await ctx.background.stop()
            await db.stop()
            if ctx.redis:
                await ctx.redis.close()

    app = Platform(title="o2o reference platform", version="0.1.0", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.router.route_class = Route
    app.state.ctx = ctx
    app.state.ready = False
    app.state.provider_transport = provider_transport
    errors.install(app)
    health.install(app, ctx)
    app.put_in_front(lambda inner: Front(inner, hot, ctx.meters, RequestLines(settings.log_sample)))
    for register in registers:
        register(app, ctx)
    return app


def _register(name: str) -> Register:
    register: Register = import_module(f"o2o_platform.{name}").register
    return register
