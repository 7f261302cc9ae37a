"""What the task of a printer needs of the database: look, claim, and write down how it went.

Decides the seam between printing and its records. `UnitsBook` does each step as one unit of work (`units`), on either
database; `hot_book` does claims and results of many printers in batches, on PostgreSQL. Effects are the same, row by
row.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from sqlalchemy import Connection

from o2o_domain.tickets import PrintOutcome, PrintPolicy, TicketState
from o2o_platform.kit.clock import Clock
from o2o_platform.kit.database import Database
from o2o_platform.printing import repository, units
from o2o_platform.printing.job import Job

Address = str
"""Of a printer (o2o_domain.printers)."""


class Waiting(NamedTuple):
    """A ticket in a printer's queue."""

    ticket_id: int
    committed: float
    """When the transaction that made it was."""
    published: float
    """When the dispatcher met its event."""


class Book(Protocol):
    """See the module. Times are the platform's clock's."""

    async def job(self, ticket_id: int) -> Job:
        """The ticket as it is now."""
        ...

    async def claim(self, waiting: Waiting, printer: Address) -> Job | None:
        """Take a queued ticket in hand for sending to `printer` at once; committed when this returns.

        None, and nothing has changed, if it is queued no longer, its printer is another by now, or it is not ours.
        """
        ...

    async def printed(self, job: Job, rendered: float, delivered: float, at: float) -> None:
        """The printer has acknowledged the ticket."""
        ...

    async def taken(self, job: Job, rendered: float, delivered: float) -> None:
        """Somebody else has taken the ticket over, and will tell how it went."""
        ...

    async def refused(self, ticket_id: int, code: str) -> None:
        """The printer has said that it did not print the ticket, and will not."""
        ...

    async def silent(self, ticket_id: int, code: str, rendered: float | None, delivered: float | None) -> None:
        """Bytes were sent and not acknowledged."""
        ...

    async def not_sent(self, waiting: Waiting, outcome: PrintOutcome) -> float | None:
        """An attempt ended before anything was sent; returns when the next may begin, None if there is none."""
        ...

    async def fail(self, waiting: Waiting, code: str) -> None:
        """Nothing of the ticket was sent and nothing will be."""
        ...

    async def late(self, ticket_id: int) -> None:
        """An answer that nobody waited for any more."""
        ...


class UnitsBook:
    """A unit of work for each step. `owner`: the dispatcher's number, where there are several."""

    def __init__(self, db: Database, clock: Clock, policy: PrintPolicy, owner: int | None = None) -> None:
        self._db = db
        self._clock = clock
        self._policy = policy
        self._owner = owner

    async def job(self, ticket_id: int) -> Job:
        return await self._db.read(lambda conn: repository.job(conn, ticket_id), quick=True)

    async def claim(self, waiting: Waiting, printer: Address) -> Job | None:
        now = self._clock.now()

        def unit(conn: Connection) -> Job | None:
            job = repository.job(conn, waiting.ticket_id)
            if job.state != TicketState.QUEUED or job.printer != printer:
                return None
            units.claim(conn, *waiting, now, self._owner)
            return job

        return await self._db.write(unit)

    async def printed(self, job: Job, rendered: float, delivered: float, at: float) -> None:
        await self._db.write(lambda conn: units.printed(conn, job.ticket_id, rendered, delivered, at))

    async def taken(self, job: Job, rendered: float, delivered: float) -> None:
        await self._db.write(lambda conn: units.taken(conn, job.ticket_id, rendered, delivered))

    async def refused(self, ticket_id: int, code: str) -> None:
        now = self._clock.now()
        await self._db.write(lambda conn: units.refused(conn, ticket_id, code, now))

    async def silent(self, ticket_id: int, code: str, rendered: float | None, delivered: float | None) -> None:
        policy, now = self._policy, self._clock.now()
        await self._db.write(lambda conn: units.silent(conn, policy, ticket_id, code, rendered, delivered, now))

    async def not_sent(self, waiting: Waiting, outcome: PrintOutcome) -> float | None:
        policy, now = self._policy, self._clock.now()

        def unit(conn: Connection) -> float | None:
            units.seen(conn, *waiting)
            return units.not_sent(conn, policy, waiting.ticket_id, outcome, now)

        return await self._db.write(unit)

    async def fail(self, waiting: Waiting, code: str) -> None:
        now = self._clock.now()

        def unit(conn: Connection) -> None:
            units.seen(conn, *waiting)
            units.fail(conn, waiting.ticket_id, code, now)

        await self._db.write(unit)

    async def late(self, ticket_id: int) -> None:
        now = self._clock.now()
        await self._db.write(lambda conn: units.late(conn, ticket_id, now))
