"""Keeps a set of children running: started together, started again when they die, ended in order.

Decides that a child which dies is started again after a pause that grows while it keeps failing. A child that fails
at its first start is not tried again: that is a mistake which somebody must hear of. Which programs there are, and in
which order they come and go, is the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from o2o_cli.up.child import Child, Program, StartFailed


@dataclass(frozen=True)
class Backoff:
    """Pause before a start that follows a failure: 0.1, 0.2, 0.4 ... 5 s for the first, second, third ... in a row.

    A child that was ready for `good_s` has done well: whatever it dies of then is a first failure.
    """

    first_s: float = 0.1
    most_s: float = 5.0
    good_s: float = 5.0

    def pause_s(self, failures: int) -> float:
        """Before the next start, after so many failures in a row (1 or more)."""
        return float(min(self.first_s * 2 ** min(failures - 1, 30), self.most_s))


class Supervisor:
    """Children by name. `changed` is called after every change of a child's state."""

    def __init__(
        self, logs: Path | None = None, *, changed: Callable[[], None] = lambda: None, backoff: Backoff | None = None
    ) -> None:
        """What children write goes to `logs`/NAME.log; None: to this process's standard error."""
        self.children: dict[str, Child] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._logs = logs
        self._changed = changed
        self._backoff = backoff or Backoff()

    async def start(self, programs: Iterable[Program]) -> None:
        """Start these together; returns when all are ready, and from then on keeps them running.

        Raises StartFailed when one cannot be; the others then still run: stop them.
        """
        starts = [asyncio.create_task(self._first_start(program)) for program in programs]
        try:
            done, _ = await asyncio.wait(starts, return_when=asyncio.FIRST_EXCEPTION) if starts else (set(), None)
            for start in done:
                start.result()
        finally:
            for start in starts:
                start.cancel()
            await asyncio.gather(*starts, return_exceptions=True)

    async def stop(self, names: Iterable[str]) -> None:
        """End these together; those that are not there are passed over."""
        await asyncio.gather(*(self._stop(self.children[name]) for name in names if name in self.children))

    async def _first_start(self, program: Program) -> None:
        log = None if self._logs is None else self._logs / f"{program.name}.log"
        child = self.children[program.name] = Child(program, log, self._changed)
        await child.start()
        self._keepers[program.name] = asyncio.create_task(self._keep(child), name=f"keeper of {program.name}")

    async def _keep(self, child: Child) -> None:
        failures = 0
        while True:
            begun = time.monotonic()
            was_ready = child.state == "ready"
            await child.ended()
            well = was_ready and time.monotonic() - begun >= self._backoff.good_s
            failures = 1 if well else failures + 1
            await asyncio.sleep(self._backoff.pause_s(failures))
            child.restarts += 1
            with contextlib.suppress(StartFailed):
                await child.start()

    async def _stop(self, child: Child) -> None:
        keeper = self._keepers.pop(child.program.name, None)
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        await child.stop()


async def unless(stopped: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work unless somebody says stop first; whether it was done. Raises what it raises."""
    task, stop = asyncio.create_task(work), asyncio.create_task(stopped.wait())
    await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if task.done():
        await task
        return True
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return False
