"""The stream of events in Redis: one key that the relay appends to and every process reads from (W9).

Decides how events lie in Redis Streams:
- `<prefix>:events` holds every event; an entry's id is the event's position in the outbox, `<xid>-<id>`. The stream's
  own last id says how far the relay has come: nothing else has to be remembered anywhere. A batch is appended only if
  the stream ends where the batch begins, and Redis refuses an id that is not above its last one: so an event enters
  once, in order, without a gap, even while two relays believe that it is their turn, or Redis comes back without its
  tail;
- an event that is work for somebody (a queued ticket) is put into a work queue `<prefix>:<queue>` as well, in the same
  script, so both have it or neither; `redis_group` reads those.
A batch is appended by one script call: one round trip, and a tenth of what as many XADDs cost the client. (Redis may
lose its tail when it is killed, appendfsync everysec; what is lost is a suffix, and the relay offers it again.)

A Redis that is away (killed, starting, loading) is waited for, for ever, with back-off: `insist`. Leaves what events
mean to others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import redis.exceptions as failures
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from o2o_platform.errors import PlatformError
from o2o_platform.kit.outbox import START, Event, Position

log = logging.getLogger("o2o.platform.stream")

T = TypeVar("T")

EVENTS = "events"
AWAY = (failures.ConnectionError, failures.TimeoutError, failures.ReadOnlyError, failures.OutOfMemoryError, OSError)
"""Errors that pass by themselves when Redis is there again (BusyLoadingError is a ConnectionError)."""
BACK_OFF_S = (0.02, 2.0)
"""First and longest pause before Redis is tried again; each is twice the last."""
BLOCK_S = 1.0
"""A read waits so long for something new before it asks again."""
PAGE = 1000

_APPEND = """
-- KEYS: the stream, then the work queues.
-- ARGV: entries to keep, the id after which these follow, then for each event: id, queue (0: none), its fields.
local last = '0-0'
local state = redis.pcall('XINFO', 'STREAM', KEYS[1])
if not state.err then
  for i = 1, #state, 2 do
    if state[i] == 'last-generated-id' then last = state[i + 1] end
  end
end
if last ~= ARGV[2] then return -1 end
local function add(key, keep, i)
  local made
  if keep then
    made = redis.pcall('XADD', key, 'MAXLEN', '~', keep, ARGV[i], 'at', ARGV[i+2], 'topic', ARGV[i+3],
      'name', ARGV[i+4], 'payload', ARGV[i+5], 'committed', ARGV[i+6])
  else
    made = redis.pcall('XADD', key, ARGV[i], 'at', ARGV[i+2], 'topic', ARGV[i+3],
      'name', ARGV[i+4], 'payload', ARGV[i+5], 'committed', ARGV[i+6])
  end
  if type(made) == 'table' and made.err then
    if not string.find(made.err, 'equal or smaller', 1, true) then error(made.err) end
  end
end
for i = 3, #ARGV, 7 do
  local queue = tonumber(ARGV[i+1])
  if queue > 0 then add(KEYS[queue + 1], nil, i) end
  add(KEYS[1], ARGV[1], i)
