"""Reconciliation: the provider's statement against the books, payment by payment, and the repairs (G11).

Decides what is looked at (every entry that changed, every refund that stays unconfirmed, and in turn every payment
that the provider ought to know) and which unit of work carries a verdict out: the same ones as a callback's. What the
verdict is, the domain decides (`o2o_domain.reconcile`). Each difference is one row of `reconciliations`.

Units are short: entries in order are marked two hundred at a time, each repair is a unit of its own that loads, decides
and applies anew, so a callback that overtakes it finds, or leaves, everything in order. Reads go by key or a short way
along an index, so they are quick ones: behind a busy loop a thread of its own would wait for every row.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from functools import partial
from typing import Any

import httpx
from sqlalchemy import Connection, Row, bindparam, func, select, update

from o2o_domain import reconcile as rules
from o2o_domain.payments import TAKEN, PaymentState
from o2o_domain.reconcile import Ours, Repair, Theirs, Verdict
from o2o_platform.errors import PlatformError, Unavailable
from o2o_platform.kit.context import Context
from o2o_platform.kit.prepared import Record
from o2o_platform.payments import differences, owed, repository
from o2o_platform.payments.repair import carry_out
from o2o_platform.payments.statement import pull
from o2o_platform.payments.tables import payments, refunds, statement

log = logging.getLogger("o2o.platform.payments")

CHUNK = 200
"""Payments compared in one unit of work."""
SWEEP = 2000
"""Payments looked for on the statement in one round; each has its turn after as many rounds as it takes."""

_MARK = (
    update(statement)
    .where(statement.c.payment_id == bindparam("the_id"), statement.c.seq == bindparam("the_seq"))
    .values(checked=bindparam("at"))
)


class Reconciler:
    """Pulls and compares, in turn with whoever else asks for it. `transport` replaces the network in tests."""

    def __init__(self, ctx: Context, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._ctx = ctx
        self._transport = transport
        self._lock = asyncio.Lock()
        self._settled: set[int] = set()
        """Payments that had their turn in this round."""
        self._turn = 0
        """The last payment that was looked for on the statement."""

    async def run(self) -> None:
        """Reconcile every `reconcile_interval_s`, for ever."""
        ctx = self._ctx
        while True:
            await ctx.clock.sleep(ctx.settings.reconcile_interval_s)
            try:
                done = await self.once()
            except Unavailable as exc:
                log.warning("reconciliation: %s", exc.detail)
                continue
            if done["repairs"] or done["disputes"]:
                log.warning("reconciliation: %s", done)

    async def once(self) -> dict[str, Any]:
        """One round: {pulled, compared, repairs: {verdict: number}, disputes, took_s}. Raises Unavailable: no
        statement."""
        ctx = self._ctx
        async with self._lock:
            began = ctx.clock.now()
            async with httpx.AsyncClient(transport=self._transport, timeout=30.0) as client:
                pulled = await pull(ctx, client)
            found: Counter[str] = Counter()
            self._settled.clear()
            now = ctx.clock.now()
            compared = await self._entries(now, found)
            compared += await self._refunds(now, found)
            compared += await self._unmatched(now, found)
        disputes = found.pop(Repair.DISPUTE, 0)
        took_s = round(ctx.clock.now() - began, 3)
        return {
            "pulled": pulled, "compared": compared, "repairs": dict(found), "disputes": disputes, "took_s": took_s
        }  # fmt: skip

    async def _entries(self, now: float, found: Counter[str]) -> int:
        """Entries of the statement that changed and are not fresh any more."""
        db, settings, count, after = self._ctx.db, self._ctx.settings, 0, -1
        until = now - settings.reconcile_grace_s
        while rows := await db.read(partial(_unchecked, after=after, until=until), quick=True):
            after = rows[-1].seq
            count += len(rows)
            judged = [(row, _judge(row, settings.reconcile_grace_s, now)) for row in rows]
            fine = [row for row, verdict in judged if verdict.repair is Repair.IN_ORDER]
            if fine:
                await db.write(partial(_mark, rows=fine, now=now))
            for row, verdict in judged:
                if verdict.repair not in (Repair.IN_ORDER, Repair.WAIT):
                    await self._repair(row.payment_id, found)
        return count

    async def _refunds(self, now: float, found: Counter[str]) -> int:
        """Payments whose refunds stay unconfirmed although their entries did not change."""
        until, count, after = now - self._ctx.settings.reconcile_grace_s, 0, 0
        while ids := await self._ctx.db.read(partial(_owed_long, after=after, until=until), quick=True):
            after = ids[-1]
            count += len(ids)
            for payment_id in ids:
                await self._repair(payment_id, found)
        return count

    async def _unmatched(self, now: float, found: Counter[str]) -> int:
        """Payments that the books call paid, long since, and the provider does not know."""
        until, count = now - self._ctx.settings.reconcile_grace_s, 0
        while count < SWEEP:
            last, looked_at, ids = await self._ctx.db.read(partial(_missing, after=self._turn, until=until), quick=True)
            for payment_id in ids:
                await self._repair(payment_id, found)
            count += looked_at
            self._turn = last
            if not last:
                break
        return count

    async def _repair(self, payment_id: int, found: Counter[str]) -> None:
        if payment_id in self._settled:
            return
        self._settled.add(payment_id)
        ctx = self._ctx
        now = ctx.clock.now()
        try:
            verdict = await ctx.db.write(lambda conn: _settle(conn, ctx, payment_id, now))
        except PlatformError as exc:  # one that cannot be repaired keeps no other from it; it is tried again next time
            log.error("reconciliation of payment %s: %s: %s", payment_id, exc.code, exc.detail)
            found["failed"] += 1
            return
        if verdict.repair not in (Repair.IN_ORDER, Repair.WAIT):
            found[str(verdict.repair)] += 1


def _settle(conn: Connection, ctx: Context, payment_id: int, now: float) -> Verdict:
    """Load both sides, decide, apply, write down: one unit of work. Returns what was done."""
    theirs = conn.execute(select(statement).where(statement.c.payment_id == payment_id)).first()
    payment = repository.seek(conn, payment_id)
    debts = owed.of_payment(conn, payment_id)
    verdict = rules.reconcile(
        None if payment is None else ours_of(payment, debts),
        None if theirs is None else theirs_of(theirs),
        now=now,
        grace_s=ctx.settings.reconcile_grace_s,
    )
    if payment is None and any(debt.order_id is None for debt in debts):
        verdict = Verdict(Repair.IN_ORDER)  # owed back already; the refund's task asks until it is given
    if verdict.repair is Repair.WAIT:
        return verdict
    if verdict.repair is not Repair.IN_ORDER:
        since = differences.since(verdict, payment, theirs, debts, now)
        differences.write_down(conn, verdict, payment_id, payment, since, now)
        carry_out(conn, ctx, verdict, payment_id, payment, theirs, now)
    else:
        differences.close(conn, [payment_id], now)
    if theirs is not None:
        conn.execute(_MARK, {"the_id": payment_id, "the_seq": theirs.seq, "at": now})
    return verdict


def ours_of(payment: Record, debts: list[Record]) -> Ours:
    """The rule's view of the books of a payment."""
    wanted = [debt.wanted for debt in debts if debt.done is None]
    return Ours(
        PaymentState(payment.state),
        payment.amount_fen,
        repository.taken_fen(payment),
        payment.refund_fen,
        max(wanted) if wanted else None,
    )


