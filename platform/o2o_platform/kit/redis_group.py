"""Work queues in Redis: streams read by a consumer group, entry by entry acknowledged (W9).

Decides how work is handed out and never lost: an entry stays pending with the consumer that read it until it is
acknowledged; those of a consumer that has died are claimed by another; one that was delivered `max_deliveries` times
and never dealt with, or cannot be read at all, goes to `<prefix>:dead` with its reason, and is acknowledged. What has
been acknowledged is cut off, and nothing else. `lag` shows how far a group is behind (back-pressure).

Delivery is at least once: whoever deals with an entry makes its effect once by the state of things in the database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import redis.exceptions as failures

from o2o_platform.kit.outbox import Event
from o2o_platform.kit.redis_stream import BLOCK_S, RedisStream, event_of, pairs

DEAD = "dead"
DEAD_KEEP = 10_000
"""Dead letters kept at most (about)."""


class Delivery(NamedTuple):
    """An entry in somebody's hands."""

    queue: str
    id: bytes
    event: Event


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind, over some queues."""

    unread: int
    """Entries that nobody has read."""
    pending: int
    """Entries read and not acknowledged."""
    oldest_pending_s: float
    """For how long the longest pending one has been in somebody's hands; 0 if there is none."""


class DeadLetter(NamedTuple):
    """An entry that could not be dealt with."""

    queue: str
    entry: str
    reason: str
    payload: str


