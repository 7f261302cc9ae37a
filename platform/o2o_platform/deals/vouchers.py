"""Units of work on vouchers: issued on payment, redeemed exactly once, refunded before that (A6).

The state moves by a conditional update on the state that was read, in one unit with the order and the ledger; so of
phone, POS and QR at once exactly one succeeds. What may follow what is `o2o_domain.deals`.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from o2o_domain import deals as rules
from o2o_domain.deals import VoucherEvent, VoucherState
from o2o_domain.orders import OrderEvent
from o2o_domain.refusal import Refused
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.deals import repository
from o2o_platform.deals.tables import deals, vouchers
from o2o_platform.errors import Conflict, Forbidden, NotFound, refusal
from o2o_platform.merchants import repository as merchants
from o2o_platform.orders import repository as orders
from o2o_platform.orders.tables import orders as order_table
from o2o_platform.payments import settle
from o2o_platform.reservation import coordinator

_DIGITS = 12
_BY_CODE = select(vouchers).where(vouchers.c.code == bindparam("code"))


class Channel(StrEnum):
    """How the merchant verified the voucher (A6)."""

    QR = "qr"
    POS = "pos"
    PHONE = "phone"
    """The 400 number: the code is typed on the telephone."""


def find(conn: Connection, code: str) -> Row[Any]:
    """The voucher of this code. Raises NotFound."""
    row = conn.execute(_BY_CODE, {"code": code}).first()
    if row is None:
        raise NotFound("no_such_voucher", "there is no voucher of this code")
    return row


def of_order(conn: Connection, order_id: int) -> Row[Any]:
    """The voucher that paying this order issued. Raises NotFound."""
    row = conn.execute(select(vouchers).where(vouchers.c.order_id == order_id)).first()
    if row is None:
        raise NotFound("no_voucher_yet", f"order {order_id} has no voucher")
    return row


def of_user(conn: Connection, user_id: int) -> list[Row[Any]]:
    """The user's vouchers, newest first."""
    return list(
        conn.execute(select(vouchers).where(vouchers.c.user_id == user_id).order_by(vouchers.c.id.desc()).limit(200))
    )


def view(row: Row[Any]) -> dict[str, Any]:
    """The voucher as JSON."""
    return {
        "code": row.code,
        "order_id": row.order_id,
        "deal_id": row.deal_id,
        "merchant_id": row.merchant_id,
        "qty": row.qty,
        "state": row.state,
        "valid_until": row.valid_until,
        "issued": row.issued,
        "redeemed": row.redeemed,
        "channel": row.channel,
    }


def may_see(conn: Connection, user: CurrentUser, row: Row[Any]) -> None:
    """Its buyer, and the merchant that it is for. Raises NotFound: others shall not learn which codes exist."""
    if row.user_id != user.id and not merchants.owns(conn, user, row.merchant_id):
        raise NotFound("no_such_voucher", "there is no voucher of this code")


def paid(conn: Connection, order: Row[Any], now: float) -> None:
    """The deal is paid: what is held of a wallet is spent, and the voucher issued (hook `ctx.paid`)."""
    coordinator.confirm(conn, order.id, now)
    issue(conn, order, now)


def issue(conn: Connection, order: Row[Any], now: float) -> None:
    """The deal is paid: its voucher. The code goes to its buyer only, not into the event."""
    deal = repository.find(conn, order.deal_id)
    code = _fresh_code(conn)
    conn.execute(
        insert(vouchers).values(
            code=code,
            order_id=order.id,
            deal_id=deal.id,
            merchant_id=deal.merchant_id,
            user_id=order.user_id,
            qty=repository.qty_of(conn, order),
            state=VoucherState.ISSUED.value,
            valid_until=deal.valid_until,
            issued=now,
        )
    )
    orders.tell(conn, order, OrderEvent.ISSUE.value, now, state="issued")


def _fresh_code(conn: Connection) -> str:
    while True:
        code = f"{secrets.randbelow(10**_DIGITS):0{_DIGITS}d}"  # not to be guessed, so not from a counter or a seed
        if conn.execute(_BY_CODE, {"code": code}).first() is None:
            return code


def _move(conn: Connection, row: Row[Any], event: VoucherEvent, **columns: Any) -> None:
    after = rules.step(VoucherState(row.state), event)
    if isinstance(after, Refused):
        raise refusal(after)
    same = (vouchers.c.id == row.id) & (vouchers.c.state == row.state)
    if conn.execute(update(vouchers).where(same).values(state=after.value, **columns)).rowcount != 1:
        raise Conflict("changed_meanwhile", f"voucher {row.id} is no longer {row.state}")


def redeem(conn: Connection, user: CurrentUser, code: str, channel: Channel, now: float) -> dict[str, Any]:
    """The merchant takes the voucher; the order ends and the merchant's share is owed for good.

    Raises NotFound, Forbidden (`wrong_merchant`) or Conflict (`already_redeemed`, `refunded`, `expired`).
    """
    row = find(conn, code)
    decision = rules.redeem(
        VoucherState(row.state),
        now=now,
        valid_until=row.valid_until,
        merchant_matches=merchants.owns(conn, user, row.merchant_id),
    )
    if isinstance(decision, Refused):
        raise refusal(decision, Forbidden if decision.code == "wrong_merchant" else Conflict)
    _move(
        conn,
        row,
        VoucherEvent.REDEEM,
        redeemed=now,
        redemptions=row.redemptions + 1,
        channel=channel.value,
        redeemed_by=user.id,
    )
    order = orders.find(conn, row.order_id)
    orders.advance(conn, order, OrderEvent.REDEEM, now, closed=now)
    settle.earn(conn, order, now)
    return view(find(conn, code))


def refund(conn: Connection, user: CurrentUser, code: str, now: float) -> dict[str, Any]:
    """The buyer gives an unused voucher back and gets the whole price (A6: refused after redemption).

    Raises NotFound (also if it is somebody else's) or Conflict (`already_redeemed`, `already_refunded`).
    """
    row = find(conn, code)
    if row.user_id != user.id:
        raise NotFound("no_such_voucher", "there is no voucher of this code")
    decision = rules.refund(VoucherState(row.state))
    if isinstance(decision, Refused):
        raise refusal(decision)
    _move(conn, row, VoucherEvent.REFUND, refunded=now)
    order = orders.find(conn, row.order_id)
    fen = settle.refund(conn, order, now)
    orders.advance(conn, order, OrderEvent.REFUND, now, closed=now, refunded_fen=fen, reason="voucher_refunded")
    repository.give_back(conn, order, now)
    return view(find(conn, code))


def export(conn: Connection) -> Iterator[dict[str, Any]]:
    """Rows of the run table `vouchers`, with the order's and the deal's refs."""
    names = ("order_id", "deal_id", "state", "issued", "redeemed", "redemptions", "channel")
    query = (
        select(
            vouchers.c.id.label("voucher_id"),
            *(vouchers.c[name] for name in names),
            order_table.c.ref.label("order_ref"),
            deals.c.ref.label("deal_ref"),
        )
        .join(order_table, order_table.c.id == vouchers.c.order_id)
        .join(deals, deals.c.id == vouchers.c.deal_id)
        .order_by(vouchers.c.id)
    )
    for row in conn.execute(query).mappings():
        yield dict(row)
