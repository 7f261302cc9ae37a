"""Feeds: what happened, as server-sent events (W9).

Decides who sees what (staff everything, others what is theirs), and that a feed can be resumed: each event's id is the
stream's cursor, so `Last-Event-ID` (header, or `?after=`) takes it up again without a gap. Without either a feed begins
with the next event. A comment line goes out when nothing else does, so that dead connections are noticed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any

import msgspec
from fastapi import Depends, FastAPI, Query, Request
from sqlalchemy import Connection, or_, select
from starlette.responses import Response, StreamingResponse

from o2o_domain.roles import Permission, Role, allowed
from o2o_platform.accounts.dependencies import current_user
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Forbidden, Unprocessable
from o2o_platform.kit.context import Context
from o2o_platform.kit.outbox import Event, Position
from o2o_platform.merchants.tables import merchants

PING_S = 15.0
ORDER_TOPICS = ("orders", "tickets")
RIDER_TOPICS = ("riders",)

Sees = Callable[[dict[str, Any]], bool]


def register(app: FastAPI, ctx: Context) -> None:
    """Add the routes."""

    def respond(request: Request, after: str | None, topics: Sequence[str], sees: Sees) -> Response:
        cursor = _cursor(request, after, ctx.stream.last_id)
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        lines = _lines(ctx, topics, cursor, sees)
        return StreamingResponse(lines, media_type="text/event-stream", headers=headers)

    @app.get("/feed/orders", tags=["feeds"])
    async def orders(
        request: Request,
        after: str | None = Query(default=None, max_length=48),
        user: CurrentUser = Depends(current_user),
    ) -> Response:
        """Events of orders and their tickets: all for staff, else those of one's own orders or shops."""
        return respond(request, after, ORDER_TOPICS, await _order_filter(ctx, user))

    @app.get("/feed/riders", tags=["feeds"])
    async def riders(
        request: Request,
        after: str | None = Query(default=None, max_length=48),
        user: CurrentUser = Depends(current_user),
    ) -> Response:
        """Assignments and withdrawals: all for staff, one's own for a rider."""
        if allowed(user.role, Permission.SEE_ALL_ORDERS):
            return respond(request, after, RIDER_TOPICS, _everything)
        if user.role is not Role.RIDER:
            raise Forbidden("forbidden", f"a {user.role.value} may not see the riders' feed")
        return respond(request, after, RIDER_TOPICS, lambda payload: payload["rider_id"] == user.id)


def _everything(payload: dict[str, Any]) -> bool:
    return True


async def _order_filter(ctx: Context, user: CurrentUser) -> Sees:
    if allowed(user.role, Permission.SEE_ALL_ORDERS):
        return _everything
    if user.role is Role.MERCHANT:

        def unit(conn: Connection) -> frozenset[int]:
            mine = or_(merchants.c.ref == user.merchant_ref, merchants.c.owner_ref == user.ref)
            return frozenset(conn.execute(select(merchants.c.id).where(mine)).scalars())

        shops = await ctx.db.read(unit)
        return lambda payload: payload["merchant_id"] in shops
    if user.role is Role.RIDER:
        return lambda payload: payload.get("rider_id") == user.id
    return lambda payload: payload.get("user_id") == user.id


def _cursor(request: Request, after: str | None, newest: Position) -> Position:
    text = request.headers.get("last-event-id", after)
    if text is None:
        return newest
    try:
        return Position.parse(text)
    except ValueError:
        raise Unprocessable("last_event_id", "Last-Event-ID (or ?after=) must be the id of an event") from None


async def _lines(ctx: Context, topics: Sequence[str], cursor: Position, sees: Sees) -> AsyncIterator[bytes]:
    yield b": feed\n\n"  # headers reach the client before the first event
    queue: asyncio.Queue[bytes | None] = asyncio.Queue(maxsize=1000)

    async def pump() -> None:
        async with aclosing(ctx.stream.subscribe(topics, cursor)) as events:
            async for event in events:
                if sees(event.payload):
                    await queue.put(encode(event))
        await queue.put(None)

    task = asyncio.create_task(pump())
    try:
        while True:
            try:
                first = await asyncio.wait_for(queue.get(), PING_S)
            except TimeoutError:
                yield b": ping\n\n"
                continue
            lines = [first]
            while not queue.empty():
                lines.append(queue.get_nowait())
            ended = None in lines
            yield b"".join(line for line in lines if line is not None)
            if ended:
                return
    finally:
        task.cancel()


def encode(event: Event) -> bytes:
    """One event as the client reads it."""
    data = msgspec.json.encode({"event": event.name, "topic": event.topic, "at": event.at, **event.payload})
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (str(event.id).encode(), event.name.encode(), data)
