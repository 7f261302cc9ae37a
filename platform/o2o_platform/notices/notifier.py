"""Sending notices: the port, a stand-in for app push, SMS and phone calls, and the task that sends.

Decides that what was written is sent until it is written down as sent: a notice may reach somebody twice when a process
dies in between, and is never forgotten. The stand-in answers as the channel would, by a rule without settings: the app
is read, the SMS is delivered, every third call (by the notice's number) is not taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from o2o_domain.notices import Answer
from o2o_domain.tickets import Escalation
from o2o_platform.kit.context import Context
from o2o_platform.notices import repository

BATCH = 100


class Notice(NamedTuple):
    """What is to be sent."""

    id: int
    level: Escalation
    recipient: str
    text: str


class Notifier(Protocol):
    """A way to reach merchants."""

    async def send(self, notice: Notice) -> Answer | None:
        """Send it; what the channel reports at once, None if nothing yet. Raises OSError if it cannot be sent now."""
        ...


class StandIn:
    """In place of providers of push, SMS and calls: keeps what it was given, and answers by rule."""

    def __init__(self) -> None:
        self.sent: list[Notice] = []

    async def send(self, notice: Notice) -> Answer | None:
        self.sent.append(notice)
        if notice.level is Escalation.APP:
            return Answer.READ
        if notice.level is Escalation.SMS:
            return Answer.DELIVERED
        return Answer.NO_ANSWER if notice.id % 3 == 0 else Answer.ANSWERED


class Sender:
    """Sends what waits, by one process at a time."""

    def __init__(self, ctx: Context, notifier: Notifier) -> None:
        self._ctx = ctx
        self._notifier = notifier

    async def run(self) -> None:
        """For ever."""
        while True:
            while await self.send() >= BATCH:
                pass
            await self._ctx.clock.sleep(self._ctx.settings.sweep_interval_s)

    async def send(self) -> int:
        """Send what waits, `BATCH` at most; returns how many were sent. What cannot be sent now waits on."""
        waiting = await self._ctx.db.read(lambda conn: repository.unsent(conn, BATCH))
        outcomes: list[tuple[int, float, Answer | None]] = []
        for row in waiting:
            notice = Notice(row.id, Escalation(row.level), row.recipient, row.text)
            try:
                answer = await self._notifier.send(notice)
            except OSError:
                continue
            outcomes.append((row.id, self._ctx.clock.now(), answer))
        if outcomes:
            await self._settle(outcomes)
        return len(outcomes)

    async def _settle(self, outcomes: Sequence[tuple[int, float, Answer | None]]) -> None:
        await self._ctx.db.write(lambda conn: repository.settle(conn, outcomes))
