"""What printers on the MQTT broker say and nobody waits for: late results, and signs of life (A14).

Decides that no result is lost. Every dispatcher hears every result. The one that has sent the job settles it; every
other one looks `SETTLE_S` later whether the ticket is settled, and if not (its dispatcher died or gave up waiting, its
printer has another owner by now) writes the result down: `remote.result` has no effect on a ticket that is settled, so
any number of dispatchers may do that, in any order. A result that cannot be written is kept and tried again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from functools import partial

from sqlalchemy import Connection

from o2o_domain.tickets import TicketState
from o2o_platform.errors import PlatformError
from o2o_platform.kit.context import Context
from o2o_platform.kit.database.broken import TROUBLE
from o2o_platform.printing import remote, repository, signs
from o2o_platform.printing.drivers.star_messages import PrintResult

log = logging.getLogger("o2o.platform.printing")

SCHEME = "cloudprnt-mqtt"
SETTLE_S = 1.0
"""A result is looked at so much later (on the wall), when whoever waits for it has written it down."""
SIGN_S = 60.0
"""An unchanged sign of life is written down again after this time."""

_PASSING = (*TROUBLE, PlatformError)


class Settler:
    """Of one process. `run` as a task, `close` at the end."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._loop = asyncio.get_running_loop()
        self._results: list[tuple[float, PrintResult]] = []
        self._signs: dict[str, str] = {}  # to be written down
        self._signed: dict[str, tuple[str, float]] = {}
        self.settled = 0
        """Tickets that got their result here."""

    def add(self, result: PrintResult) -> None:
        """A result that nobody here waits for."""
        self._results.append((self._loop.time() + SETTLE_S, result))

    def sign(self, mac: str, text: str) -> None:
        """A sign of life."""
        last, now = self._signed.get(mac), self._loop.time()
        if last is None or last[0] != text or now - last[1] > SIGN_S:
            self._signed[mac] = text, now
            self._signs[mac] = text

    async def run(self) -> None:
        """Write down what is due, for ever."""
        while True:
            await asyncio.sleep(SETTLE_S / 4)
            await self._settle(self._loop.time())

    async def close(self) -> None:
        """All that is left: the broker will not tell it again."""
        await self._settle(float("inf"))

    async def _settle(self, now: float) -> None:
        due = [one for one in self._results if one[0] <= now]
        del self._results[: len(due)]
        try:
            await self._look_at([result for _, result in due])
        except _PASSING as error:
            log.warning("results of printers cannot be written yet: %s", error)
            self._results[:0] = due
        said, self._signs = self._signs, {}
        if said:
            with contextlib.suppress(*_PASSING):  # others will come
                await self._ctx.db.write(partial(_write_signs, said=said, now=self._ctx.clock.now()))

    async def _look_at(self, results: list[PrintResult]) -> None:
        if not results:
            return
        unsettled = set(await self._ctx.db.read(partial(_unsettled, results=results)))
        for result in results:
            if result.token in unsettled:
                self.settled += await self._ctx.db.write(partial(_write, result=result, now=self._ctx.clock.now()))


def _unsettled(conn: Connection, results: list[PrintResult]) -> list[str]:
    """Tokens of those whose tickets have no result."""
    found = []
    for result in results:
        ticket_id = remote.ticket_of_token(result.token)
        ticket = None if ticket_id is None else repository.find_or_none(conn, ticket_id)
        if ticket is not None and ticket.state in (TicketState.CLAIMED, TicketState.UNCONFIRMED):
            found.append(result.token)
    return found


def _write(conn: Connection, result: PrintResult, now: float) -> bool:
    merchant = remote.merchant_at(conn, f"{SCHEME}://{result.mac}")
    if merchant is None:
        return False
    return remote.result(conn, merchant.id, result.token, result.ok, "" if result.ok else result.failure, now)


def _write_signs(conn: Connection, said: dict[str, str], now: float) -> None:
    known = ((remote.merchant_at(conn, f"{SCHEME}://{mac}"), text) for mac, text in said.items())
    rows = [(merchant.id, signs.Sign(now, text or "online")) for merchant, text in known if merchant is not None]
    if rows:
        signs.write(conn, sorted(rows))  # in one order everywhere
