"""The branch `coupon`: a claim redeemed on an order under the coupon's budget, returned if the order ends unpaid."""

from __future__ import annotations

from sqlalchemy import Connection

from o2o_domain.coupons import Eligible, Ineligible
from o2o_domain.refusal import Refused
from o2o_domain.tcc import Branch, Phase
from o2o_platform.coupons import repository as coupons
from o2o_platform.reservation.fences import enter, forget


def try_(
    conn: Connection, order_id: int, *, code: str, user_id: int, segment: str | None, items_fen: int, now: float
) -> Eligible | Ineligible | Refused:
    """Redeem the coupon on the order. If it does not apply nothing is held, there is no fence, and the order goes on.

    Raises Conflict (`already_cancelled`).
    """
    if not enter(conn, order_id, Branch.COUPON, Phase.TRY, now):
        return Eligible(coupons.redeemed_on(conn, order_id))
    verdict = coupons.claim_and_redeem(
        conn, code=code, user_id=user_id, segment=segment, items_fen=items_fen, order_id=order_id, now=now
    )
    if not isinstance(verdict, Eligible):
        forget(conn, order_id, Branch.COUPON)
    return verdict


def confirm(conn: Connection, order_id: int, now: float) -> None:
    """The coupon is used: it was redeemed already. Raises Conflict (`not_tried`, `already_cancelled`)."""
    enter(conn, order_id, Branch.COUPON, Phase.CONFIRM, now)


def cancel(conn: Connection, order_id: int, now: float) -> None:
    """The claim is returned and its budget free again. Raises Conflict (`already_confirmed`)."""
    if enter(conn, order_id, Branch.COUPON, Phase.CANCEL, now):
        coupons.give_back(conn, order_id, now)
