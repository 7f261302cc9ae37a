"""Tickets that are in no dispatcher's hands: printers that come by themselves, clouds that tell later (A14).

Decides the units of work that the protocols of such devices are made of. A printer is shown the head of its queue
(`offer`), takes it (`fetch`), and says how it went (`result`); a cloud that has taken a ticket says only the last. One
ticket of a printer is under way at a time, and the order of its queue is that of its tickets' ids. All of these may be
repeated, come late, or come through any process: the tickets' table is the only memory.

A ticket that was fetched may be on paper: it is never offered again by itself. Without a result for so long it becomes
unconfirmed (`lapse`), and a result that comes after that is believed.
"""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, bindparam, insert, literal_column, select, update

from o2o_domain.tickets import PrintPolicy, TicketEvent, TicketState
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.merchants.tables import merchants
from o2o_platform.printing import repository, units
from o2o_platform.printing.job import Job
from o2o_platform.printing.repository import OPEN, REMOTE
from o2o_platform.printing.tables import printer_signs, tickets

_TOKEN = "o2o-"
_MAX_ID = 2**63 - 1

_UNDER_WAY = tickets.c.state.in_([literal_column(f"'{state}'") for state in OPEN])
_HEAD = Prepared(
    select(tickets).where(tickets.c.merchant_id == bindparam("merchant_id"), _UNDER_WAY).order_by(tickets.c.id).limit(1)
)
_CLAIMED = Prepared(
    select(tickets.c.id).where(
        tickets.c.merchant_id == bindparam("merchant_id"), _UNDER_WAY, tickets.c.state == literal_column("'claimed'")
    )
)
_ALL_WAITING = Prepared(
    select(tickets).where(tickets.c.merchant_id == bindparam("merchant_id"), _UNDER_WAY).order_by(tickets.c.id)
)
_AT = Prepared(
    select(merchants.c.id, merchants.c.printer_secret, merchants.c.printer_cols).where(
        merchants.c.printer_url == bindparam("url")
    )
)
_LAPSED_OFFERS = Prepared(
    select(tickets)
    .where(_UNDER_WAY, tickets.c.state == literal_column("'offered'"), tickets.c.offered < bindparam("before"))
    .order_by(tickets.c.id)
    .limit(bindparam("limit"))
)
_LAPSED_CLAIMS = Prepared(
    select(tickets.c.id)
    .where(
        _UNDER_WAY,
        tickets.c.state == literal_column("'claimed'"),
        tickets.c.claimed_by == literal_column(str(REMOTE)),
        tickets.c.claimed < bindparam("before"),
    )
    .order_by(tickets.c.id)
    .limit(bindparam("limit"))
)
_SIGN = Prepared(select(printer_signs).where(printer_signs.c.merchant_id == bindparam("merchant_id")))


def token_of(ticket_id: int) -> str:
    """The ticket's name towards devices."""
    return f"{_TOKEN}{ticket_id}"


def ticket_of_token(token: str) -> int | None:
    """The ticket that a device means; None: none of ours."""
    digits = token[len(_TOKEN) :]
    if not token.startswith(_TOKEN) or not digits.isdecimal() or not digits.isascii() or len(digits) > 19:
        return None
    return number if (number := int(digits)) <= _MAX_ID else None


def merchant_at(conn: Connection, url: str) -> Record | None:
    """(id, printer_secret, printer_cols) of the merchant who prints there."""
    return _AT.first(conn, url=url)


def offer(conn: Connection, merchant_id: int, now: float) -> Job | None:
    """Show the printer the head of its queue; asked again, it is the same. None: there is nothing for it to do now."""
    head = _HEAD.first(conn, merchant_id=merchant_id)
    if head is None or head.state == TicketState.CLAIMED or _CLAIMED.first(conn, merchant_id=merchant_id):
        return None
    if head.state == TicketState.QUEUED:
        repository.advance(conn, head, TicketEvent.OFFER, now, offered=now)
    return repository.job(conn, head.id)


def peek(conn: Connection, merchant_id: int) -> bool:
    """Whether `offer` would have something; reads only."""
    head = _HEAD.first(conn, merchant_id=merchant_id)
    return head is not None and head.state != TicketState.CLAIMED


def fetch(conn: Connection, merchant_id: int, token: str, now: float) -> Job | None:
    """The printer takes what it was offered; while nothing is known of it, it may take it again. None: not that one."""
    ticket = its(conn, merchant_id, token)
    if ticket is None:
        return None
    if ticket.state == TicketState.OFFERED:
        columns = {"claimed": now, "claimed_by": REMOTE, "attempts": ticket.attempts + 1}
        repository.advance(conn, ticket, TicketEvent.CLAIM, now, rendered=now, delivered_to_printer=now, **columns)
        repository.mark_order(conn, ticket.order_id, ticket.queued, ticket.offered)
    elif ticket.state != TicketState.CLAIMED or ticket.claimed_by != REMOTE:
        return None
    return repository.job(conn, ticket.id)


