"""Units of work on coupons: load the facts, ask the rule, apply its answer.

Who may have a coupon and what it takes off is `o2o_domain.coupons`; here stand only the loads, and one conditional
update that guards the budget. `claim_and_redeem` and `give_back` are for the orders feature, which calls them inside
its own unit, so that an order and its coupon are committed or rolled back together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from o2o_domain import coupons as rules
from o2o_domain.coupons import Claimed, Coupon, CouponState, Eligible, Ineligible
from o2o_domain.refusal import Refused
from o2o_platform.coupons.decide import Redemption, free_ordinal, redemption
from o2o_platform.coupons.tables import coupon_claims, coupons
from o2o_platform.kit.cache import TOPIC as FACTS
from o2o_platform.kit.outbox import publish

UNKNOWN = Refused("unknown_coupon", "there is no coupon of this code")

# Built once: naming a coupon is part of placing an order, which the peak lives on.
_BY_CODE = select(coupons).where(coupons.c.code == bindparam("code"))
_OF_USER = (
    select(coupon_claims.c.id, coupon_claims.c.state, coupon_claims.c.hold_fen, coupon_claims.c.nth)
    .where(
        coupon_claims.c.code == bindparam("code"),
        coupon_claims.c.user_id == bindparam("user_id"),
        coupon_claims.c.state != CouponState.RETURNED.value,
    )
    .order_by(coupon_claims.c.id)
)
_HOLD = (
    update(coupons)
    .where(
        coupons.c.code == bindparam("the_code"),
        coupons.c.committed_fen + bindparam("hold_fen") <= coupons.c.budget_fen,
    )
    .values(committed_fen=coupons.c.committed_fen + bindparam("hold_fen"), claimed=coupons.c.claimed + 1)
)
_NEW_CLAIM = insert(coupon_claims).inline()
_REDEEM_CLAIM = (
    update(coupon_claims)
    .where(coupon_claims.c.id == bindparam("claim_id"))
    .values(
        state=CouponState.REDEEMED.value,
        hold_fen=bindparam("spent_fen"),
        order_id=bindparam("the_order"),
        redeemed_at=bindparam("now"),
    )
)
_COUNT_REDEEMED = (
    update(coupons)
    .where(coupons.c.code == bindparam("the_code"))
    .values(
        committed_fen=coupons.c.committed_fen - bindparam("freed_fen"),
        redeemed=coupons.c.redeemed + 1,
        redeemed_fen=coupons.c.redeemed_fen + bindparam("spent_fen"),
    )
)
_REDEEMED_ON = select(coupon_claims.c.hold_fen).where(
    coupon_claims.c.order_id == bindparam("the_order"), coupon_claims.c.state == CouponState.REDEEMED.value
)
_RETURN_CLAIM = (
    update(coupon_claims)
    .where(coupon_claims.c.order_id == bindparam("the_order"), coupon_claims.c.state == CouponState.REDEEMED.value)
    .values(state=CouponState.RETURNED.value, nth=None, returned_at=bindparam("now"))
    .returning(coupon_claims.c.code, coupon_claims.c.user_id, coupon_claims.c.hold_fen)
)
_COUNT_RETURNED = (
    update(coupons)
    .where(coupons.c.code == bindparam("the_code"))
    .values(
        committed_fen=coupons.c.committed_fen - bindparam("spent_fen"),
        redeemed=coupons.c.redeemed - 1,
        returned=coupons.c.returned + 1,
        redeemed_fen=coupons.c.redeemed_fen - bindparam("spent_fen"),
    )
)


def _load(conn: Connection, code: str) -> tuple[Coupon, int] | None:
    """The coupon and its committed budget."""
    row = conn.execute(_BY_CODE, {"code": code}).one_or_none()
    return None if row is None else (_value(row), row.committed_fen)


def _value(row: Row[Any]) -> Coupon:
    return Coupon(
        code=row.code,
        threshold_fen=row.threshold_fen,
        off_fen=row.off_fen,
        budget_fen=row.budget_fen,
        per_user=row.per_user,
        segments=tuple(msgspec.json.decode(row.segments)),
    )


@dataclass(frozen=True, slots=True)
class _Standing:
    """A user's claims of one coupon that were not given back."""

    held: Sequence[Row[int, str, int, int | None]]
    """The open ones, oldest first."""
    used: int
    """How many are redeemed."""
    free: int
    """The ordinal of the next one."""


def _of_user(conn: Connection, code: str, user_id: int) -> _Standing:
    rows = conn.execute(_OF_USER, {"code": code, "user_id": user_id}).all()
    held = [row for row in rows if row.state == CouponState.CLAIMED]
    return _Standing(held, len(rows) - len(held), free_ordinal([row.nth for row in rows]))


def create(conn: Connection, new: Sequence[Coupon], *, now: float) -> Refused | None:
    """Make coupons. One that stands already with the same values is left alone; with others: `code_taken`."""
    for coupon in new:
        standing = _load(conn, coupon.code)
        if standing is not None:
            if standing[0] != coupon:
                return Refused("code_taken", f"{coupon.code}: there is another coupon of this code")
            continue
        conn.execute(
            insert(coupons).values(
                code=coupon.code,
                threshold_fen=coupon.threshold_fen,
                off_fen=coupon.off_fen,
                budget_fen=coupon.budget_fen,
                per_user=coupon.per_user,
                segments=msgspec.json.encode(list(coupon.segments)).decode(),
                created_at=now,
            )
        )
    return None


