"""What reconciliation found, one row a difference: since when it was there, when it was repaired (G11).

Decides since when the sides differed: from the user's confirmation where the platform had not heard of the money, from
the demand where a refund was not given. A difference that is for people, or for the provider (a refund that it has not
given), is one open row until the sides agree again.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from o2o_domain.reconcile import Repair, Verdict
from o2o_platform.kit.prepared import Record
from o2o_platform.payments.tables import payments, refunds
from o2o_platform.payments.tables import reconciliations as table

_REFUNDS = (Repair.ASK_REFUND_AGAIN, Repair.NOTE_REFUND)
_OPEN = (Repair.DISPUTE, Repair.ASK_REFUND_AGAIN)
"""What is not repaired by being found."""
WAITING = ("requested", "confirmed", "disputed")
"""States of payments that the provider may still have to tell of."""


def since(verdict: Verdict, payment: Record, theirs: Row[Any] | None, debts: Sequence[Record], now: float) -> float:
    """Unix seconds since when the sides differ, `now` at the latest."""
    if verdict.repair in _REFUNDS and debts:
        return float(min(now, max(debt.wanted for debt in debts)))
    if theirs is not None:
        return float(min(now, theirs.changed if theirs.confirmed is None else theirs.confirmed))
    return float(min(now, payment.callback if payment is not None and payment.callback is not None else now))


def write_down(
    conn: Connection, verdict: Verdict, payment_id: int, payment: Record, since_s: float, now: float
) -> None:
    """Write a difference down; one that is open already is not listed again."""
    stays = verdict.repair in _OPEN
    same = _open([payment_id]) & (table.c.verdict == verdict.repair.value)
    if stays and conn.execute(select(table.c.id).where(same)).first() is not None:
        return
    if not stays:
        close(conn, [payment_id], now)
    conn.execute(
        insert(table).values(
            payment_id=payment_id,
            order_id=None if payment is None else payment.order_id,
            verdict=verdict.repair.value,
            reason=verdict.reason,
            fen=verdict.fen,
            since=since_s,
            found=now,
            repaired=None if stays else now,
        )
    )


def close(conn: Connection, payment_ids: Sequence[int], now: float) -> None:
    """The sides of these payments agree: what was listed for people is not any more."""
    conn.execute(update(table).where(_open(payment_ids)).values(repaired=now))


def _open(payment_ids: Sequence[int]) -> ColumnElement[bool]:
    return table.c.payment_id.in_(payment_ids) & table.c.repaired.is_(None)


def summary(conn: Connection) -> dict[str, Any]:
    """How many of each verdict, disputes that are open, the time to repair in seconds, and what is still waited for."""
    counts = conn.execute(select(table.c.verdict, func.count()).group_by(table.c.verdict))
    repairs = {verdict: number for verdict, number in counts if verdict != Repair.DISPUTE}
    times = sorted(
        row.repaired - row.since
        for row in conn.execute(select(table).where(table.c.repaired.is_not(None), table.c.verdict != Repair.DISPUTE))
    )
    disputes = [
        {"payment_id": row.payment_id, "order_id": row.order_id, "reason": row.reason, "fen": row.fen}
        for row in conn.execute(
            select(table)
            .where(table.c.repaired.is_(None), table.c.verdict == Repair.DISPUTE)
            .order_by(table.c.id)
            .limit(200)
        )
    ]
    states = select(payments.c.state, func.count()).where(payments.c.state.in_(WAITING)).group_by(payments.c.state)
    owed = select(func.count()).select_from(refunds).where(refunds.c.done.is_(None))
    return {
        "repairs": repairs,
        "time_to_repair_s": {"p50": _quantile(times, 0.5), "p99": _quantile(times, 0.99), "max": _quantile(times, 1)},
        "disputes": disputes,
        "waiting": {row[0]: row[1] for row in conn.execute(states)},
        "refunds_owed": conn.execute(owed).scalar(),
    }


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of all do not exceed."""
    return round(ordered[max(math.ceil(share * len(ordered)) - 1, 0)], 3) if ordered else None


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """The run table `reconciliations`."""
    for row in conn.execute(select(table).order_by(table.c.id)):
        yield {
            "reconciliation_id": row.id,
            **{name: getattr(row, name) for name in ("payment_id", "order_id", "verdict", "reason", "fen")},
            **{name: getattr(row, name) for name in ("since", "found", "repaired")},
        }
