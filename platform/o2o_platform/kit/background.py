"""Background tasks of the platform: started with it, restarted when they fail, ended with it.

Decides that a failing task is logged and begun again after a pause, so one bad row never ends printing or refunds.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from o2o_platform.kit.clock import Clock

log = logging.getLogger("o2o.platform")

PAUSE_S = 1.0
"""Between the failure of a task and its next start."""

Factory = Callable[[], Awaitable[None]]


class Background:
    """A set of named coroutines. A factory is called afresh for each (re)start."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._factories: list[tuple[str, Factory]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._closers: list[Callable[[], Awaitable[None]]] = []

    def add(self, name: str, factory: Factory) -> None:
        """Have `factory` run for as long as the platform does."""
        self._factories.append((name, factory))

    def on_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """Await `closer` at the end, after the tasks were cancelled."""
        self._closers.append(closer)

    def start(self) -> None:
        """Start everything added so far."""
        self._tasks = [asyncio.create_task(self._keep(name, fn), name=name) for name, fn in self._factories]

    async def stop(self) -> None:
        """Cancel the tasks, wait for their end, run the closers."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        for closer in self._closers:
            await closer()

    async def _keep(self, name: str, factory: Factory) -> None:
        while True:
            try:
                await factory()
                return
            except asyncio.CancelledError:
                raise
            except Exception:
                log.exception("background task %s failed; it starts again", name)
                await self._clock.sleep(PAUSE_S)