def result(conn: Connection, merchant_id: int, token: str, ok: bool, code: str, now: float) -> bool:
    """The device says how it went. True if that changed the ticket; repeated, unknown and overtaken results do not."""
    ticket = its(conn, merchant_id, token)
    if ticket is None:
        return False
    if not ok:
        return units.refused(conn, ticket.id, code[:32] or "failed", now)
    if ticket.state == TicketState.CLAIMED:
        repository.advance(conn, ticket, TicketEvent.PRINT, now, printed=now, code=None)
        repository.tell(conn, ticket, "printed", now)
        return True
    return units.late(conn, ticket.id, now)


def give_back(conn: Connection, merchant_id: int, token: str, now: float, code: str | None = None) -> bool:
    """The device says that nothing of the ticket is on paper, and that it wants it later; True if that changed it."""
    ticket = its(conn, merchant_id, token)
    if ticket is None or ticket.state not in (TicketState.OFFERED, TicketState.CLAIMED):
        return False
    repository.advance(conn, ticket, TicketEvent.REQUEUE, now, offered=None, code=code and code[:32])
    return True


def uncertain(conn: Connection, policy: PrintPolicy, merchant_id: int, token: str, code: str, now: float) -> bool:
    """Something went wrong with a ticket of which some may be on paper: unconfirmed; True if that changed it."""
    ticket = its(conn, merchant_id, token)
    if ticket is None or ticket.state != TicketState.CLAIMED:
        return False
    units.silent(conn, policy, ticket.id, code[:32], ticket.rendered, ticket.delivered_to_printer, now)
    return True


def seen(conn: Connection, merchant_id: int, now: float, status: str, detail: object = None) -> None:
    """The printer gave a sign of life, and said this of itself."""
    told = None if detail is None else msgspec.json.encode(detail).decode()
    values = {"seen": now, "status": status[:64], "detail": told}
    if not conn.execute(
        update(printer_signs).where(printer_signs.c.merchant_id == merchant_id).values(**values)
    ).rowcount:
        conn.execute(insert(printer_signs).values(merchant_id=merchant_id, **values))


def sign(conn: Connection, merchant_id: int) -> Record | None:
    """(seen, status, detail) of the printer's last sign of life; None: it has given none."""
    return _SIGN.first(conn, merchant_id=merchant_id)


def reroute(conn: Connection, merchant_id: int, now: float) -> None:
    """The merchant has another printer: what was offered to the last one and not taken waits for it."""
    for ticket in _ALL_WAITING.all(conn, merchant_id=merchant_id):
        if ticket.state == TicketState.OFFERED:
            repository.advance(conn, ticket, TicketEvent.REQUEUE, now, offered=None)
        if ticket.state != TicketState.CLAIMED:
            repository.announce(conn, ticket, now)


def lapse(conn: Connection, policy: PrintPolicy, now: float, *, offer_s: float, result_s: float, limit: int) -> int:
    """Take back what was offered and not taken, and give up waiting for results; returns how many were touched."""
    offers = _LAPSED_OFFERS.all(conn, before=now - offer_s, limit=limit)
    for ticket in offers:
        repository.advance(conn, ticket, TicketEvent.REQUEUE, now, offered=None)
    claims = _LAPSED_CLAIMS.all(conn, before=now - result_s, limit=limit)
    for (ticket_id,) in claims:
        ticket = repository.find(conn, ticket_id)
        units.silent(conn, policy, ticket_id, "no_result", ticket.rendered, ticket.delivered_to_printer, now)
    return len(offers) + len(claims)


def lapsed(conn: Connection, now: float, *, offer_s: float, result_s: float) -> bool:
    """Whether `lapse` has anything to do; reads only."""
    return bool(
        _LAPSED_OFFERS.all(conn, before=now - offer_s, limit=1)
        or _LAPSED_CLAIMS.all(conn, before=now - result_s, limit=1)
    )


def its(conn: Connection, merchant_id: int, token: str) -> Record | None:
    """The ticket that a device means, if it is this merchant's."""
    ticket_id = ticket_of_token(token)
    if ticket_id is None:
        return None
    ticket = repository.find_or_none(conn, ticket_id)
    return ticket if ticket is not None and ticket.merchant_id == merchant_id else None