end
return (#ARGV - 2) / 7
"""


class Entry(NamedTuple):
    """An event as the relay offers it; `payload` is JSON text. `queue`: the work queue that gets it too."""

    id: Position
    at: float
    topic: str
    name: str
    payload: str
    queue: str | None = None


def entry_id(position: Position) -> str:
    """As Redis writes it."""
    return f"{position.xid}-{position.seq}"


def position_of(text: bytes | str) -> Position:
    """The position that an entry's id stands for."""
    xid, _, seq = text.partition(b"-") if isinstance(text, bytes) else text.partition("-")
    return Position(int(xid), int(seq))


def event_of(entry: Sequence[Any]) -> Event:
    """The event in an entry as the driver has it: [id, [field, value, ...]]; its payload is not looked at yet.

    Raises ValueError, IndexError, TypeError if it is no such thing.
    """
    fields = entry[1]
    return Event(
        position_of(entry[0]),
        float(fields[1]),
        fields[3].decode(),
        fields[5].decode(),
        fields[7],
        float(fields[9]),
    )


def connect(url: str) -> Redis:
    """A client that hands out answers as they came, and tries nothing twice by itself. Raises PlatformError."""
    try:
        client = Redis.from_url(url, protocol=2, retry=Retry(NoBackoff(), 0), socket_timeout=BLOCK_S + 8.0)
    except ValueError as error:
        raise PlatformError("bad_redis_url", f"{url!r}: the scaled platform needs redis://host:port/db") from error
    for command in ("XREAD", "XREADGROUP", "XAUTOCLAIM", "XPENDING", "XINFO STREAM", "XINFO GROUPS", "XRANGE"):
        client.set_response_callback(command, _as_it_came)  # type: ignore[arg-type]
    return client


def _as_it_came(answer: Any, **_: Any) -> Any:
    return answer


def pairs(flat: Sequence[Any]) -> dict[str, Any]:
    """An answer of the form [name, value, ...] as a dict."""
    return {flat[i].decode(): flat[i + 1] for i in range(0, len(flat), 2)}


def _heed() -> None:
    """The driver may lose a cancellation that comes while it connects; the task still knows of it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class RedisStream:
    """See the module. `keep`: entries that the stream holds at least."""

    def __init__(self, url: str, prefix: str, *, keep: int = 100_000) -> None:
        self.client = connect(url)
        self.prefix = prefix
        self._keep = keep
        self._script = self.client.register_script(_APPEND)
        self.outages = 0
        """Times that Redis was found away."""

    def key(self, name: str) -> str:
        """The Redis key of the stream, a queue, or whatever else has this name."""
        return f"{self.prefix}:{name}"

    async def insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """What `call` answers once Redis is there; it must do no harm when made twice."""
        pause, longest = BACK_OFF_S
        away = False
        while True:
            try:
                answer = await call()
                _heed()
            except AWAY as error:
                _heed()
                if not away:
                    away = True
                    self.outages += 1
                    log.warning("redis is away (%s); waiting for it", error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, longest)
            else:
                if away:
                    log.warning("redis is back")
                return answer

    async def last(self) -> Position:
        """Position of the newest entry, START if there is none."""
        try:
            told = await self.client.execute_command("XINFO", "STREAM", self.key(EVENTS))  # type: ignore[no-untyped-call]
        except failures.ResponseError as error:
            if "no such key" in str(error):
                return START
            raise
        return position_of(pairs(told)["last-generated-id"])

    async def add(self, entries: Sequence[Entry], after: Position, committed: float) -> bool:
        """Append entries, which follow `after` in the outbox; `committed`: when they were seen.

        False, and nothing is appended, if the stream does not end with `after`: it has lost its tail, or somebody else
        has appended. Entries that a work queue has already are left out there.
        """
        queues: dict[str | None, int] = {None: 0}
        args: list[Any] = [self._keep, entry_id(after)]
        for item in entries:
            number = queues.setdefault(item.queue, len(queues))
            args += (entry_id(item.id), number, item.at, item.topic, item.name, item.payload, committed)
        keys = [self.key(EVENTS), *(self.key(name) for name in queues if name is not None)]
        return bool(await self._script(keys, args) >= 0)

    async def tail(self, after: Position) -> AsyncGenerator[list[Event], None]:
        """Events above `after` as they come, some at a time, for ever; goes on by itself when Redis was away."""
        key, last = self.key(EVENTS), entry_id(after)
        block_ms = int(BLOCK_S * 1000)

        async def read() -> Any:
            return await self.client.execute_command(  # type: ignore[no-untyped-call]
                "XREAD", "COUNT", PAGE, "BLOCK", block_ms, "STREAMS", key, last
            )

        while True:
            found = await self.insist(read)
            if found:
                entries = found[0][1]
                last = entries[-1][0]
                yield [event_of(entry) for entry in entries]

    async def close(self) -> None:
        """Hang up."""
        await self.client.aclose()
