"""Jobs that a vendor's cloud has taken: under which id, and when to ask for them (A14).

Decides the id that the cloud knows our ticket by (`token_of`): the ticket's number, and the millisecond at which it was
queued. Without the second, two databases that share an account would have the same ids, and a cloud that prints an id
once would print nothing for one of them. Decides how often an open job is asked for: with a pause that doubles, up to a
minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Connection, insert, select, update

from o2o_platform.kit.prepared import Record
from o2o_platform.printing import remote, repository
from o2o_platform.printing.tables import vendor_jobs

if TYPE_CHECKING:
    from o2o_platform.printing.drivers.vendor import VendorJob

MAX_PAUSE_S = 60.0
GIVE_UP_S = 86_400.0
"""A job that nobody could be asked about for so long after its deadline is left as it is."""


def queued_at(conn: Connection, ticket_id: int) -> float:
    """When the ticket was queued. Raises NotFound."""
    return float(repository.find(conn, ticket_id).queued)


def token_of(ticket_id: int, queued: float) -> str:
    """The ticket's id towards a vendor's cloud; at most 64 characters."""
    return f"{remote.token_of(ticket_id)}.{round(queued * 1000)}"


def ticket_of(conn: Connection, token: str) -> Record | None:
    """The ticket that a cloud means; None if it is none of this platform's."""
    ticket_id = remote.ticket_of_token(token.partition(".")[0])
    ticket = None if ticket_id is None else repository.find_or_none(conn, ticket_id)
    return ticket if ticket is not None and token_of(ticket.id, ticket.queued) == token else None


def keep(conn: Connection, job: VendorJob, vendor: str, order_id: str, now: float, poll_s: float) -> None:
    """The cloud has taken the job."""
    ticket = repository.find(conn, job.ticket_id)
    known = select(vendor_jobs.c.ticket_id).where(vendor_jobs.c.ticket_id == job.ticket_id)
    if conn.execute(known).first() is not None:
        return
    values = {"ticket_id": ticket.id, "merchant_id": ticket.merchant_id, "vendor": vendor, "serial": job.serial}
    times = {"taken": now, "expires": job.expires, "ask_at": now + poll_s}
    conn.execute(insert(vendor_jobs).values(**values, **times, order_id=order_id, token=job.token))


def result(conn: Connection, token: str, ok: bool, code: str, now: float) -> bool:
    """The cloud says how it went; True if that changed the ticket. Repeated and unknown ones do not."""
    ticket = ticket_of(conn, token)
    if ticket is None:
        return False
    settle(conn, ticket.id, now)
    return remote.result(conn, ticket.merchant_id, remote.token_of(ticket.id), ok, code, now)


def due(conn: Connection, now: float, limit: int) -> list[Record]:
    """Open jobs to ask for, those that have waited longest first."""
    open_ones = select(vendor_jobs).where(vendor_jobs.c.done.is_(None), vendor_jobs.c.ask_at <= now)
    return list(conn.execute(open_ones.order_by(vendor_jobs.c.ask_at, vendor_jobs.c.ticket_id).limit(limit)))


def postpone(conn: Connection, row: Record, now: float, poll_s: float) -> None:
    """Still open: ask again after a longer pause."""
    pause_s = min(max(now - row.taken, poll_s), max(MAX_PAUSE_S, poll_s))
    if row.expires > now:  # at the deadline something is to be done
        pause_s = min(pause_s, max(row.expires - now, poll_s))
    conn.execute(update(vendor_jobs).where(vendor_jobs.c.ticket_id == row.ticket_id).values(ask_at=now + pause_s))


def settle(conn: Connection, ticket_id: int, now: float) -> None:
    """Nobody needs to ask for it any more."""
    open_one = (vendor_jobs.c.ticket_id == ticket_id, vendor_jobs.c.done.is_(None))
    conn.execute(update(vendor_jobs).where(*open_one).values(done=now))
