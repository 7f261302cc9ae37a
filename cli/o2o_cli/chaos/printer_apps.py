"""Merchants' apps in a campaign: each fetches its tickets, prints them on the printer beside it, and says how it went.

Decides what an app does when nobody can say whether a ticket is on paper: it is silent, and whoever stands there and
sees the paper says so later; where there is none, nothing more is said, and the ticket stays unconfirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from o2o_devices.cloud.attached import Attached
from o2o_devices.errors import NoAnswer, PowerLost
from o2o_devices.fleet import Fleet
from o2o_loadtest.peak.world import World
from o2o_loadtest.setup import AdminClient
from o2o_platform.printing.protocols.app import ESCPOS

WAIT_S = 10.0
"""An app waits no longer for its printer."""


@asynccontextmanager
async def apps(admin: AdminClient, fleet: Fleet, world: World, *, poll_s: float, late_s: float) -> AsyncIterator[None]:
    """An app for each merchant, until the body ends. Raises TargetError."""
    body = [
        {"ref": f"keeper-{number}", "role": "merchant", "merchant_ref": f"peak-m{number}"}
        for number in range(len(world.shops))
    ]
    made = (await asyncio.to_thread(lambda: admin.post("/admin/accounts:bulk", json=body)))["accounts"]
    limits = httpx.Limits(max_connections=len(made), max_keepalive_connections=len(made))
    async with httpx.AsyncClient(base_url=admin.base_url, limits=limits, timeout=15.0, trust_env=False) as http:
        tasks = []
        for number, (shop, account) in enumerate(zip(world.shops, made, strict=True)):
            front = fleet.front(number)
            assert isinstance(front, Attached)
            app = App(http, shop.id, account["token"], front, poll_s, late_s)
            tasks.append(asyncio.create_task(app.run()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


class App:
    """One merchant's app."""

    def __init__(
        self, http: httpx.AsyncClient, merchant_id: int, token: str, front: Attached, poll_s: float, late_s: float
    ) -> None:
        self._http = http
        self._path = f"/merchants/{merchant_id}/tickets"
        self._headers = {"Authorization": f"Bearer {token}"}
        self._front = front
        self._poll_s = poll_s
        self._late_s = late_s
        self._late: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Print whatever comes, for ever."""
        try:
            while True:
                if self._front.trouble() is not None or not await self._one():
                    await asyncio.sleep(self._poll_s)
        finally:
            for task in self._late:
                task.cancel()

    async def _one(self) -> bool:
        """Print the next ticket, if there is one."""
        shown = await self._http.get(f"{self._path}/next", headers=self._headers)
        if shown.status_code != 200:
            return False
        token = shown.json()["token"]
        job = await self._http.post(f"{self._path}/{token}/fetch", headers={**self._headers, "Accept": ESCPOS})
        if job.status_code != 200:
            return False
        try:
            code = await self._front.print(job.content, WAIT_S)
        except NoAnswer as nothing:
            if nothing.printed:
                task = asyncio.create_task(self._seen(token))
                self._late.add(task)
                task.add_done_callback(self._late.discard)
        except PowerLost:
            pass
        else:
            await self._tell(token, code)
        return True

    async def _seen(self, token: str) -> None:
        """The paper lies there: somebody says so."""
        await asyncio.sleep(self._late_s)
        await self._tell(token, None)

    async def _tell(self, token: str, code: str | None) -> None:
        answer = await self._http.post(f"{self._path}/{token}/result", headers=self._headers, json={"code": code})
        answer.raise_for_status()
