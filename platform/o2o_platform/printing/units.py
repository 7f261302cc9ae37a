"""The units of work of printing: claim, result, failure, late result, crash, and escalation.

Decides what is written when, so that a crash at any instant leaves a ticket in a state that says the truth:
- an attempt that sends nothing (no connection, no paper) leaves the ticket `queued`;
- `claimed` is committed before the first byte leaves. Found after a crash it means "may be on paper", so it becomes
  `unconfirmed` and is never sent again by itself;
- a result that comes late is believed.
What follows a failure, and when whom to tell, is `o2o_domain.tickets`.
"""

from __future__ import annotations

from sqlalchemy import Connection

from o2o_domain.tickets import (
    LADDER,
    Escalation,
    GiveUp,
    PrintOutcome,
    PrintPolicy,
    Retry,
    TicketEvent,
    TicketState,
    Unconfirmed,
    after_failure,
    at_deadline,
)
from o2o_platform.kit.prepared import Record
from o2o_platform.printing import repository


def claim(conn: Connection, ticket_id: int, committed: float, published: float, now: float) -> bool:
    """Take a queued ticket in hand, for sending at once; False if somebody else has decided about it."""
    ticket = repository.find(conn, ticket_id)
    if ticket.state != TicketState.QUEUED:
        return False
    repository.advance(conn, ticket, TicketEvent.CLAIM, now, claimed=now, attempts=ticket.attempts + 1)
    repository.mark_order(conn, ticket.order_id, committed, published)
    return True


def printed(conn: Connection, ticket_id: int, rendered: float, delivered: float, now: float) -> None:
    """The printer has acknowledged the ticket."""
    ticket = repository.find(conn, ticket_id)
    repository.advance(
        conn, ticket, TicketEvent.PRINT, now, rendered=rendered, delivered_to_printer=delivered, printed=now, code=None
    )
    repository.tell(conn, ticket, "printed", now)


def silent(
    conn: Connection,
    policy: PrintPolicy,
    ticket_id: int,
    code: str,
    rendered: float | None,
    delivered: float | None,
    now: float,
) -> None:
    """Bytes were sent and not acknowledged: unconfirmed, told to the merchant, never sent again by itself."""
    ticket = repository.find(conn, ticket_id)
    verdict = after_failure(
        policy, attempts=ticket.attempts, outcome=PrintOutcome.SILENT, queued_at=ticket.queued, now=now
    )
    assert isinstance(verdict, Unconfirmed)
    repository.advance(
        conn, ticket, TicketEvent.TIME_OUT, now, code=code, rendered=rendered, delivered_to_printer=delivered
    )
    repository.tell(conn, ticket, "unconfirmed", now, code=code)
    _escalate(conn, ticket, verdict.escalate, now)


def seen(conn: Connection, ticket_id: int, committed: float, published: float) -> None:
    """The dispatcher has met the ticket's event: the order's marks, the first time."""
    repository.mark_order(conn, repository.find(conn, ticket_id).order_id, committed, published)


def not_sent(conn: Connection, policy: PrintPolicy, ticket_id: int, outcome: PrintOutcome, now: float) -> float | None:
    """An attempt ended before anything was sent; returns when the next may begin, None if there is none."""
    ticket = repository.find(conn, ticket_id)
    if ticket.state != TicketState.QUEUED:
        return None
    attempts = ticket.attempts + 1
    verdict = after_failure(policy, attempts=attempts, outcome=outcome, queued_at=ticket.queued, now=now)
    if isinstance(verdict, Retry):
        repository.change(conn, ticket_id, attempts=attempts, code=outcome.value)
        return verdict.at
    assert isinstance(verdict, GiveUp)
    give_up(conn, ticket, verdict.code, now, attempts=attempts)
    return None


def fail(conn: Connection, ticket_id: int, code: str, now: float) -> None:
    """Nothing of the ticket was sent and nothing will be, for a reason that no further attempt changes."""
    give_up(conn, repository.find(conn, ticket_id), code, now)


def give_up(conn: Connection, ticket: Record, code: str, now: float, *, attempts: int | None = None) -> None:
    """The ticket has failed, visibly, and the merchant is told."""
    columns = {} if attempts is None else {"attempts": attempts}
    repository.advance(conn, ticket, TicketEvent.FAIL, now, code=code, **columns)
    repository.tell(conn, ticket, "failed", now, code=code)
    _escalate(conn, ticket, LADDER[0], now)


def late(conn: Connection, ticket_id: int, now: float) -> bool:
    """An answer that nobody waited for any more; True if it changed the ticket."""
    ticket = repository.find(conn, ticket_id)
    if ticket.state != TicketState.UNCONFIRMED:
        return False  # a repeated answer, or one for a ticket that is settled
    repository.advance(conn, ticket, TicketEvent.LATE_RESULT, now, printed=now)
    repository.tell(conn, ticket, "printed", now, late=True)
    return True


def recover(conn: Connection, policy: PrintPolicy, now: float) -> list[tuple[int, int, float]]:
    """After a start: (ticket, merchant, queued) of what is still to be printed; what was in hand is unconfirmed now."""
    waiting = []
    for ticket in repository.unfinished(conn):
        if ticket.state == TicketState.CLAIMED:
            silent(conn, policy, ticket.id, "restarted", None, None, now)
        elif ticket.state == TicketState.QUEUED:
            waiting.append((ticket.id, ticket.merchant_id, ticket.queued))
    return waiting


def watch(conn: Connection, policy: PrintPolicy, now: float) -> int:
    """Fail what still waits at its deadline, and climb the ladder where it is due; returns how many were touched."""
    touched = 0
    for ticket in repository.late(conn, now - policy.deadline_s):
        level = Escalation(ticket.escalation) if ticket.escalation else None
        due = at_deadline(policy, state=TicketState(ticket.state), queued_at=ticket.queued, level=level, now=now)
        if due is None:
            continue
        if isinstance(due, GiveUp):
            give_up(conn, ticket, due.code, now)
        else:
            _escalate(conn, ticket, due.level, now)
        touched += 1
    return touched


def _escalate(conn: Connection, ticket: Record, level: Escalation, now: float) -> None:
    if ticket.escalation is not None and level is LADDER[0]:
        return  # already told
    repository.change(conn, ticket.id, escalation=level.value, escalated=now)
    repository.tell(conn, ticket, "escalated", now, level=level.value)
