"""How a scaled process comes by events: it tails the Redis stream into its own, and relays if that is its duty.

Decides that a process is not ready before it knows where the stream ends, and that it waits `AWAY_S` for a Redis that
is still starting.
"""

from __future__ import annotations

import asyncio

from o2o_platform.errors import PlatformError
from o2o_platform.kit.background import Background
from o2o_platform.kit.clock import Clock
from o2o_platform.kit.database import Database
from o2o_platform.kit.duties import Duty
from o2o_platform.kit.outbox import Position
from o2o_platform.kit.redis_stream import RedisStream
from o2o_platform.kit.relay import Relay, Routes
from o2o_platform.kit.stream import Stream
from o2o_platform.settings import Settings

AWAY_S = 30.0


def redis_of(settings: Settings) -> RedisStream:
    """The stream that the settings name. Raises PlatformError."""
    if not settings.redis_url:
        raise PlatformError(
            "bad_redis_url", "with postgresql:// the streams are in Redis: set redis_url (O2O_REDIS_URL)"
        )
    return RedisStream(settings.redis_url, settings.redis_prefix, keep=settings.stream_keep)


async def end_of(redis: RedisStream) -> Position:
    """Position of the stream's newest entry. Raises PlatformError if Redis stays away."""
    try:
        async with asyncio.timeout(AWAY_S):
            return await redis.insist(redis.last)
    except TimeoutError:
        raise PlatformError("redis_away", f"Redis is away, for {AWAY_S:.0f} s now") from None


def tail(background: Background, redis: RedisStream, stream: Stream) -> None:
    """Have the process's stream fed from Redis, wherever requests are answered or sweeps may run."""

    async def feed() -> None:
        async for events in redis.tail(stream.last_id):
            stream.delivered(events)

    background.add("stream", feed, Duty.HTTP)


def relay(
    background: Background, db: Database, redis: RedisStream, clock: Clock, settings: Settings, routes: Routes
) -> Relay:
    """Have the outbox copied into Redis, in a process with that duty."""
    made = Relay(
        db,
        redis,
        clock=clock,
        poll_s=settings.relay_poll_s,
        keep=settings.stream_keep,
        keep_s=settings.outbox_keep_s,
        routes=routes,
    )
    background.add("relay", made.run, Duty.RELAY)
    return made
