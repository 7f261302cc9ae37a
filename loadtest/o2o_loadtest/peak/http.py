"""HTTP/1.1 as a load client needs it: requests that are bytes already, answers cut out by their Content-Length.

Decides what counts as an answer: a whole one, with its status; anything else (refused, reset, too late, not
understood) is status 0. Leaves what to ask, and whether to ask again, to its callers. Callbacks, no tasks: a request
costs a write, a read and one pass over the head of the answer.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import cast
from urllib.parse import urlsplit

Done = Callable[[int, bytes], None]
"""Called once a request with (status, body); status 0: there was no answer."""

SWEEP_S = 0.25
"""How often requests without an answer are looked for."""


class Wire(asyncio.Protocol):
    """One keep-alive connection, which carries one request at a time."""

    __slots__ = ("_body_at", "_buffer", "_closes", "_done", "_on_free", "_on_lost", "_transport", "_whole", "since")

    def __init__(self, on_free: Callable[[Wire], None], on_lost: Callable[[Wire], None]) -> None:
        self._on_free = on_free
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._done: Done | None = None
        self._buffer = b""
        self._body_at = self._whole = 0
        self._closes = False
        self.since = 0.0
        """When the request under way was sent, on the monotonic clock; 0 for none."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, done: Done) -> None:
        """Send a request. The connection must be free."""
        assert self._transport is not None
        self._done = done
        self.since = time.monotonic()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer = data = self._buffer + data if self._buffer else data
        if not self._whole and not self._head(data):
            return
        if len(data) < self._whole:
            return
        body = data[self._body_at : self._whole]
        self._buffer = b""
        self._whole = 0
        if self._done is None:
            self.abort()  # nobody asked
            return
        done, self._done, self.since = self._done, None, 0.0
        if self._closes:
            self.abort()
        else:
            self._on_free(self)
        done(int(data[9:12]), body)

    def _head(self, data: bytes) -> bool:
        """Whether the head of the answer is complete and understood; then it is known how long the answer is."""
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return False
        head = data[:end].lower()
        at = head.find(b"\r\ncontent-length:")
        if not head.startswith(b"http/1.1 ") or at < 0:
            self.abort()
            return False
        stop = head.find(b"\r\n", at + 2)
        length = int(head[at + 17 : stop if stop >= 0 else end])
        self._closes = b"\r\nconnection: close" in head
        self._body_at = end + 4
        self._whole = self._body_at + length
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._on_lost(self)
        done, self._done, self.since = self._done, None, 0.0
        if done is not None:
            done(0, b"")

    def abort(self) -> None:
        """Hang up at once; the request under way has no answer."""
        if self._transport is not None:
            self._transport.abort()


class Pool:
    """Connections to one server, opened as they are needed, `limit` at most; beyond that requests wait their turn."""

    def __init__(self, url: str, *, limit: int, timeout_s: float = 30.0) -> None:
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.name = f"{self.host}:{self.port}".encode()
        self._limit = limit
        self._timeout_s = timeout_s
        self._free: list[Wire] = []
        self._busy: set[Wire] = set()
        self._opening = 0
        self._waiting: deque[tuple[bytes, Done]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._sweeper: asyncio.TimerHandle | None = None

    async def open(self, count: int) -> None:
        """Have `count` connections open before the first request. Raises OSError."""
        for _ in range(count):
            wire = await self._connected()
            self._free.append(wire)

    def ask(self, request: bytes, done: Done) -> None:
        """Send a request as soon as a connection is free, or opened."""
        if self._free:
            wire = self._free.pop()
            self._busy.add(wire)
            wire.send(request, done)
            return
        self._waiting.append((request, done))
        self._open_more()

    @property
    def under_way(self) -> int:
        """Requests that are sent and not answered."""
        return len(self._busy)

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""
        return len(self._waiting)

    def close(self) -> None:
        """Hang up everywhere; requests under way have no answer."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for task in self._tasks:
            task.cancel()
        for wire in [*self._free, *self._busy]:
            wire.abort()

    async def _connected(self) -> Wire:
        loop = asyncio.get_running_loop()
        if self._sweeper is None:
            self._sweeper = loop.call_later(SWEEP_S, self._sweep)
        _, wire = await loop.create_connection(lambda: Wire(self._freed, self._lost), self.host, self.port)
        return wire

    def _open_more(self) -> None:
        """One connection for each request that waits, as far as the limit allows."""
        while self._opening < len(self._waiting) and len(self._busy) + self._opening < self._limit:
            self._opening += 1
            task = asyncio.get_running_loop().create_task(self._open_one())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _open_one(self) -> None:
        try:
            wire = await asyncio.wait_for(self._connected(), self._timeout_s)
        except OSError:  # TimeoutError is one
            self._opening -= 1
            if self._waiting:
                self._waiting.popleft()[1](0, b"")
            self._open_more()
            return
        self._opening -= 1
        self._freed(wire)

    def _freed(self, wire: Wire) -> None:
        if self._waiting:
            self._busy.add(wire)
            wire.send(*self._waiting.popleft())
        else:
            self._busy.discard(wire)
            self._free.append(wire)

    def _lost(self, wire: Wire) -> None:
        self._busy.discard(wire)
        if wire in self._free:
            self._free.remove(wire)
        self._open_more()

    def _sweep(self) -> None:
        """Hang up on requests that have had no answer for too long."""
        self._sweeper = asyncio.get_running_loop().call_later(SWEEP_S, self._sweep)
        before = time.monotonic() - self._timeout_s
        for wire in [wire for wire in self._busy if 0.0 < wire.since < before]:
            wire.abort()
