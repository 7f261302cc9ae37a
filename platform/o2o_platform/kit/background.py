"""Background tasks of the platform: started with it, restarted when they fail, ended with it.

Decides that a failing task is logged and begun again after a pause, so one bad row never ends printing or refunds; and
that a task is run only in a process that has its duty. Tasks of the duty `sweeps` run in one process at a time: where
there are several, whoever holds the lease runs them, and when it ends another takes over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager

from o2o_platform.kit.clock import Clock
from o2o_platform.kit.duties import Duty

log = logging.getLogger("o2o.platform")

PAUSE_S = 1.0
"""Between the failure of a task and its next start."""

PROVEN_S = 2.0
"""A task that has failed is taken to be well again after this time without another failure."""

Factory = Callable[[], Awaitable[None]]


Lease = Callable[[str], AbstractAsyncContextManager[None]]


class Background:
    """A set of named coroutines. A factory is called afresh for each (re)start."""

    def __init__(self, clock: Clock, duties: frozenset[Duty], lease: Lease) -> None:
        self._clock = clock
        self._duties = duties
        self._lease = lease
        self._factories: list[tuple[str, Factory, Duty]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._closers: list[Callable[[], Awaitable[None]]] = []
        self.failing: dict[str, str] = {}
        """Tasks that failed and have not been running for `PROVEN_S` since, with what they said."""
        self.sweeping = False
        """Whether this process is the one that runs the sweeps."""

    def add(self, name: str, factory: Factory, duty: Duty = Duty.SWEEPS) -> None:
        """Have `factory` run for as long as the platform does, if this process has the duty."""
        if duty in self._duties:
            self._factories.append((name, factory, duty))

    def on_close(self, closer: Callable[[], Awaitable[None]]) -> None:
        """Await `closer` at the end, after the tasks were cancelled."""
        self._closers.append(closer)

    def start(self) -> None:
        """Start everything added so far."""
        own = [(name, factory) for name, factory, duty in self._factories if duty is not Duty.SWEEPS]
        self._tasks = self._begin(own)
        if any(duty is Duty.SWEEPS for _, _, duty in self._factories):
            self._tasks += self._begin([("sweeps", self._sweeps)])

    async def stop(self) -> None:
        """Cancel the tasks, wait for their end, run the closers."""
        await _end(self._tasks)
        self._tasks = []
        for closer in self._closers:
            await closer()

    def _begin(self, named: Iterable[tuple[str, Factory]]) -> list[asyncio.Task[None]]:
        return [asyncio.create_task(self._keep(name, factory), name=name) for name, factory in named]

    async def _sweeps(self) -> None:
        """Wait for the lease, then run the sweeps for as long as it is held."""
        async with self._lease("sweeps"):
            tasks = self._begin([(name, factory) for name, factory, duty in self._factories if duty is Duty.SWEEPS])
            self.sweeping = True
            try:
                await asyncio.gather(*tasks)
            finally:
                self.sweeping = False
                await _end(tasks)

    async def _keep(self, name: str, factory: Factory) -> None:
        while True:
            try:
                await factory()
                return
            except asyncio.CancelledError:
                raise
            except Exception as error:
                log.exception("background task %s failed; it starts again", name)
                self._note(name, error)
                await self._clock.sleep(PAUSE_S)

    def _note(self, name: str, error: Exception) -> None:
        """Have it known that the task failed, until it has run for a while."""
        told = self.failing[name] = f"{type(error).__name__}: {error}"

        def forget() -> None:
            if self.failing.get(name) is told:
                del self.failing[name]

        asyncio.get_running_loop().call_later(PAUSE_S + PROVEN_S, forget)


async def _end(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel them until they have ended: a driver may swallow a cancellation that meets it in a bad moment."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=1.0)
