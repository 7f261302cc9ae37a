"""What a feature is given: settings, clock, database, stream, background tasks, and the seams between features.

Decides the seams. A feature never reaches into another's routes; where one must act inside another's unit of work it
hangs a function here at `register`:
- `paid[kind]`, `closed[kind]`: called by payments within the paying / closing unit, so that a vertical ("order",
  "deal") can do its part (voucher, stock) in the same transaction;
- `exports[table]`: rows of a run table as plain dicts, for /admin/export;
- `assess`: awaited before an order is placed, for what stands in `orders.risk`; it may refuse the order;
- `queues[topic, name]`: the work queue that gets such an event too, by its payload (scaled; see `redis_stream`);
- `printer_changed`: called within the unit that gives a merchant another printer;
- `on_start`: awaited before the platform is ready, for recovery.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from sqlalchemy import Connection
from starlette.requests import Request

from o2o_platform.kit.background import Background
from o2o_platform.kit.clock import Clock
from o2o_platform.kit.database import Database
from o2o_platform.kit.duties import Duty
from o2o_platform.kit.meters import Meters
from o2o_platform.kit.redis_stream import RedisStream
from o2o_platform.kit.relay import Relay
from o2o_platform.kit.stream import Stream
from o2o_platform.settings import Settings

if TYPE_CHECKING:
    from o2o_platform.hot_lane import HotLane  # which stands above the kit: it knows accounts

OrderRow = Any
"""A row of the table `orders` (SQLAlchemy Row: attributes are columns)."""
OrderHook = Callable[[Connection, OrderRow, float], None]
"""fn(conn, order row as it was before the step, now)."""
Assess = Callable[[Any, str, Any], Awaitable[str | None]]
"""fn(user, idempotency key, OrderBody) -> the verdict on the order. Raises Forbidden if it is not to be taken."""


@dataclass(slots=True)
class Context:
    """One per app; found again as `app.state.ctx` or `context(request)`."""

    settings: Settings
    clock: Clock
    db: Database
    stream: Stream
    background: Background
    hot: HotLane
    duties: frozenset[Duty]
    redis: RedisStream | None = None
    """Where the streams are; None when embedded."""
    relay: Relay | None = None
    meters: Meters = field(default_factory=Meters)
    """What /metrics shows; features hang up readers: `ctx.meters.read(...)`."""
    paid: dict[str, OrderHook] = field(default_factory=dict)
    closed: dict[str, OrderHook] = field(default_factory=dict)
    exports: dict[str, Callable[[Connection], Iterable[dict[str, Any]]]] = field(default_factory=dict)
    assess: Assess | None = None
    queues: dict[tuple[str, str], Callable[[str], str]] = field(default_factory=dict)
    printer_changed: list[Callable[[Connection, int, float], None]] = field(default_factory=list)
    """fn(conn, merchant_id, now)."""
    on_start: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    shelf: dict[str, Any] = field(default_factory=dict)
    """What a feature keeps once in a process (e.g. the clients of vendors' clouds), by a name of its own."""


def context(request: Request) -> Context:
    """The context of the app that serves this request (also usable as a FastAPI dependency)."""
    ctx: Context = request.app.state.ctx
    return ctx


def context_of(app: FastAPI) -> Context:
    """The context of an app."""
    ctx: Context = app.state.ctx
    return ctx
