"""Reading and writing merchants, dishes and stock.

Decides that stock changes only here: `take` guards each level by a conditional UPDATE, `give_back` returns pieces, and
both keep the counters that the audit adds up. Whether an order may have the pieces is `o2o_domain.stock`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from o2o_domain.pricing import Line
from sqlalchemy import Connection, Row, bindparam, func, insert, select, update

from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Conflict, Forbidden, NotFound
from o2o_platform.merchants.tables import dishes, merchants

_BY_ID = select(merchants).where(merchants.c.id == bindparam("id"))
_BY_REF = select(merchants).where(merchants.c.ref == bindparam("ref"))
_MENU = select(dishes).where(dishes.c.merchant_id == bindparam("merchant_id")).order_by(dishes.c.id)
_SOME = select(dishes).where(
    dishes.c.merchant_id == bindparam("merchant_id"), dishes.c.id.in_(bindparam("ids", expanding=True))
)
_TAKE = (
    update(dishes)
    .where(dishes.c.id == bindparam("dish"), dishes.c.level >= bindparam("qty"))
    .values(
        level=dishes.c.level - bindparam("qty"),
        reserved=dishes.c.reserved + bindparam("qty"),
        min_level=func.min(dishes.c.min_level, dishes.c.level - bindparam("qty")),
    )
)
_GIVE_BACK = (
    update(dishes)
    .where(dishes.c.id == bindparam("dish"))
    .values(level=dishes.c.level + bindparam("qty"), returned=dishes.c.returned + bindparam("qty"))
)
_STOCK = select(dishes, merchants.c.ref.label("merchant_ref")).join(merchants).order_by(dishes.c.id)


def find(conn: Connection, merchant_id: int) -> Row[Any]:
    """The merchant. Raises NotFound."""
    row = conn.execute(_BY_ID, {"id": merchant_id}).first()
    if row is None:
        raise NotFound("no_such_merchant", f"merchant {merchant_id}")
    return row


def find_by_ref(conn: Connection, ref: str) -> Row[Any] | None:
    """The merchant created under this ref."""
    return conn.execute(_BY_REF, {"ref": ref}).first()


def owns(conn: Connection, user: CurrentUser, merchant_id: int) -> bool:
    """Whether the account runs this merchant, by either side's ref."""
    row = conn.execute(_BY_ID, {"id": merchant_id}).first()
    return row is not None and (
        user.merchant_ref == row.ref or (row.owner_ref is not None and row.owner_ref == user.ref)
    )


def must_own(conn: Connection, user: CurrentUser, merchant_id: int) -> None:
    """Raises Forbidden unless the account runs this merchant (also if there is no such merchant)."""
    if not owns(conn, user, merchant_id):
        raise Forbidden("not_yours", f"merchant {merchant_id} is somebody else's")


def add_merchant(conn: Connection, values: Mapping[str, Any]) -> int:
    """Insert a merchant; returns its id."""
    return int(conn.execute(insert(merchants).inline(), dict(values)).lastrowid)


def add_dishes(conn: Connection, merchant_id: int, items: Iterable[Mapping[str, Any]]) -> list[int]:
    """Insert dishes ({ref, name, price_fen, stock}); returns their ids in order."""
    ids = []
    for item in items:
        stock = item["stock"]
        values = {
            "ref": item["ref"],
            "merchant_id": merchant_id,
            "name": item["name"],
            "price_fen": item["price_fen"],
            "on_shelf": True,
            "initial": stock,
            "reserved": 0,
            "returned": 0,
            "level": stock,
            "min_level": stock,
        }
        ids.append(int(conn.execute(insert(dishes).inline(), values).lastrowid))
    return ids


def set_printer(conn: Connection, merchant_id: int, host: str, port: int, width_cols: int) -> None:
    """Say where the merchant's printer is."""
    conn.execute(
        update(merchants)
        .where(merchants.c.id == merchant_id)
        .values(printer_host=host, printer_port=port, printer_cols=width_cols)
    )


def menu(conn: Connection, merchant_id: int) -> list[Row[Any]]:
    """All dishes of a merchant, on the shelf or not."""
    return list(conn.execute(_MENU, {"merchant_id": merchant_id}))


def some_dishes(conn: Connection, merchant_id: int, ids: Sequence[int]) -> dict[int, Row[Any]]:
    """Those of the named dishes that this merchant has, by id."""
    return {row.id: row for row in conn.execute(_SOME, {"merchant_id": merchant_id, "ids": list(ids)})}


def take(conn: Connection, pieces: Mapping[int, int]) -> None:
    """Reserve pieces per dish id. Raises Conflict (`sold_out`): the guard of what the domain has already decided."""
    for dish, qty in pieces.items():
        if conn.execute(_TAKE, {"dish": dish, "qty": qty}).rowcount != 1:
            raise Conflict("sold_out", f"dish {dish}")


def give_back(conn: Connection, lines: Sequence[Line]) -> None:
    """Return an order's pieces to the shelf."""
    for line in lines:
        conn.execute(_GIVE_BACK, {"dish": line.dish_id, "qty": line.qty})


def change_dish(conn: Connection, merchant_id: int, dish_id: int, changes: Mapping[str, Any]) -> Row[Any]:
    """Change price, name, shelf or stock of a dish; returns it as it is afterwards. Raises NotFound.

    A new stock level moves `initial` by the same amount, so that the counters still add up.
    """
    where = (dishes.c.id == dish_id) & (dishes.c.merchant_id == merchant_id)
    row = conn.execute(select(dishes).where(where)).first()
    if row is None:
        raise NotFound("no_such_dish", f"dish {dish_id} of merchant {merchant_id}")
    values = {name: changes[name] for name in ("price_fen", "name", "on_shelf") if changes.get(name) is not None}
    if changes.get("stock") is not None:
        level = changes["stock"]
        values |= {"level": level, "initial": row.initial + level - row.level, "min_level": min(row.min_level, level)}
    if values:
        conn.execute(update(dishes).where(where).values(**values))
    return conn.execute(select(dishes).where(where)).one()


def stock_rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """The run table `stock`, with refs."""
    for row in conn.execute(_STOCK):
        yield {
            "dish_id": row.id,
            "dish_ref": row.ref,
            "merchant_id": row.merchant_id,
            "merchant_ref": row.merchant_ref,
            "initial": row.initial,
            "reserved": row.reserved,
            "returned": row.returned,
            "level": row.level,
            "min_level": row.min_level,
        }
