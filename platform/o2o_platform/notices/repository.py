"""Reading and writing notices.

Decides that a step of the ladder and its notice are one transaction, so nobody is forgotten; it is sent afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from o2o_domain.notices import Answer, merchant_says, text
from o2o_domain.refusal import Refused
from o2o_platform.errors import Conflict, NotFound
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.merchants.tables import merchants
from o2o_platform.notices.tables import notices
from o2o_platform.orders.tables import orders

_WHOM = Prepared(
    select(orders.c.order_no, merchants.c.ref, merchants.c.owner_ref)
    .join(merchants, merchants.c.id == orders.c.merchant_id)
    .where(orders.c.id == bindparam("order_id"))
)
_KNOWN = Prepared(
    select(notices.c.id).where(notices.c.ticket_id == bindparam("ticket_id"), notices.c.level == bindparam("level"))
)
_INSERT = Prepared(insert(notices))


def write(conn: Connection, ticket: Record, *, state: str, code: str | None, level: str, now: float) -> None:
    """The notice of a ticket's step, to be sent; `state` and `code` are what the ticket has come to."""
    if _KNOWN.first(conn, ticket_id=ticket.id, level=level) is not None:
        return
    whom = _WHOM.first(conn, order_id=ticket.order_id)
    _INSERT.add(
        conn,
        ticket_id=ticket.id,
        order_id=ticket.order_id,
        merchant_id=ticket.merchant_id,
        level=level,
        recipient=whom.owner_ref or whom.ref,
        text=text(order_no=whom.order_no, state=state, code=code, copy_no=ticket.copy_no)[:255],
        made=now,
    )


def unsent(conn: Connection, limit: int) -> list[Record]:
    """Notices that wait to be sent, oldest first."""
    return list(conn.execute(select(notices).where(notices.c.sent.is_(None)).order_by(notices.c.id).limit(limit)))


def settle(conn: Connection, outcomes: Sequence[tuple[int, float, Answer | None]]) -> None:
    """Write down (notice, when it was sent, what the channel reported)."""
    for notice_id, at, answer in outcomes:
        values: dict[str, Any] = {"sent": at}
        still = [notices.c.id == notice_id, notices.c.sent.is_(None)]
        conn.execute(update(notices).where(*still).values(**values))
        if answer is not None:  # unless the merchant was quicker
            conn.execute(
                update(notices)
                .where(notices.c.id == notice_id, notices.c.answer.is_(None))
                .values(answer=answer.value, answered=at)
            )


def find(conn: Connection, notice_id: int) -> Record:
    """The notice. Raises NotFound."""
    row = conn.execute(select(notices).where(notices.c.id == notice_id)).first()
    if row is None:
        raise NotFound("no_such_notice", f"notice {notice_id}")
    return row


def answer(conn: Connection, notice: Record, said: Answer, now: float) -> Answer:
    """What the merchant says to a notice. Raises Conflict if something else was said before."""
    verdict = merchant_says(said, Answer(notice.answer) if notice.answer else None)
    if isinstance(verdict, Refused):
        raise Conflict(verdict.code, verdict.detail)
    if notice.answer != verdict.value:
        conn.execute(update(notices).where(notices.c.id == notice.id).values(answer=verdict.value, answered=now))
    return verdict


def listed(
    conn: Connection, *, after: int, limit: int, merchant_ids: Sequence[int] | None = None, level: str | None = None
) -> list[dict[str, Any]]:
    """Notices by id above `after`; of these merchants, of this level, if named."""
    query = select(notices).where(notices.c.id > after).order_by(notices.c.id).limit(limit)
    if merchant_ids is not None:
        query = query.where(notices.c.merchant_id.in_(merchant_ids))
    if level is not None:
        query = query.where(notices.c.level == level)
    return [_shown(row) for row in conn.execute(query)]


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """All notices, for the export."""
    for row in conn.execute(select(notices).order_by(notices.c.id)):
        yield _shown(row)


def _shown(row: Any) -> dict[str, Any]:
    return {"notice_id": row.id} | {
        column.name: getattr(row, column.name) for column in notices.c if column.name != "id"
    }
