"""Units of work on coupons: load the facts, ask the rule, apply its answer.

Who may have a coupon and what it takes off is `o2o_domain.coupons`; here stand only the loads, and one conditional
update that guards the budget. `claim_and_redeem` and `give_back` are for the orders feature, which calls them inside
its own unit, so that an order and its coupon are committed or rolled back together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from o2o_domain.coupons import Claimed, Coupon, Eligible, Ineligible
from o2o_domain.coupons import claim as may_claim
from o2o_domain.coupons import eligible as may_redeem
from o2o_domain.refusal import Refused
from o2o_platform.coupons.tables import coupon_claims, coupons

UNKNOWN = Refused("unknown_coupon", "there is no coupon of this code")


def _load(conn: Connection, code: str) -> tuple[Coupon, int] | None:
    """The coupon and its committed budget."""
    row = conn.execute(select(coupons).where(coupons.c.code == code)).one_or_none()
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


def _of_user(conn: Connection, code: str, user_id: int) -> tuple[Sequence[Row[int, str, int]], int]:
    """The user's open claims (oldest first) and the number of redeemed ones."""
    query = (
        select(coupon_claims.c.id, coupon_claims.c.state, coupon_claims.c.hold_fen)
        .where(coupon_claims.c.code == code, coupon_claims.c.user_id == user_id, coupon_claims.c.state != "returned")
        .order_by(coupon_claims.c.id)
    )
    rows = conn.execute(query).all()
    held = [row for row in rows if row.state == "claimed"]
    return held, len(rows) - len(held)


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
    held, used = _of_user(conn, code, user_id)
    decision = _hold(conn, coupon, committed_fen, len(held) + used)
    if isinstance(decision, Claimed):
        conn.execute(
            insert(coupon_claims).values(
                code=code, user_id=user_id, state="claimed", hold_fen=decision.hold_fen, claimed_at=now
            )
        )
    return decision


def _hold(conn: Connection, coupon: Coupon, committed_fen: int, claimed_by_user: int) -> Claimed | Refused:
    decision = may_claim(coupon, committed_fen=committed_fen, claimed_by_user=claimed_by_user)
    if isinstance(decision, Refused):
        return decision
    after = coupons.c.committed_fen + decision.hold_fen
    guarded = (
        update(coupons)
        .where(coupons.c.code == coupon.code, after <= coupons.c.budget_fen)
        .values(committed_fen=after, claimed=coupons.c.claimed + 1)
    )
    if conn.execute(guarded).rowcount != 1:
        return Refused("budget_exhausted", f"{coupon.code}: nothing is left of its budget")
    return decision


def eligibility(
    conn: Connection, *, code: str, user_id: int, segment: str | None, items_fen: int
) -> Eligible | Ineligible | Refused:
    """Whether the user could redeem the coupon on dishes of `items_fen`, and if not, every reason."""
    loaded = _load(conn, code)
    if loaded is None:
        return UNKNOWN
    _, used = _of_user(conn, code, user_id)
    return may_redeem(loaded[0], items_fen=items_fen, segment=segment or "", used_by_user=used)


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
    held, used = _of_user(conn, code, user_id)
    verdict = may_redeem(coupon, items_fen=items_fen, segment=segment or "", used_by_user=used)
    if isinstance(verdict, Ineligible):
        return verdict
    if held:
        hold_fen = held[0].hold_fen
        conn.execute(
            update(coupon_claims)
            .where(coupon_claims.c.id == held[0].id)
            .values(state="redeemed", hold_fen=verdict.discount_fen, order_id=order_id, redeemed_at=now)
        )
    else:
        decision = _hold(conn, coupon, committed_fen, used)
        if isinstance(decision, Refused):
            return decision
        hold_fen = decision.hold_fen
        conn.execute(
            insert(coupon_claims).values(
                code=code,
                user_id=user_id,
                state="redeemed",
                hold_fen=verdict.discount_fen,
                order_id=order_id,
                claimed_at=now,
                redeemed_at=now,
            )
        )
    conn.execute(
        update(coupons)
        .where(coupons.c.code == code)
        .values(
            # A discount below what was held (it cannot exceed the dishes) frees the rest of the budget.
            committed_fen=coupons.c.committed_fen + verdict.discount_fen - hold_fen,
            redeemed=coupons.c.redeemed + 1,
            redeemed_fen=coupons.c.redeemed_fen + verdict.discount_fen,
        )
    )
    return verdict


def give_back(conn: Connection, order_id: int, now: float) -> bool:
    """Take back the coupon redeemed on an order that ended unpaid, rejected or cancelled; its budget is free again.

    False if the order had none, or it was given back before: calling twice does no harm.
    """
    row = conn.execute(
        update(coupon_claims)
        .where(coupon_claims.c.order_id == order_id, coupon_claims.c.state == "redeemed")
        .values(state="returned", returned_at=now)
        .returning(coupon_claims.c.code, coupon_claims.c.hold_fen)
    ).one_or_none()
    if row is None:
        return False
    conn.execute(
        update(coupons)
        .where(coupons.c.code == row.code)
        .values(
            committed_fen=coupons.c.committed_fen - row.hold_fen,
            redeemed=coupons.c.redeemed - 1,
            returned=coupons.c.returned + 1,
            redeemed_fen=coupons.c.redeemed_fen - row.hold_fen,
        )
    )
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
