"""Printers attached to the merchants' apps in a live run (A14): virtual ones, printed on by the actors who tap.

Decides how a job of the actors' becomes a job of a virtual printer, and an outcome an event. Implements
`o2o_sim.port.AttachedPrinters`; the model's implementation is o2o_sim.notification.attached.
"""

from __future__ import annotations

import asyncio
from typing import Any

from simpy import Event

from o2o_devices.cloud.attached import Attached
from o2o_devices.errors import JobError
from o2o_devices.fleet import Fleet
from o2o_devices.printer import VirtualPrinter
from o2o_loadtest.realtime import RealtimeEnvironment

APP = "app://"
"""Begins the address of a printer beside an app; the rest is the merchant's name in the run."""


def beside_an_app(printer_id: int, printer: VirtualPrinter) -> Attached:
    """A fleet's front end for a printer that has no network of its own."""
    return Attached(printer)


class LivePrinters:
    """The fleet's printers, by merchant. `timeout_s`: an app waits no longer for its printer."""

    def __init__(self, env: RealtimeEnvironment, fleet: Fleet, timeout_s: float) -> None:
        self._env = env
        self._fleet = fleet
        self._timeout_s = timeout_s
        self._tasks: set[asyncio.Task[None]] = set()

    def trouble(self, merchant_id: int, order_id: int) -> str | None:
        """What the app shows of its printer."""
        return self._front(merchant_id).trouble()

    def put_out(self, merchant_id: int, order_id: int, job: Any) -> Event:
        """Print the ticket's ESC/POS bytes `job`."""
        event: Event = self._env.event()
        task = asyncio.get_running_loop().create_task(self._print(event, self._front(merchant_id), job))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return event

    async def close(self) -> None:
        """Wait for no printer any more."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _print(self, event: Event, front: Attached, data: bytes) -> None:
        try:
            code = await front.print(data, self._timeout_s)
        except JobError:
            return  # nobody can say: the app learns nothing
        self._env.enter(event, code)

    def _front(self, merchant_id: int) -> Attached:
        front = self._fleet.front(merchant_id)
        assert isinstance(front, Attached), f"merchant {merchant_id} prints otherwise"
        return front
