"""How a process is: alive, ready for work, and in figures.

    GET /healthz    200: the process answers
    GET /readyz     200: what this process needs answers too; 503 with `missing`: what does not, and why
    GET /metrics    Prometheus' text format

Decides what a process needs: its database, Redis if its stream is there, its own duties running, its recovery ended. A
process that is told to end is not ready any more. Nothing here asks for anything but a process's own dependencies: a
relay that is away makes no worker unready. A process without the duty HTTP answers nothing else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from fastapi import FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from o2o_platform.errors import error_response
from o2o_platform.kit.context import Context
from o2o_platform.kit.duties import Duty
from o2o_platform.kit.redis_stream import RedisStream
from o2o_platform.kit.web import reply

PATHS = frozenset({"/healthz", "/readyz", "/metrics"})
ANSWER_S = 2.0
"""What has not answered by then is missing."""

Check = Callable[[], Awaitable[str]]
"""Says what is wrong; "" if nothing is. What it raises is wrong too."""


def install(app: FastAPI, ctx: Context) -> None:
    """Add the routes, and the figures that every process has."""
    checks: dict[str, Check] = {"startup": lambda: _started(app), "database": lambda: _database(ctx)}
    if (stream := ctx.redis) is not None:
        checks["redis"] = lambda: _redis(stream)
    checks["duties"] = lambda: _duties(ctx)
    _figures(ctx)

    @app.get("/healthz", tags=["health"])
    async def healthz() -> Response:
        """The process is alive."""
        return reply({"status": "ok"})

    @app.get("/readyz", tags=["health"])
    async def readyz(request: Request) -> Response:
        """What this process needs answers, and recovery has ended; else 503 with what is missing."""
        told = await asyncio.gather(*(_outcome(check) for check in checks.values()))
        missing = {name: wrong for name, wrong in zip(checks, told, strict=True) if wrong}
        if not missing:
            return reply({"status": "ready"})
        detail = "; ".join(f"{name}: {wrong}" for name, wrong in missing.items())
        return reply({"status": "not_ready", "missing": missing, "error": {"code": "not_ready", "detail": detail}}, 503)

    @app.get("/metrics", tags=["health"])
    async def metrics(request: Request) -> Response:
        """Counts and figures of this process, in Prometheus' text format."""
        return Response(await ctx.meters.exposition(), media_type=CONTENT_TYPE_LATEST)

    if Duty.HTTP not in ctx.duties:
        app.add_middleware(_HealthOnly)


class _HealthOnly:
    """The API is the workers': here only the three paths are answered."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] not in PATHS:
            response = error_response(404, "not_found", "this process answers /healthz, /readyz and /metrics")
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


async def _outcome(check: Check) -> str:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await check()
    except TimeoutError:
        return f"no answer in {ANSWER_S:g} s"
    except Exception as error:  # whatever it is, it is what is wrong
        return (str(error).splitlines() or [type(error).__name__])[0]


async def _started(app: FastAPI) -> str:
    return "" if app.state.ready else "starting, or told to end"


async def _database(ctx: Context) -> str:
    await ctx.db.read(lambda conn: conn.exec_driver_sql("SELECT 1").scalar(), quick=True)
    return ""


async def _redis(stream: RedisStream) -> str:
    await stream.client.ping()
    return ""


async def _duties(ctx: Context) -> str:
    return ", ".join(f"{name} failed: {why}" for name, why in ctx.background.failing.items())


def _figures(ctx: Context) -> None:
    meters, db = ctx.meters, ctx.db
    meters.read("db_units_total", "Units of work committed.", lambda: db.units, kind="counter")
    meters.read("db_transactions_total", "Transactions committed.", lambda: db.transactions, kind="counter")
    meters.read("db_retries_total", "Units of work that were run again.", lambda: db.retries, kind="counter")
    if (relay := ctx.relay) is not None and Duty.RELAY in ctx.duties:
        meters.read("relay", "What the relay has done, and how far behind it is (lag_s).", lambda: relay.figures)
    meters.read("sweeping", "1 if this process runs the sweeps.", lambda: float(ctx.background.sweeping))
    meters.read(
        "duty", "1 for each duty of this process.", lambda: dict.fromkeys(sorted(ctx.duties), 1.0), label="duty"
    )
