"""Each branch's phase as a unit of its own, as if stock, coupons and balance were services of their own (A3, W10).

Decides the order of the units and what is known between them. The coordinator's record is written before the first try
and moved on by conditional updates; every unit may be the last one before the process ends, and `recovery` finds in the
record what is to be done: tries that nobody completes are cancelled, decided reservations are finished.

    placing    record (trying) ► try stock ► try coupon ► [what the wallet shall hold ►] try balance ► order written
               with the record held, or paid from the balance and confirming
    refused    record (cancelling) ► cancel each branch ► done; no order was written
    paid       in the paying unit: confirming; afterwards confirm each branch ► done
    unpaid     in the closing unit: cancelling; afterwards cancel each branch ► done
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from o2o_domain.coupons import Eligible
from o2o_domain.pricing import Quote
from o2o_domain.tcc import Branch, Phase, Stage, StageEvent
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Conflict, PlatformError, Unavailable, Unprocessable
from o2o_platform.kit.context import Context
from o2o_platform.orders import decide
from o2o_platform.orders import place as placing
from o2o_platform.orders.bodies import OrderBody
from o2o_platform.orders.place import Draft, Placed
from o2o_platform.reservation import balance, coupon, records, stock
from o2o_platform.reservation.branches import CANCEL, CONFIRM, SecondPhase

T = TypeVar("T")
Unit = Callable[[Connection], T]

_AGAIN = {"Retry-After": "1"}


async def ask(ctx: Context, branch: Branch, phase: Phase, unit: Unit[T]) -> T:
    """One phase of one branch, in a unit of its own: where a service of its own would be called."""
    return await ctx.db.write(unit)


async def place(
    ctx: Context, user: CurrentUser, key: str, mark: str, body: OrderBody, now: float, risk: str | None = None
) -> Placed:
    """As `orders.place.place`, branch by branch.

    Raises what that raises, and Unavailable while another request is at the same key, or when the tries took so long
    that they were given up: the same request may be made again.
    """
    begun = await ctx.db.write(lambda conn: _begin(conn, ctx, user, key, mark, body, now, risk))
    if isinstance(begun, Placed):
        return begun
    try:
        quote, code, refused = await _try(ctx, begun)
        placed = await ctx.db.write(lambda conn: _write(conn, ctx, begun, quote, code, refused))
    except PlatformError as error:
        given_up = await ctx.db.write(lambda conn: _give_up(conn, begun.order_id))
        await finish(ctx, begun.order_id)
        if not given_up:
            raise Unavailable("reservation_given_up", "it took too long; try again", headers=_AGAIN) from error
        raise
    await finish(ctx, begun.order_id)
    return placed


async def finish(ctx: Context, order_id: int) -> bool:
    """Ask every branch for what was decided, and close the record; False if nothing was decided yet, or all is done."""
    record = await ctx.db.read(lambda conn: records.find(conn, order_id), quick=True)
    if record is None or record.stage not in (Stage.CONFIRMING, Stage.CANCELLING):
        return False
    phase, works = (Phase.CONFIRM, CONFIRM) if record.stage == Stage.CONFIRMING else (Phase.CANCEL, CANCEL)
    now = ctx.clock.now()
    for branch in records.branches_of(record):
        await ask(ctx, branch, phase, _of(works[branch], order_id, now))
    return await ctx.db.write(lambda conn: _done(conn, order_id))


def _of(work: SecondPhase, order_id: int, now: float) -> Unit[None]:
    return lambda conn: work(conn, order_id, now)


async def give_up(ctx: Context, order_id: int) -> bool:
    """Cancel tries that nobody completes; False if somebody did meanwhile."""
    if not await ctx.db.write(lambda conn: _give_up(conn, order_id)):
        return False
    return await finish(ctx, order_id)


def _begin(
    conn: Connection,
    ctx: Context,
    user: CurrentUser,
    key: str,
    mark: str,
    body: OrderBody,
    now: float,
    risk: str | None,
) -> Draft | Placed:
    under_way = records.trying(conn, user.id, key)
    if under_way is not None:
        if under_way.fingerprint != mark:
            raise Unprocessable("idempotency_key_reused", f"the key {key} stands for another order")
        raise Unavailable("in_progress", f"the order under the key {key} is being placed", headers=_AGAIN)
    draft = placing.draft(conn, ctx.settings, user, key, mark, body, now, risk)
    if isinstance(draft, Placed):
        return draft
    branches = [Branch.STOCK]
    branches += [Branch.COUPON] if body.coupon_code is not None else []
    branches += [Branch.BALANCE] if body.pay_with == "balance" else []
    records.begin(
        conn,
        draft.order_id,
        user_id=user.id,
        ref=key,
        fingerprint=mark,
        branches=tuple(branches),
        pieces=draft.basket.pieces,
        now=now,
    )
    return draft


async def _try(ctx: Context, draft: Draft) -> tuple[Quote, str | None, str | None]:
    """(quote, code of the coupon that applied, reasons if it did not). Raises Conflict as soon as a branch refuses."""
    number, now, body, user = draft.order_id, draft.now, draft.body, draft.user
    pieces, quote, refused = draft.basket.pieces, draft.basket.quote, None
    await ask(ctx, Branch.STOCK, Phase.TRY, lambda conn: stock.try_(conn, number, pieces, now))
    code = body.coupon_code
    if code is not None:
        items_fen = quote.items_fen
        wanted = partial(
            coupon.try_,
            order_id=number,
            code=code,
            user_id=user.id,
            segment=user.segment,
            items_fen=items_fen,
            now=now,
        )
        verdict = await ask(ctx, Branch.COUPON, Phase.TRY, wanted)
        code, refused, quote = decide.with_coupon(ctx.settings, draft.basket, code, verdict)
        if not isinstance(verdict, Eligible):
            await ctx.db.write(lambda conn: records.leave_out(conn, number, Branch.COUPON))
    if body.pay_with == "balance":
        fen = quote.total_fen
        await ctx.db.write(lambda conn: records.will_hold(conn, number, fen))
        await ask(ctx, Branch.BALANCE, Phase.TRY, lambda conn: balance.try_(conn, number, user.id, fen, now))
    return quote, code, refused


def _write(conn: Connection, ctx: Context, draft: Draft, quote: Quote, code: str | None, refused: str | None) -> Placed:
    """All branches hold: the order is written, and decided at once if it is paid from the balance."""
    record = records.find(conn, draft.order_id)
    if record.stage != Stage.TRYING:
        raise Conflict("already_cancelled", f"the reservation of order {draft.order_id} was given up")
    if draft.body.pay_with != "balance":
        records.move(conn, draft.order_id, StageEvent.ALL_TRIED)
    return placing.write(conn, ctx, draft, quote, code, refused)


def _give_up(conn: Connection, order_id: int) -> bool:
    """Whether the tries were still waiting for somebody to complete them."""
    if records.find(conn, order_id).stage != Stage.TRYING:
        return False
    records.move(conn, order_id, StageEvent.GIVE_UP)
    return True


def _done(conn: Connection, order_id: int) -> bool:
    with contextlib.suppress(Conflict):  # somebody else was at it too, and was quicker
        records.move(conn, order_id, StageEvent.ALL_ANSWERED)
    return True
