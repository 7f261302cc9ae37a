"""Reading and writing tickets.

Decides how a ticket's step is applied: the domain's table says what follows, one conditional UPDATE writes it. A first
copy is made by `enqueue` in the transaction that takes the payment, so no paid order is ever without one (A14).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, and_, bindparam, insert, literal_column, or_, select, update

from o2o_domain.orders import OrderState
from o2o_domain.refusal import Refused
from o2o_domain.tickets import LADDER, UNSENT, TicketEvent, TicketState, step
from o2o_platform.errors import Conflict, NotFound
from o2o_platform.kit.outbox import publish
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.merchants.tables import merchants
from o2o_platform.orders.tables import orders
from o2o_platform.printing.job import Job
from o2o_platform.printing.slots import SLOTS
from o2o_platform.printing.tables import dispatch_slots, tickets

TOPIC = "tickets"
REMOTE = 0
"""Stands in `claimed_by` for a device or a vendor's cloud: the ticket is in no dispatcher's hands."""
OPEN = (TicketState.QUEUED.value, TicketState.OFFERED.value, TicketState.CLAIMED.value)

_INSERT = Prepared(insert(tickets))
_BY_ID = Prepared(select(tickets).where(tickets.c.id == bindparam("id")))
_WHOSE = Prepared(select(orders.c.ref, orders.c.user_id).where(orders.c.id == bindparam("id")))
_JOB_COLUMNS = (
    *(tickets.c[name] for name in ("id", "order_id")),
    orders.c.ref,
    orders.c.user_id,
    *(tickets.c[name] for name in ("merchant_id", "copy_no", "state")),
    *(orders.c[name] for name in ("order_no", "lines", "items_fen", "discount_fen", "delivery_fee_fen", "total_fen")),
    *(orders.c[name] for name in ("note", "phone", "address", "accepted", "promised")),
    *(merchants.c[name] for name in ("name", "printer_url", "printer_cols")),
)
_JOB = Prepared(
    select(*_JOB_COLUMNS)
    .join(orders, orders.c.id == tickets.c.order_id)
    .join(merchants, merchants.c.id == tickets.c.merchant_id)
    .where(tickets.c.id == bindparam("id"))
)
_OPEN = select(tickets).where(tickets.c.state.in_(OPEN)).order_by(tickets.c.id)
_LATE = (
    select(tickets)
    .join(orders, orders.c.id == tickets.c.order_id)
    .where(
        tickets.c.state.in_([*OPEN, TicketState.UNCONFIRMED.value, TicketState.FAILED.value]),
        tickets.c.queued <= bindparam("before"),
        or_(
            tickets.c.state.in_([state.value for state in UNSENT]),
            # A merchant who has accepted knows of the order, and is not called about it.
            and_(
                tickets.c.copy_no == 1,
                orders.c.state == OrderState.PAID.value,
                or_(tickets.c.escalation.is_(None), tickets.c.escalation != LADDER[-1].value),
            ),
        ),
    )
    .order_by(tickets.c.id)
)
_WAITING = Prepared(
    select(tickets.c.id, tickets.c.merchant_id, tickets.c.queued)
    .join(merchants, merchants.c.id == tickets.c.merchant_id)
    .where(
        ~merchants.c.printer_pulls,
        tickets.c.state == literal_column("'queued'"),
        tickets.c.id > bindparam("after"),
        tickets.c.queued <= bindparam("before"),
        (tickets.c.merchant_id % SLOTS).in_(
            select(dispatch_slots.c.slot).where(dispatch_slots.c.owner == bindparam("me"))
        ),
    )
    .order_by(tickets.c.id)
    .limit(bindparam("limit"))
)
_IN_HAND = Prepared(
    select(tickets.c.id, tickets.c.merchant_id, tickets.c.claimed_by)
    .where(
        tickets.c.state == literal_column("'claimed'"),
        tickets.c.claimed_by.is_distinct_from(literal_column(str(REMOTE))),
        (tickets.c.merchant_id % SLOTS).in_(
            select(dispatch_slots.c.slot).where(dispatch_slots.c.owner == bindparam("me"))
        ),
    )
    .order_by(tickets.c.id)
)
_MARK = Prepared(
    update(orders)
    .where(orders.c.id == bindparam("the_id"), orders.c.published.is_(None))
    .values(committed=bindparam("was_committed"), published=bindparam("was_published"))
)


def enqueue(conn: Connection, order: Record, now: float) -> None:
    """Make the first copy of a paid order's ticket and wake the dispatcher."""
    _add(conn, order, 1, now)


def reprint(conn: Connection, ticket_id: int, now: float) -> dict[str, Any]:
    """Make a further copy of a ticket, which says that it is one. Raises Conflict while the last copy is under way."""
    ticket = find(conn, ticket_id)
    newest = conn.execute(
        select(tickets).where(tickets.c.order_id == ticket.order_id).order_by(tickets.c.copy_no.desc()).limit(1)
    ).one()
    if newest.state in OPEN:
        raise Conflict("still_printing", f"copy {newest.copy_no} of order {ticket.order_id} is {newest.state}")
    order = conn.execute(select(orders).where(orders.c.id == ticket.order_id)).one()
    copy_no = newest.copy_no + 1
    return {"ticket_id": _add(conn, order, copy_no, now), "order_id": order.id, "copy_no": copy_no}


