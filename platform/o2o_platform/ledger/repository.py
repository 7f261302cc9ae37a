"""Writing the ledger: postings that the domain has decided, under one transaction number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from sqlalchemy import Connection, insert, select

from o2o_platform.errors import PlatformError
from o2o_platform.kit import ids
from o2o_platform.kit.prepared import Prepared
from o2o_platform.ledger.tables import TXN_SEQUENCE, ledger

_INSERT = Prepared(insert(ledger))
_OF_ORDER = select(ledger).order_by(ledger.c.id)


class _Posting(Protocol):
    @property
    def account(self) -> str: ...
    @property
    def amount_fen(self) -> int: ...


def post(conn: Connection, postings: Iterable[_Posting], *, order_id: int | None, reason: str, at: float) -> int:
    """Write one transaction and return its number.

    Raises PlatformError if the amounts do not sum to 0: the unit of work fails rather than leave a crooked book.
    """
    lines = [(p.account, p.amount_fen) for p in postings if p.amount_fen != 0]
    if sum(amount for _, amount in lines) != 0:
        raise PlatformError("ledger_unbalanced", f"{reason} of order {order_id}: {lines}")
    txn_id = ids.next_number(conn, ledger.c.txn_id, TXN_SEQUENCE)
    if lines:
        _INSERT.many(
            conn,
            [
                {"txn_id": txn_id, "order_id": order_id, "at": at, "reason": reason, "account": a, "amount_fen": fen}
                for a, fen in lines
            ],
        )
    return txn_id


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """All entries, as the run table `ledger` wants them (times in unix seconds)."""
    for row in conn.execute(_OF_ORDER):
        yield {
            "entry_id": row.id,
            "txn_id": row.txn_id,
            "order_id": row.order_id,
            "at": row.at,
            "reason": row.reason,
            "account": row.account,
            "amount_fen": row.amount_fen,
        }
