"""Units of work on deals: publish, find, buy.

Decides nothing of a deal's validity or price (o2o_domain.deals does); guards `sold <= stock` by a conditional update.
Refusals leave as errors, because a unit that was refused has nothing to keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update

from o2o_domain import deals as rules
from o2o_domain.deals import Deal
from o2o_domain.orders import OrderState
from o2o_domain.refusal import Refused
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.deals.tables import deals
from o2o_platform.errors import Conflict, NotFound, Unprocessable, refusal
from o2o_platform.kit.context import Context
from o2o_platform.merchants import repository as merchants
from o2o_platform.merchants.near import near
from o2o_platform.orders import repository as orders
from o2o_platform.orders.place import Placed, answer, request
from o2o_platform.payments import repository as payments
from o2o_platform.reservation import balance

MAX_MERCHANTS = 10_000
"""Merchants looked at for deals near a place: more than any radius allowed holds in a city."""

_SELL = (
    update(deals)
    .where(deals.c.id == bindparam("deal"), deals.c.sold + bindparam("qty") <= deals.c.stock)
    .values(sold=deals.c.sold + bindparam("qty"))
)
_GIVE_BACK = update(deals).where(deals.c.id == bindparam("deal")).values(sold=deals.c.sold - bindparam("qty"))
_BY_ID = select(deals).where(deals.c.id == bindparam("id"))


def find(conn: Connection, deal_id: int) -> Row[Any]:
    """The deal. Raises NotFound."""
    row = conn.execute(_BY_ID, {"id": deal_id}).first()
    if row is None:
        raise NotFound("no_such_deal", f"deal {deal_id}")
    return row


def value(row: Row[Any]) -> Deal:
    """The rule's view of a deal."""
    return Deal(row.id, row.merchant_id, row.title, row.price_fen, row.list_fen, row.stock, row.valid_until)


def view(row: Row[Any]) -> dict[str, Any]:
    """The deal as JSON; `left` is how many can still be bought."""
    return {
        "deal_id": row.id,
        "ref": row.ref,
        "merchant_id": row.merchant_id,
        "title": row.title,
        "price_fen": row.price_fen,
        "list_fen": row.list_fen,
        "left": row.stock - row.sold,
        "valid_until": row.valid_until,
    }


def publish(conn: Connection, values: Mapping[str, Any], *, by: int, now: float) -> Row[Any]:
    """Put a deal on line if the rules pass it (A12). A ref that the merchant has on line already keeps its deal.

    Raises Unprocessable (`price_above_list`, `bad_price`, `no_title`, `no_stock`, `ended`) or NotFound (the merchant).
    """
    merchants.find(conn, values["merchant_id"])
    if values["ref"] is not None:
        same = (deals.c.merchant_id == values["merchant_id"]) & (deals.c.ref == values["ref"])
        standing = conn.execute(select(deals).where(same)).first()
        if standing is not None:
            return standing
    offer = Deal(0, **{name: values[name] for name in Deal.__dataclass_fields__ if name != "deal_id"})
    audited = rules.publish(offer, now=now)
    if isinstance(audited, Refused):
        raise refusal(audited, Unprocessable)
    return conn.execute(insert(deals).values(**values, published_at=now, published_by=by).returning(deals)).one()


def near_me(
    conn: Connection, lat: float, lng: float, radius_m: float, limit: int, now: float
) -> list[tuple[Row[Any], float]]:
    """(deal, metres to its merchant) of deals that can be bought now, nearest first, cheaper first at one merchant."""
    found: list[tuple[Row[Any], float]] = []
    for merchant, metres in near(conn, lat, lng, radius_m, MAX_MERCHANTS):
        query = (
            select(deals)
            .where(deals.c.merchant_id == merchant.id, deals.c.sold < deals.c.stock, deals.c.valid_until >= now)
            .order_by(deals.c.price_fen, deals.c.id)
        )
        found.extend((row, metres) for row in conn.execute(query))
        if len(found) >= limit:
            break
    return found[:limit]


def buy(
    conn: Connection, ctx: Context, user: CurrentUser, key: str, deal_id: int, qty: int, pay_with: str, now: float
) -> Placed:
    """An order of kind `deal` that waits for its payment; the pieces are held until it is paid or closed.

    Paid from the balance, it is paid here and now: the wallet is the one branch that is reserved (W10), and always in
    this unit. Raises NotFound, Conflict (`sold_out`, `ended`, `insufficient_balance`) or Unprocessable (`bad_qty`, a
    key that stands for something else).
    """
    mark = f"deal:{deal_id}:{qty}" + (":balance" if pay_with == "balance" else "")
    known = orders.find_by_ref(conn, user.id, key)
    if known is not None:
        if known.fingerprint != mark:
            raise Unprocessable("idempotency_key_reused", f"the key {key} stands for another order")
        payment = payments.of_order(conn, known.id)
        return Placed(answer(ctx.settings, known, payment.id, method=payment.method), again=True)
    row = find(conn, deal_id)
    decision = rules.buy(value(row), sold=row.sold, qty=qty, now=now)
    if isinstance(decision, Refused):
        raise refusal(decision, Unprocessable if decision.code == "bad_qty" else Conflict)
    if conn.execute(_SELL, {"deal": deal_id, "qty": qty}).rowcount != 1:
        raise Conflict("sold_out", str(deal_id))
    quote = decision.quote
    order_id = orders.next_id(conn)
    if pay_with == "balance":
        balance.try_(conn, order_id, user.id, quote.total_fen, now)
    orders.insert_order(
        conn,
        id=order_id,
        kind="deal",
        ref=key,
        fingerprint=mark,
        user_id=user.id,
        user_ref=user.ref,
        segment=user.segment,
        merchant_id=row.merchant_id,
        deal_id=deal_id,
        state=OrderState.PENDING_PAYMENT.value,
        lines=orders.encode_lines(()),
        items_fen=quote.items_fen,
        discount_fen=quote.discount_fen,
        delivery_fee_fen=quote.delivery_fee_fen,
        total_fen=quote.total_fen,
        commission_share=ctx.settings.commission_share,
        note="",
        pay_deadline=now + ctx.settings.payment_deadline_s,
        accepted=now,
        paid_fen=0,
        refunded_fen=0,
        stars=0,
    )
    return request(conn, ctx, order_id, pay_with, now)


def qty_of(conn: Connection, order: Row[Any]) -> int:
    """Pieces in a purchase; its price is fixed by the deal, so they follow from its total."""
    return int(order.items_fen // find(conn, order.deal_id).price_fen)


def give_back(conn: Connection, order: Row[Any], now: float) -> None:
    """The pieces of a purchase that was closed unpaid, or refunded, can be bought again (hook `ctx.closed`)."""
    conn.execute(_GIVE_BACK, {"deal": order.deal_id, "qty": qty_of(conn, order)})
