"""Natural batching: what arrives while one batch is being worked on goes together into the next.

Decides who goes with whom and what becomes of a batch that fails. There is no timer: an item that finds nothing under
way starts at once, and the longer a batch takes the larger the next one is. Of what waits, at most half of all that is
in play goes at once (`_share`): in a closed loop of clients one half is then in the database while the other half's
answers are written and its next requests read; taking all would leave one side idle while the other works.

`work_many(items)` returns one result or exception per item. If it raises as a whole, the batch was spoiled by some of
its items and nothing of it was done: it is halved, and the halves again, so that a spoiled item gets its own error and
the others succeed. Halving costs 2 log2(n) statements for one spoiled item where one by one would cost n. An error that
`lost(exc)` calls a loss (connection gone, deadlock) says nothing about the items: the same batch is tried again, which
must be safe (idempotency keys, guards on states).

The queue is bounded: beyond `max_queue` an item is refused with Unavailable (503, Retry-After) at once, rather than
answered too late to be of use.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, Generic, TypeVar

from o2o_platform.errors import PlatformError, Unavailable
from o2o_platform.kit.meters import Meters

log = logging.getLogger("o2o.platform.batching")

T = TypeVar("T")
R = TypeVar("R")

ATTEMPTS = 6
"""Tries of a batch that is lost each time, before its callers are told to come again."""
PAUSE_S = 0.05
"""Before the second try; doubles from try to try."""
SMALL = 8
"""Batches of up to so many are not made smaller."""
RETRY_AFTER_S = 1
"""What a refused caller is told."""


class Batcher(Generic[T, R]):
    """See the module. Use it on one loop; call `close` at the end."""

    def __init__(
        self,
        name: str,
        work_many: Callable[[Sequence[T]], Awaitable[Sequence[R | Exception]]],
        *,
        max_batch: int,
        max_queue: int,
        lost: Callable[[Exception], bool] = lambda exc: False,
    ) -> None:
        self.name = name
        self.items = 0
        """Items that have been worked on."""
        self.batches = 0
        """Batches that were begun, without their halves."""
        self.fallbacks = 0
        """Batches that were halved."""
        self.retries = 0
        """Batches that were lost and tried again."""
        self.refused = 0
        """Items that found the queue full."""
        self._work_many = work_many
        self._max_batch = max_batch
        self._max_queue = max_queue
        self._lost = lost
        self._queue: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._last = 0
        self._closed = False

    @property
    def waiting(self) -> int:
        """Items in the queue."""
        return len(self._queue)

    async def submit(self, item: T) -> R:
        """What became of the item. Raises its own error, or Unavailable (queue full, closing, database gone).

        A caller that is cancelled takes an item that still waits out of the queue; one that is being worked on is done.
        """
        queue = self._queue
        if self._closed or len(queue) >= self._max_queue:
            self.refused += 1
            raise unavailable("closing" if self._closed else "overloaded", f"{self.name}: {len(queue)} are waiting")
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        queue.append((item, future))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=f"batches of {self.name}")
        return await future

    async def close(self) -> None:
        """Take nothing more; return when all that waits has been worked on."""
        self._closed = True
        if self._task is not None:
            await self._task

    def _share(self) -> int:
        return min(self._max_batch, max(SMALL, (len(self._queue) + self._last + 1) // 2))

    async def _run(self) -> None:
        queue = self._queue
        try:
            while queue:
                batch: list[tuple[T, asyncio.Future[R]]] = []
                for _ in range(min(len(queue), self._share())):
                    entry = queue.popleft()
                    if not entry[1].done():  # its caller has gone away
                        batch.append(entry)
                if batch:
                    self._last = len(batch)
                    self.batches += 1
                    self.items += len(batch)
                    await self._work(batch)
        finally:
            self._task = None  # no await since the queue was seen empty: nobody can have been added unseen

    async def _work(self, batch: list[tuple[T, asyncio.Future[R]]]) -> None:
        try:
            results = await self._try([item for item, _ in batch])
        except Exception as exc:
            if len(batch) == 1:
                _settle(batch[0][1], exc)
                return
            self.fallbacks += 1
            if not isinstance(exc, PlatformError):
                log.info("%s: a batch of %d is halved: %s", self.name, len(batch), exc)
            middle = len(batch) // 2
            await self._work(batch[:middle])
            await self._work(batch[middle:])
            return
        for (_, future), result in zip(batch, results, strict=True):
            _settle(future, result)

    async def _try(self, items: list[T]) -> Sequence[R | Exception]:
        pause = PAUSE_S
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._work_many(items)
            except Exception as exc:
                if not self._lost(exc):
                    raise
                self.retries += 1
                log.warning("%s: a batch of %d was lost (%r); it is tried again", self.name, len(items), exc)
            await asyncio.sleep(pause)
            pause *= 2
        try:
            return await self._work_many(items)
        except Exception as exc:
            if not self._lost(exc):
                raise
            return [unavailable("database_unavailable", f"{self.name}: the database is away") for _ in items]


def show_batches(meters: Meters, batcher: Batcher[Any, Any]) -> None:
    """Show the batcher's counters in /metrics."""
    name = batcher.name
    meters.read(f"{name}_waiting", f"{name} that wait for a batch", lambda: batcher.waiting)
    for counter in ("items", "batches", "fallbacks", "retries", "refused"):
        text = f"batches of {name}: {counter}"
        meters.read(f"{name}_{counter}_total", text, partial(getattr, batcher, counter), kind="counter")


def unavailable(code: str, detail: str) -> Unavailable:
    """A 503 that says when to come again."""
    return Unavailable(code, detail, headers={"Retry-After": str(RETRY_AFTER_S)})


def _settle(future: asyncio.Future[R], result: R | Exception) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)