def _add(conn: Connection, order: Record, copy_no: int, now: float) -> int:
    values: dict[str, Any] = {
        "order_id": order.id,
        "merchant_id": order.merchant_id,
        "copy_no": copy_no,
        "state": TicketState.QUEUED.value,
        "attempts": 0,
        "queued": now,
    }
    ticket_id = _INSERT.add(conn, **values)
    publish(conn, TOPIC, "queued", now, **queued_story(ticket_id, order, copy_no))
    return ticket_id


def queued_story(ticket_id: int, order: Record, copy_no: int) -> dict[str, Any]:
    """What the event of a new ticket says."""
    return {
        "ticket_id": ticket_id,
        "order_id": order.id,
        "order_ref": order.ref,
        "merchant_id": order.merchant_id,
        "user_id": order.user_id,
        "copy_no": copy_no,
    }


def find(conn: Connection, ticket_id: int) -> Record:
    """The ticket. Raises NotFound."""
    row = _BY_ID.first(conn, id=ticket_id)
    if row is None:
        raise NotFound("no_such_ticket", f"ticket {ticket_id}")
    return row


def find_or_none(conn: Connection, ticket_id: int) -> Record | None:
    """The ticket; None: there is none."""
    return _BY_ID.first(conn, id=ticket_id)


def announce(conn: Connection, ticket: Record, now: float) -> None:
    """Wake the dispatcher for a ticket that waits already."""
    tell(conn, ticket, "queued", now)


def job(conn: Connection, ticket_id: int) -> Job:
    """The ticket with all that is printed on it and where its printer is. Raises NotFound."""
    row = _JOB.first(conn, id=ticket_id)
    if row is None:
        raise NotFound("no_such_ticket", f"ticket {ticket_id}")
    return Job._make(row)


def unfinished(conn: Connection) -> list[Record]:
    """Tickets that a dispatcher had, or should have had, in hand; oldest first."""
    return list(conn.execute(_OPEN))


def waiting(conn: Connection, me: int, *, after: int, before: float, limit: int) -> list[Record]:
    """Tickets (id, merchant_id, queued) still queued, in the slots of dispatcher `me`, by id above `after`, queued
    before `before`."""
    return _WAITING.all(conn, me=me, after=after, before=before, limit=limit)


def in_hand(conn: Connection, me: int) -> list[Record]:
    """Tickets (id, merchant_id, claimed_by) that are claimed, in the slots of dispatcher `me`."""
    return _IN_HAND.all(conn, me=me)


def late(conn: Connection, before: float) -> list[Record]:
    """Tickets queued before `before` that are unsent, or first copies not on paper of orders that nobody accepted."""
    return list(conn.execute(_LATE, {"before": before}))


@lru_cache(maxsize=64)
def _update(columns: tuple[str, ...]) -> Prepared:
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("state", *columns)}
    still = (tickets.c.id == bindparam("the_id"), tickets.c.state == bindparam("was"))
    return Prepared(update(tickets).where(*still).values(**values))


def advance(conn: Connection, ticket: Record, event: TicketEvent, at: float, **columns: Any) -> TicketState:
    """Apply one step of the ticket's life and publish it. Raises Conflict if the domain's table has no such step."""
    follows = step(TicketState(ticket.state), event)
    if isinstance(follows, Refused):
        raise Conflict(follows.code, follows.detail or f"ticket {ticket.id} is {ticket.state}")
    statement = _update(tuple(columns))
    values = {f"new_{name}": value for name, value in columns.items()}
    if statement.run(conn, the_id=ticket.id, was=ticket.state, new_state=follows.value, **values) != 1:
        raise Conflict("changed_meanwhile", f"ticket {ticket.id} is no longer {ticket.state}")
    return follows


def change(conn: Connection, ticket_id: int, **columns: Any) -> None:
    """Change columns that are not its state."""
    conn.execute(update(tickets).where(tickets.c.id == ticket_id).values(**columns))


def mark_order(conn: Connection, order_id: int, committed: float, published: float) -> None:
    """Write down when the payment's transaction was committed and its event seen; only the first time."""
    _MARK.run(conn, the_id=order_id, was_committed=committed, was_published=published)


def tell(conn: Connection, row: Record, name: str, at: float, **more: Any) -> None:
    """Publish an event of a ticket; `row` has the ticket's columns."""
    order = _WHOSE.first(conn, id=row.order_id)
    publish(
        conn, TOPIC, name, at, ticket_id=row.id, order_id=row.order_id, order_ref=order.ref, user_id=order.user_id,
        merchant_id=row.merchant_id, copy_no=row.copy_no, **more,
    )  # fmt: skip


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """The run table `tickets`."""
    names = ("claimed", "rendered", "delivered_to_printer", "printed", "escalation")
    for row in conn.execute(select(tickets).order_by(tickets.c.id)):
        yield {
            "ticket_id": row.id,
            "order_id": row.order_id,
            "merchant_id": row.merchant_id,
            "printer_id": row.merchant_id,
            "copy_no": row.copy_no,
            "state": row.state,
            "code": row.code,
            "attempts": row.attempts,
            "queued": row.queued,
            **{name: getattr(row, name) for name in names},
        }
