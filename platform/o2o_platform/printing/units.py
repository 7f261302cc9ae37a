"""The units of work of printing: claim, result, failure, late result, crash, and escalation.

Decides what is written when, so that a crash at any instant leaves a ticket in a state that says the truth:
- an attempt that sends nothing (no connection, no paper) leaves the ticket `queued`;
- `claimed` is committed before the first byte leaves. Found after a crash it means "may be on paper", so it becomes
  `unconfirmed` and is never sent again by itself;
- a result that comes late is believed.
What follows a failure, and when whom to tell, is `o2o_domain.tickets`.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from o2o_domain.tickets import (
    LADDER,
    TERMINAL,
    Escalate,
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
from o2o_platform.notices import repository as notices
from o2o_platform.printing import repository


def claim(
    conn: Connection, ticket_id: int, committed: float, published: float, now: float, owner: int | None = None
) -> bool:
    """Take a queued ticket in hand, for sending at once; False if somebody else has decided about it."""
    ticket = repository.find(conn, ticket_id)
    if ticket.state != TicketState.QUEUED:
        return False
    repository.advance(
        conn, ticket, TicketEvent.CLAIM, now, claimed=now, claimed_by=owner, attempts=ticket.attempts + 1
    )
    repository.mark_order(conn, ticket.order_id, committed, published)
    return True


def printed(conn: Connection, ticket_id: int, rendered: float, delivered: float, now: float) -> None:
    """The printer has acknowledged the ticket."""
    ticket = repository.find(conn, ticket_id)
    if ticket.state != TicketState.CLAIMED:
        late(conn, ticket_id, now)  # somebody took its dispatcher for dead
        return
    repository.advance(
        conn, ticket, TicketEvent.PRINT, now, rendered=rendered, delivered_to_printer=delivered, printed=now, code=None
    )
    repository.tell(conn, ticket, "printed", now)


def taken(conn: Connection, ticket_id: int, rendered: float, delivered: float) -> None:
    """Somebody else has the ticket now and will tell how it went; he may have told already."""
    ticket = repository.find(conn, ticket_id)
    if ticket.state == TicketState.CLAIMED:
        repository.change(
            conn, ticket_id, claimed_by=repository.REMOTE, rendered=rendered, delivered_to_printer=delivered
        )


def refused(conn: Connection, ticket_id: int, code: str, now: float) -> bool:
    """The device says that the ticket is not on paper and will not be; True if that changed it."""
    ticket = repository.find(conn, ticket_id)
    if ticket.state not in (TicketState.CLAIMED, TicketState.UNCONFIRMED):
        return False
    give_up(conn, ticket, code, now)
    return True


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
    if ticket.state != TicketState.CLAIMED:
        return  # somebody else has said so already
    verdict = after_failure(
        policy, attempts=ticket.attempts, outcome=PrintOutcome.SILENT, queued_at=ticket.queued, now=now
    )
    assert isinstance(verdict, Unconfirmed)
    repository.advance(
        conn, ticket, TicketEvent.TIME_OUT, now, code=code, rendered=rendered, delivered_to_printer=delivered
    )
    repository.tell(conn, ticket, "unconfirmed", now, code=code)
    _escalate(conn, ticket, verdict.escalate, now, state=TicketState.UNCONFIRMED, code=code)


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
    ticket = repository.find(conn, ticket_id)
    if ticket.state not in TERMINAL:
        give_up(conn, ticket, code, now)


def give_up(conn: Connection, ticket: Record, code: str, now: float, *, attempts: int | None = None) -> None:
    """The ticket has failed, visibly, and the merchant is told."""
    columns = {} if attempts is None else {"attempts": attempts}
    repository.advance(conn, ticket, TicketEvent.FAIL, now, code=code, **columns)
    repository.tell(conn, ticket, "failed", now, code=code)
    _escalate(conn, ticket, LADDER[0], now, state=TicketState.FAILED, code=code)


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
            if ticket.claimed_by != repository.REMOTE:
                silent(conn, policy, ticket.id, "restarted", None, None, now)
        elif ticket.state == TicketState.QUEUED:
            waiting.append((ticket.id, ticket.merchant_id, ticket.queued))
    return waiting


def orphaned(conn: Connection, policy: PrintPolicy, ticket_ids: Sequence[int], now: float) -> int:
    """What nobody has in hand any more is unconfirmed: it may be on paper. Returns how many of these were claimed."""
    found = 0
    for ticket_id in ticket_ids:
        ticket = repository.find(conn, ticket_id)
        if ticket.state == TicketState.CLAIMED and ticket.claimed_by != repository.REMOTE:
            silent(conn, policy, ticket_id, "restarted", None, None, now)
            found += 1
    return found


def due(conn: Connection, policy: PrintPolicy, now: float) -> list[tuple[Record, GiveUp | Escalate]]:
    """Tickets for which something is due now, with what it is."""
    found = []
    for ticket in repository.late(conn, now - policy.deadline_s):
        level = Escalation(ticket.escalation) if ticket.escalation else None
        what = at_deadline(policy, state=TicketState(ticket.state), queued_at=ticket.queued, level=level, now=now)
        if what is not None:
            found.append((ticket, what))
    return found


def watch(conn: Connection, policy: PrintPolicy, now: float, limit: int) -> int:
    """Fail what still waits at its deadline, and climb the ladder where it is due; returns how many were touched."""
    some = due(conn, policy, now)[:limit]
    for ticket, what in some:
        if isinstance(what, GiveUp):
            give_up(conn, ticket, what.code, now)
        else:
            _escalate(conn, ticket, what.level, now, state=TicketState(ticket.state), code=ticket.code)
    return len(some)


def _escalate(
    conn: Connection, ticket: Record, level: Escalation, now: float, *, state: TicketState, code: str | None
) -> None:
    if ticket.escalation is not None and level is LADDER[0]:
        return  # already told
    repository.change(conn, ticket.id, escalation=level.value, escalated=now)
    repository.tell(conn, ticket, "escalated", now, level=level.value)
    notices.write(conn, ticket, state=state, code=code, level=level.value, now=now)