class Group:
    """One consumer of the group `name`. All calls raise the errors of redis; `RedisStream.insist` waits them out."""

    def __init__(self, stream: RedisStream, name: str, consumer: str, *, max_deliveries: int = 5) -> None:
        self._stream = stream
        self._name = name
        self._consumer = consumer
        self._max = max_deliveries
        self.buried = 0
        """Entries that this consumer gave up."""

    async def _call(self, *command: Any) -> Any:
        return await self._stream.client.execute_command(*command)  # type: ignore[no-untyped-call]

    async def join(self, queues: Iterable[str]) -> None:
        """Have the group on these queues, from their beginning; one that is there already stays where it is."""
        for queue in queues:
            try:
                await self._call("XGROUP", "CREATE", self._stream.key(queue), self._name, "0", "MKSTREAM")
            except failures.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def read(self, queues: Sequence[str], count: int = 500, block_s: float = BLOCK_S) -> list[Delivery]:
        """Up to `count` new entries of each queue; waits `block_s` if there are none."""
        keys = [self._stream.key(queue) for queue in queues]
        command = ["XREADGROUP", "GROUP", self._name, self._consumer, "COUNT", count]
        if block_s > 0:
            command += ["BLOCK", int(block_s * 1000)]
        try:
            found = await self._call(*command, "STREAMS", *keys, *[">"] * len(keys))
        except failures.ResponseError as error:
            if "NOGROUP" not in str(error):  # a Redis that has lost everything
                raise
            await self.join(queues)
            return []
        names = dict(zip(keys, queues, strict=True))
        deliveries: list[Delivery] = []
        for key, entries in found or ():
            deliveries += await self._readable(names[key.decode()], entries)
        return deliveries

    async def ack(self, deliveries: Iterable[tuple[str, bytes]]) -> None:
        """These (queue, id) are dealt with."""
        by_queue: dict[str, list[bytes]] = {}
        for queue, entry in deliveries:
            by_queue.setdefault(queue, []).append(entry)
        if not by_queue:
            return
        async with self._stream.client.pipeline(transaction=False) as pipe:
            for queue, ids in by_queue.items():
                pipe.execute_command("XACK", self._stream.key(queue), self._name, *ids)
            await pipe.execute()

    async def claim(self, queue: str, idle_s: float, count: int = 500) -> list[Delivery]:
        """Take over entries of any consumer that are pending for `idle_s`; those delivered too often are buried."""
        key = self._stream.key(queue)
        try:
            told = await self._call(
                "XAUTOCLAIM", key, self._name, self._consumer, int(idle_s * 1000), "0-0", "COUNT", count
            )
        except failures.ResponseError as error:
            if "NOGROUP" not in str(error):
                raise
            await self.join([queue])
            return []
        entries = [entry for entry in told[1] if entry[1] is not None]
        if not entries:
            return []
        first, last = entries[0][0], entries[-1][0]
        told = await self._call("XPENDING", key, self._name, first, last, len(entries), self._consumer)
        times = {row[0]: int(row[3]) for row in told}
        tired = [entry for entry in entries if times.get(entry[0], 0) > self._max]
        for entry in tired:
            await self.bury(queue, entry[0], f"delivered {times[entry[0]] - 1} times", entry[1][7])
        return await self._readable(queue, [entry for entry in entries if entry not in tired])

    async def _readable(self, queue: str, entries: Sequence[Any]) -> list[Delivery]:
        found = []
        for entry in entries:
            try:
                event = event_of(entry)
                event.payload  # noqa: B018  (decoded here, so that an unreadable one is found)
                found.append(Delivery(queue, entry[0], event))
            except (msgspec.DecodeError, ValueError, IndexError, TypeError) as error:
                await self.bury(queue, entry[0], f"unreadable: {error}", repr(entry[1]))
        return found

    async def bury(self, queue: str, entry: bytes, reason: str, payload: bytes | str = "") -> None:
        """Give an entry up, visibly: to the dead letters with its reason, and acknowledged, in one transaction."""
        async with self._stream.client.pipeline(transaction=True) as pipe:
            pipe.execute_command(
                "XADD", self._stream.key(DEAD), "MAXLEN", "~", DEAD_KEEP, "*",
                "queue", queue, "entry", entry, "reason", reason, "payload", payload,
            )  # fmt: skip
            pipe.execute_command("XACK", self._stream.key(queue), self._name, entry)
            await pipe.execute()
        self.buried += 1

    async def dead(self, count: int = 1000) -> list[DeadLetter]:
        """The dead letters, oldest first."""
        found = await self._call("XRANGE", self._stream.key(DEAD), "-", "+", "COUNT", count)
        return [DeadLetter(*(value.decode() for value in fields[1::2])) for _, fields in found]

    async def lag(self, queues: Iterable[str]) -> Lag:
        """How far the whole group is behind on these queues."""
        unread = pending = idle_ms = 0
        for queue in queues:
            key = self._stream.key(queue)
            state = await self._state(key)
            if state is None:
                continue
            waiting = state.get("lag")
            unread += await self._count_after(key, state["last-delivered-id"]) if waiting is None else int(waiting)
            if state["pending"]:
                pending += int(state["pending"])
                oldest = await self._call("XPENDING", key, self._name, "-", "+", 1)
                idle_ms = max([idle_ms, *(int(row[2]) for row in oldest)])
        return Lag(unread, pending, idle_ms / 1000)

    async def trim(self, queues: Iterable[str]) -> int:
        """Cut off what every consumer of the group has dealt with; returns how many entries are gone."""
        gone = 0
        for queue in queues:
            key = self._stream.key(queue)
            state = await self._state(key)
            if state is None:
                continue
            least = state["last-delivered-id"].decode()
            if state["pending"]:
                first = (await self._call("XPENDING", key, self._name))[1]
                least = least if first is None else first.decode()  # None: it was acknowledged meanwhile
            # The entry `least` itself stays: a stream that is never empty keeps its last id whatever happens to it.
            gone += int(await self._call("XTRIM", key, "MINID", least))
        return gone

    async def _state(self, key: str) -> dict[str, Any] | None:
        try:
            told = await self._call("XINFO", "GROUPS", key)
        except failures.ResponseError as error:
            if "no such key" in str(error):
                return None
            raise
        groups = (pairs(group) for group in told)
        return next((group for group in groups if group["name"].decode() == self._name), None)

    async def _count_after(self, key: str, entry: bytes) -> int:
        """Entries above this one, counted: Redis does not know the lag after entries were cut."""
        return len(await self._call("XRANGE", key, b"(" + entry, "+"))
