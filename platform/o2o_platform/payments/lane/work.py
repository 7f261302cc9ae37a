"""A batch of callbacks: what they are about is read, the domain gives its verdict on each, the ordinary are applied.

Decides what is ordinary: a takeout order that waits for exactly this money, reserved in one transaction, all fences
tried. A callback that changes nothing is answered at once; all others (late, refused, disputed, deals, branch by
branch) are `Odd`: whoever asked takes them to the ordinary unit of work, which decides alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from o2o_domain import ledger as postings
from o2o_domain.orders import OrderEvent, OrderState
from o2o_domain.orders import step as order_step
from o2o_domain.payments import Apply, Ignore, PaymentEvent, PaymentState, on_callback
from o2o_domain.payments import step as payment_step
from o2o_domain.refusal import Refused
from o2o_platform.kit.batch_sql import GuardMissed, run
from o2o_platform.kit.context import Context
from o2o_platform.kit.line import Line, lost
from o2o_platform.kit.prepared import Record
from o2o_platform.orders import repository as orders
from o2o_platform.payments.callback import Callback
from o2o_platform.payments.lane.statements import IDS, LOOK, PAY
from o2o_platform.printing import repository as printing

ROUNDS = 3
"""A batch is looked at so often before it is given up."""
BLOCK = 512
"""Ids that are drawn from the sequences at once."""
MAX_ID = 2**63 - 1

_encode = msgspec.json.Encoder().encode


class Odd(Exception):  # noqa: N818  (no error of the platform: the route answers it)
    """Not for a batch."""


class Told:
    """A callback on its way through a batch."""

    __slots__ = ("callback", "now", "outcome")

    def __init__(self, callback: Callback, now: float) -> None:
        self.callback = callback
        self.now = now
        self.outcome: str | Exception | None = None


class Work:
    """`many` is the batcher's `work_many`; one batch at a time."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._line = Line(ctx.db)
        self._ids: deque[tuple[int, int]] = deque()
        self.missed = 0
        """Guards that missed."""

    async def close(self) -> None:
        """Hang up."""
        await self._line.close()

    async def many(self, batch: Sequence[Told]) -> list[str | Exception]:
        """What became of each: paid, ignored, or Odd. Raises as a whole what `lost` knows."""
        try:
            for _ in range(ROUNDS):
                if not await self._round([told for told in batch if told.outcome is None]):
                    break
        except Exception as exc:
            if lost(exc):
                self._line.drop()
            raise
        return [Odd() if told.outcome is None else told.outcome for told in batch]

    async def _round(self, batch: list[Told]) -> bool:
        """Whether there is something left to look at again."""
        conn = await self._line.get()
        wanted = {told.callback.payment_id for told in batch if told.callback.payment_id <= MAX_ID}
        found = {row["payment_id"]: _Order(row) for row in await conn.fetch(LOOK, list(wanted))}
        paying: dict[int, tuple[Told, _Order]] = {}
        again = False
        for told in batch:
            row = found.get(told.callback.payment_id)
            if row is None:
                told.outcome = Odd()
                continue
            if row.payment_id in paying:  # told twice at once: the second is looked at after the first
                again = True
                continue
            told.outcome = _verdict(row, told.callback)
            if told.outcome is None:
                paying[row.payment_id] = (told, row)
        if not paying:
            return again
        try:
            await self._pay(conn, [paying[payment_id] for payment_id in sorted(paying)])
        except GuardMissed:
            self.missed += 1
            return True
        return again

    async def _pay(self, conn: asyncpg.Connection, paying: list[tuple[Told, _Order]]) -> None:
        while len(self._ids) < len(paying):
            self._ids.extend((row[0], row[1]) for row in await conn.fetch(IDS, BLOCK))
        payments, entries, events = [], [], []
        for told, row in paying:
            (ticket_id, txn_id), now = self._ids.popleft(), told.now
            payments.append(
                (row.payment_id, row.payment_state, told.callback.confirmed, now, row.amount_fen, row.id, row.state,
                 len(row.fences), row.merchant_id, ticket_id)
            )  # fmt: skip
            booked = postings.paid(
                orders.quote_of(row), merchant_id=row.merchant_id, commission_share=row.commission_share
            )
            entries += [(txn_id, row.id, now, posting.account, posting.amount_fen) for posting in booked]
            story = orders.story(row, state=_PAID_ORDER)
            events.append((now, orders.TOPIC, OrderEvent.PAY.value, _encode(story).decode()))
            events.append((now, printing.TOPIC, "queued", _encode(printing.queued_story(ticket_id, row, 1)).decode()))
        await run(conn, PAY, _PAID, _PAID_ORDER, *_columns(payments), *_columns(entries, 5), *_columns(events))
        self._ctx.db.ring()
        for told, _ in paying:
            told.outcome = "paid"


class _Order:
    """A row of LOOK: its columns are attributes, as the rules' shells ask for them."""

    def __init__(self, row: Record) -> None:
        self.__dict__.update(row.items())
        self.fences: list[str] = row["fences"] or []

    def __getattr__(self, name: str) -> Any:  # asked only for what the row has not
        raise AttributeError(name)


def _verdict(row: Any, told: Callback) -> str | Odd | None:
    """None: the order is to be paid."""
    verdict = on_callback(
        PaymentState(row.payment_state), amount_due=row.amount_fen, amount=told.amount_fen, ok=told.outcome == "ok"
    )
    if isinstance(verdict, Ignore):
        return "ignored"
    ordinary = (
        isinstance(verdict, Apply)
        and verdict == Apply(PaymentEvent.PAY)
        and row.kind == "order"
        and row.method == "provider"
        and row.state == OrderState.PENDING_PAYMENT
        and not row.apart
        and set(row.fences) <= _HELD
    )
    return None if ordinary else Odd()


def _columns(found: list[Any], count: int = 0) -> tuple[Any, ...]:
    return tuple(zip(*found, strict=True)) if found else tuple([] for _ in range(count))


def _known(state: Any) -> str:
    assert not isinstance(state, Refused)
    return str(state.value)


_HELD = frozenset({"stock:tried", "coupon:tried"})
_PAID = _known(payment_step(PaymentState.REQUESTED, PaymentEvent.PAY))
_PAID_ORDER = _known(order_step("order", OrderState.PENDING_PAYMENT, OrderEvent.PAY))