def theirs_of(row: Row[Any]) -> Theirs:
    """The rule's view of the provider's entry."""
    return Theirs(row.state, row.charged_fen, row.refunded_fen, row.changed)


_SIDES = select(
    statement,
    payments.c.state.label("our_state"),
    payments.c.amount_fen,
    payments.c.taken_fen,
    payments.c.refund_fen,
    payments.c.refund_wanted,
    payments.c.refund_done,
).outerjoin(payments, payments.c.id == statement.c.payment_id)


def _unchecked(conn: Connection, *, after: int, until: float) -> list[Row[Any]]:
    query = _SIDES.where(statement.c.checked.is_(None), statement.c.seq > after, statement.c.changed <= until)
    return list(conn.execute(query.order_by(statement.c.seq).limit(CHUNK)))


def _judge(row: Row[Any], grace_s: float, now: float) -> Verdict:
    """A first look, without the refunds one by one; whatever is not in order is loaded again and settled."""
    if row.our_state is None:
        return rules.reconcile(None, theirs_of(row), now=now, grace_s=grace_s)
    state = PaymentState(row.our_state)
    taken = 0 if state not in TAKEN else (row.amount_fen if row.taken_fen is None else row.taken_fen)
    owed_since = row.refund_wanted if row.refund_done is None else None
    ours = Ours(state, row.amount_fen, taken, row.refund_fen, owed_since)
    return rules.reconcile(ours, theirs_of(row), now=now, grace_s=grace_s)


def _mark(conn: Connection, *, rows: list[Row[Any]], now: float) -> None:
    """Mark entries as they were read, in order of their numbers: one that has changed since has a later number."""
    ids = [row.payment_id for row in rows]
    same = statement.c.payment_id.in_(ids) & (statement.c.seq <= rows[-1].seq)
    conn.execute(update(statement).where(same).values(checked=now))
    differences.close(conn, ids, now)


def _owed_long(conn: Connection, *, after: int, until: float) -> list[int]:
    query = select(refunds.c.payment_id).where(
        refunds.c.done.is_(None), refunds.c.wanted <= until, refunds.c.payment_id > after
    )
    return list(conn.execute(query.distinct().order_by(refunds.c.payment_id).limit(CHUNK)).scalars())


def _missing(conn: Connection, *, after: int, until: float) -> tuple[int, int, list[int]]:
    """Of the next payments: the last one's id (0: there are no more), how many, those paid but not on the statement."""
    looked = select(payments.c.id).where(payments.c.id > after).order_by(payments.c.id).limit(CHUNK).subquery()
    last, count = conn.execute(select(func.max(looked.c.id), func.count()).select_from(looked)).one()
    if not count:
        return 0, 0, []
    query = (
        select(payments.c.id)
        .outerjoin(statement, statement.c.payment_id == payments.c.id)
        .where(
            *(payments.c.id > after, payments.c.id <= last, statement.c.payment_id.is_(None)),
            *(payments.c.method == repository.PROVIDER, payments.c.amount_fen > 0, payments.c.callback <= until),
            payments.c.state.in_([state.value for state in TAKEN]),
        )
        .order_by(payments.c.id)
    )
    return last, count, list(conn.execute(query).scalars())
