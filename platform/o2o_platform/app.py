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
from fastapi import FastAPI, Request
from starlette.responses import Response

from o2o_platform import errors
from o2o_platform.hot_lane import HotLane, Tokens
from o2o_platform.kit.background import Background
from o2o_platform.kit.clock import Clock, SystemClock
from o2o_platform.kit.context import Context
from o2o_platform.kit.database import Database
from o2o_platform.kit.stream import Stream
from o2o_platform.kit.web import reply
from o2o_platform.settings import Settings

FEATURES: tuple[str, ...] = (
    "accounts.routes",
    "merchants.routes",
    "orders.routes",
    "payments.routes",
    "printing.routes",
    "delivery.routes",
    "feeds.routes",
    "coupons.routes",
    "deals.routes",
    "reviews.routes",
    "crm.routes",
    "export.routes",
    "apidocs.routes",
)
"""Module names of the features, each with `register(app, ctx)`."""

Register = Callable[[FastAPI, Context], None]


def create_app(
    settings: Settings, *, clock: Clock | None = None, provider_transport: httpx.AsyncBaseTransport | None = None
) -> FastAPI:
    """The platform as an ASGI app. The database is opened here; recovery and tasks start with the app's lifespan.

    `provider_transport` replaces the network to the payment provider (tests: httpx.ASGITransport of the sandbox).
    """
    clock = clock or SystemClock()
    registers = [_register(name) for name in FEATURES]  # imports hang up the tables
    db = Database(settings.database_url, readers=settings.readers, durable=settings.durable, now=clock.now)
    stream = Stream(db.read, db.last_event)
    db.on_commit = stream.delivered
    hot = HotLane(Tokens(settings.jwt_secret, clock))
    ctx = Context(settings, clock, db, stream, Background(clock), hot)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
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
            db.close()

    app = FastAPI(title="o2o reference platform", version="0.1.0", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.ctx = ctx
    app.state.ready = False
    app.state.provider_transport = provider_transport
    errors.install(app)
    hot.install(app)
    _health(app)
    for register in registers:
        register(app, ctx)
    return app


def _register(name: str) -> Register:
    register: Register = import_module(f"o2o_platform.{name}").register
    return register


def _health(app: FastAPI) -> None:
    @app.get("/healthz", tags=["health"])
    async def healthz() -> Response:
        """The process is alive."""
        return reply({"status": "ok"})

    @app.get("/readyz", tags=["health"])
    async def readyz(request: Request) -> Response:
        """The database answers and recovery has ended."""
        if not request.app.state.ready:
            raise errors.Unavailable("starting", "recovery has not ended")
        await app.state.ctx.db.read(lambda conn: conn.exec_driver_sql("SELECT 1").scalar())
        return reply({"status": "ready"})
