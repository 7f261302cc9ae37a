"""The platform's half of the run table `orders`: every order with its marks and the refs that map ids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select

from o2o_domain.orders import OrderState, settled
from o2o_platform.delivery.tables import riders
from o2o_platform.merchants.tables import dishes, merchants
from o2o_platform.orders.repository import lines_of
from o2o_platform.orders.tables import orders
from o2o_platform.printing.tables import tickets

_COLUMNS = (
    "kind", "order_no", "user_id", "user_ref", "segment", "merchant_id", "deal_id", "rider_id", "state", "reason",
    "items_fen", "discount_fen", "delivery_fee_fen", "total_fen", "paid_fen", "refunded_fen", "coupon_code",
    "coupon_refused", "risk", "accepted", "paid", "committed", "published", "cooking", "ready", "assigned", "picked_up",
    "delivered", "closed", "promised", "drop_lat", "drop_lng", "stars",
)  # fmt: skip
_TICKET_MARKS = ("claimed", "rendered", "delivered_to_printer", "printed")

_QUERY = (
    select(
        orders,
        merchants.c.ref.label("merchant_ref"),
        riders.c.ref.label("rider_ref"),
        *(tickets.c[mark].label(f"ticket_{mark}") for mark in _TICKET_MARKS),
    )
    .join(merchants, merchants.c.id == orders.c.merchant_id)
    .outerjoin(riders, riders.c.id == orders.c.rider_id)
    .outerjoin(tickets, (tickets.c.order_id == orders.c.id) & (tickets.c.copy_no == 1))
    .order_by(orders.c.id)
)


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """One dict an order; marks of printing are those of the first copy, times are unix seconds."""
    refs: dict[int, str] = {row.id: row.ref for row in conn.execute(select(dishes.c.id, dishes.c.ref))}
    for row in conn.execute(_QUERY):
        yield {
            "order_id": row.id,
            "order_ref": row.ref,
            "merchant_ref": row.merchant_ref,
            "rider_ref": row.rider_ref,
            "terminal": settled(row.kind, OrderState(row.state)),
            **{name: getattr(row, name) for name in _COLUMNS},
            **{mark: getattr(row, f"ticket_{mark}") for mark in _TICKET_MARKS},
            "items": [
                {"dish_id": x.dish_id, "dish_ref": refs.get(x.dish_id), "name": x.name, "qty": x.qty,
                 "unit_fen": x.unit_fen}
                for x in lines_of(row)
            ],
        }  # fmt: skip
