"""Asking vendors' clouds for jobs whose result has not come: a callback may be lost, and what is asked is not (A14).

Decides what an answer means for the ticket. "Printed" is believed, however late. "Cancelled" is a failure, which is
certain. "Waiting" means nothing before the deadline; after it the job is withdrawn where the cloud can do that, and
otherwise is left to expire there: the ticket then stays unconfirmed, because a cloud that drops a job, and one that has
printed it and lost the printer's word, give the same answer. `MARGIN_S` after the deadline it is not asked for again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from o2o_platform.errors import Unavailable
from o2o_platform.kit.context import Context
from o2o_platform.printing import vendor_jobs
from o2o_platform.printing.drivers import PrintFailed
from o2o_platform.printing.drivers.vendor import Cloud, Fate, UnclearError, UnreachedError

log = logging.getLogger("o2o.platform.printing")

AT_ONCE = 8
LIMIT = 200
MARGIN_S = 120.0
"""What was printed in the last moment may take so long to be known at the cloud (assumed)."""
EXPIRED = "expired"


class VendorPoll:
    """See the module; runs in one process at a time."""

    def __init__(self, ctx: Context, clouds: Mapping[str, Cloud]) -> None:
        self._ctx = ctx
        self._clouds = clouds
        self._gate = asyncio.Semaphore(AT_ONCE)

    async def run(self) -> None:
        """Ask for what is due, for ever."""
        ctx = self._ctx
        while True:
            try:
                await self.once()
            except Unavailable as error:
                log.warning("jobs at vendors' clouds: %s", error)
            await ctx.clock.sleep(max(ctx.settings.vendor_poll_s / 2, 0.05))

    async def once(self) -> int:
        """Ask for what is due now; returns how many jobs that were."""
        now = self._ctx.clock.now()
        rows = await self._ctx.db.read(lambda conn: vendor_jobs.due(conn, now, LIMIT))
        await asyncio.gather(*(self._one(row) for row in rows))
        return len(rows)

    async def _one(self, row: Any) -> None:
        cloud = self._clouds.get(row.vendor)
        fate: Fate | None = None  # nobody could be asked
        if cloud is not None:
            async with self._gate:
                fate = await self._fate(cloud, row)
        now, poll_s = self._ctx.clock.now(), self._ctx.settings.vendor_poll_s

        def unit(conn: Connection) -> None:
            if fate is Fate.PRINTED:
                vendor_jobs.result(conn, row.token, True, "", now)
            elif fate is Fate.CANCELLED:
                vendor_jobs.result(conn, row.token, False, EXPIRED, now)
            elif _over(row, fate, now):
                vendor_jobs.settle(conn, row.ticket_id, now)
            else:
                vendor_jobs.postpone(conn, row, now, poll_s)

        await self._ctx.db.write(unit)

    async def _fate(self, cloud: Cloud, row: Any) -> Fate | None:
        vendor, now = cloud.vendor, self._ctx.clock.now()
        try:
            fate = vendor.fate(await cloud.ask(vendor.asking(row.serial, row.order_id, now)))
            if fate is Fate.WAITING and vendor.withdraws and now >= row.expires:
                fate = vendor.fate(await cloud.ask(vendor.withdrawing(row.serial, row.order_id, now)))
        except (UnreachedError, UnclearError, PrintFailed):
            return None
        return fate


def _over(row: Any, fate: Fate | None, now: float) -> bool:
    """Whether there is no sense in asking again."""
    if fate is None:
        return bool(now >= row.expires + vendor_jobs.GIVE_UP_S)
    return bool(now >= row.expires + MARGIN_S)