def claim(conn: Connection, *, code: str, user_id: int, now: float) -> Claimed | Refused:
    """Hold a coupon for a user. Refused: `unknown_coupon`, `budget_exhausted`, `per_user_limit`."""
    loaded = _load(conn, code)
    if loaded is None:
        return UNKNOWN
    coupon, committed_fen = loaded
    own = _of_user(conn, code, user_id)
    decision = _hold(conn, coupon, committed_fen, len(own.held) + own.used)
    if isinstance(decision, Claimed):
        row = {"code": code, "user_id": user_id, "state": CouponState.CLAIMED.value, "nth": own.free}
        conn.execute(_NEW_CLAIM, {**row, "hold_fen": decision.hold_fen, "claimed_at": now})
        publish(conn, FACTS, "claims", now, code=code, user_id=user_id)
    return decision


def _hold(conn: Connection, coupon: Coupon, committed_fen: int, claimed_by_user: int) -> Claimed | Refused:
    decision = rules.claim(coupon, committed_fen=committed_fen, claimed_by_user=claimed_by_user)
    if isinstance(decision, Refused):
        return decision
    if conn.execute(_HOLD, {"the_code": coupon.code, "hold_fen": decision.hold_fen}).rowcount != 1:
        return Refused("budget_exhausted", f"{coupon.code}: nothing is left of its budget")
    return decision


def eligibility(
    conn: Connection, *, code: str, user_id: int, segment: str | None, items_fen: int
) -> Eligible | Ineligible | Refused:
    """Whether the user could redeem the coupon on dishes of `items_fen`, and if not, every reason."""
    loaded = _load(conn, code)
    if loaded is None:
        return UNKNOWN
    used = _of_user(conn, code, user_id).used
    return rules.eligible(loaded[0], items_fen=items_fen, segment=segment or "", used_by_user=used)


def claim_and_redeem(
    conn: Connection, *, code: str, user_id: int, segment: str | None, items_fen: int, order_id: int, now: float
) -> Eligible | Ineligible | Refused:
    """Redeem a coupon on an order: the user's oldest claim, or a new claim if they hold none.

    Eligible carries the discount that was committed; on Ineligible and Refused (`unknown_coupon`, `budget_exhausted`,
    `per_user_limit`) nothing was changed and the order is priced without.
    """
    loaded = _load(conn, code)
    if loaded is None:
        return UNKNOWN
    coupon, committed_fen = loaded
    own = _of_user(conn, code, user_id)
    spent = redemption(
        coupon, committed_fen=committed_fen, held=own.held, used=own.used, segment=segment, items_fen=items_fen
    )
    if not isinstance(spent, Redemption):
        return spent
    if spent.claim_id is None and conn.execute(_HOLD, {"the_code": code, "hold_fen": spent.hold_fen}).rowcount != 1:
        return Refused("budget_exhausted", code)
    if spent.claim_id is not None:
        change = {"claim_id": spent.claim_id, "spent_fen": spent.spent_fen, "the_order": order_id, "now": now}
        conn.execute(_REDEEM_CLAIM, change)
    else:
        row = {"code": code, "user_id": user_id, "state": CouponState.REDEEMED.value, "nth": own.free}
        row |= {"hold_fen": spent.spent_fen, "order_id": order_id, "claimed_at": now, "redeemed_at": now}
        conn.execute(_NEW_CLAIM, row)
    count = {"the_code": code, "freed_fen": spent.freed_fen, "spent_fen": spent.spent_fen}
    conn.execute(_COUNT_REDEEMED, count)
    return spent.verdict


def redeemed_on(conn: Connection, order_id: int) -> int:
    """The discount, fen, of the coupon that is redeemed on an order; 0 if none is."""
    return int(conn.execute(_REDEEMED_ON, {"the_order": order_id}).scalar() or 0)


def give_back(conn: Connection, order_id: int, now: float) -> bool:
    """Take back the coupon redeemed on an order that ended unpaid, rejected or cancelled; its budget is free again.

    False if the order had none, or it was given back before: calling twice does no harm.
    """
    row = conn.execute(_RETURN_CLAIM, {"the_order": order_id, "now": now}).one_or_none()
    if row is None:
        return False
    publish(conn, FACTS, "claims", now, code=row.code, user_id=row.user_id)
    conn.execute(_COUNT_RETURNED, {"the_code": row.code, "spent_fen": row.hold_fen})
    return True


def of_user(conn: Connection, user_id: int) -> list[dict[str, Any]]:
    """Everything the user ever claimed, newest first."""
    query = (
        select(coupon_claims.c.code, coupon_claims.c.state, coupon_claims.c.order_id, coupon_claims.c.claimed_at)
        .where(coupon_claims.c.user_id == user_id)
        .order_by(coupon_claims.c.id.desc())
    )
    return [dict(row) for row in conn.execute(query).mappings()]


def export(conn: Connection) -> Iterator[dict[str, Any]]:
    """Rows of the run table `coupons`."""
    names = ("code", "budget_fen", "committed_fen", "claimed", "redeemed", "returned", "redeemed_fen")
    for row in conn.execute(select(*(coupons.c[name] for name in names)).order_by(coupons.c.code)).mappings():
        yield dict(row)
