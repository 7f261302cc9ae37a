"""Reading and writing merchants, dishes and stock.

Decides that stock changes only here: `take` guards each level by a conditional UPDATE, `put_back` returns pieces, and
both keep the counters that the audit adds up. Whether an order may have the pieces is `o2o_domain.stock`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, bindparam, insert, or_, select, update

from o2o_domain.printers import PrinterAddress
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import Conflict, Forbidden, NotFound
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.kit.sql import least
from o2o_platform.merchants.tables import dishes, merchants

_BY_ID = Prepared(select(merchants).where(merchants.c.id == bindparam("id")))
_BY_REF = Prepared(select(merchants).where(merchants.c.ref == bindparam("ref")))
_BY_PRINTER = Prepared(select(merchants.c.id).where(merchants.c.printer_url == bindparam("url")))
_MENU = Prepared(select(dishes).where(dishes.c.merchant_id == bindparam("merchant_id")).order_by(dishes.c.id))
_OWNER = Prepared(select(merchants.c.ref, merchants.c.owner_ref).where(merchants.c.id == bindparam("id")))
_TAKE = Prepared(
    update(dishes)
    .where(dishes.c.id == bindparam("dish"), dishes.c.level >= bindparam("qty"))
    .values(
        level=dishes.c.level - bindparam("qty"),
        reserved=dishes.c.reserved + bindparam("qty"),
        min_level=least(dishes.c.min_level, dishes.c.level - bindparam("qty")),
    )
)
_PUT_BACK = Prepared(
    update(dishes)
    .where(dishes.c.id == bindparam("dish"))
    .values(level=dishes.c.level + bindparam("qty"), returned=dishes.c.returned + bindparam("qty"))
)


@lru_cache(maxsize=128)
def _some(count: int) -> Prepared:
    """The statement that reads `count` dishes of a merchant."""
    wanted = [dishes.c.id == bindparam(f"id{i}") for i in range(count)]
    return Prepared(select(dishes).where(dishes.c.merchant_id == bindparam("merchant_id"), or_(*wanted)))


_STOCK = select(dishes, merchants.c.ref.label("merchant_ref")).join(merchants).order_by(dishes.c.id)


def find(conn: Connection, merchant_id: int) -> Record:
    """The merchant. Raises NotFound."""
    row = _BY_ID.first(conn, id=merchant_id)
    if row is None:
        raise NotFound("no_such_merchant", f"merchant {merchant_id}")
    return row


def find_by_ref(conn: Connection, ref: str) -> Record:
    """The merchant created under this ref, None if there is none."""
    return _BY_REF.first(conn, ref=ref)


def owns(conn: Connection, user: CurrentUser, merchant_id: int) -> bool:
    """Whether the account runs this merchant, by either side's ref."""
    row = _OWNER.first(conn, id=merchant_id)
    return row is not None and (
        user.merchant_ref == row.ref or (row.owner_ref is not None and row.owner_ref == user.ref)
    )


def must_own(conn: Connection, user: CurrentUser, merchant_id: int) -> None:
    """Raises Forbidden unless the account runs this merchant (also if there is no such merchant)."""
    if not owns(conn, user, merchant_id):
        raise Forbidden("not_yours", f"merchant {merchant_id} is somebody else's")


def add_merchant(conn: Connection, values: Mapping[str, Any]) -> int:
    """Insert a merchant; returns its id."""
    return int(conn.execute(insert(merchants).returning(merchants.c.id), dict(values)).scalar_one())


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
        ids.append(int(conn.execute(insert(dishes).returning(dishes.c.id), values).scalar_one()))
    return ids


def printer_values(address: PrinterAddress | None, width_cols: int, secret: str | None) -> dict[str, Any]:
    """The columns that say what a merchant prints on."""
    return {
        "printer_url": None if address is None else address.url,
        "printer_cols": width_cols,
        "printer_pulls": address is not None and not address.capabilities.push,
        "printer_secret": secret,
    }


def must_be_free(conn: Connection, address: PrinterAddress, but: int | None = None) -> None:
    """Raises Conflict if the printer is another merchant's: one that comes by itself says only who it is. (Raw TCP may
    be shared.)"""
    if address.scheme != "tcp":
        row = _BY_PRINTER.first(conn, url=address.url)
        if row is not None and row.id != but:
            raise Conflict("printer_taken", f"{address.url} is another merchant's")


def set_printer(conn: Connection, merchant_id: int, values: Mapping[str, Any]) -> None:
    """Say what the merchant prints on (`printer_values`)."""
    conn.execute(update(merchants).where(merchants.c.id == merchant_id).values(**values))


def menu(conn: Connection, merchant_id: int) -> list[Record]:
    """All dishes of a merchant, on the shelf or not."""
    return _MENU.all(conn, merchant_id=merchant_id)


def some_dishes(conn: Connection, merchant_id: int, ids: Sequence[int]) -> dict[int, Record]:
    """Those of the named dishes that this merchant has, by id."""
    unique = sorted(set(ids))
    if not unique:
        return {}
    named = {f"id{i}": dish_id for i, dish_id in enumerate(unique)}
    return {row.id: row for row in _some(len(unique)).all(conn, merchant_id=merchant_id, **named)}


def take(conn: Connection, pieces: Mapping[int, int]) -> None:
    """Reserve pieces per dish id. Raises Conflict (`sold_out`): the guard of what the domain has already decided."""
    for dish, qty in pieces.items():
        if _TAKE.run(conn, dish=dish, qty=qty) != 1:
            raise Conflict("sold_out", f"dish {dish}")


def put_back(conn: Connection, pieces: Mapping[int, int]) -> None:
    """Return pieces per dish id to the shelf."""
    for dish, qty in pieces.items():
        _PUT_BACK.run(conn, dish=dish, qty=qty)


def change_dish(conn: Connection, merchant_id: int, dish_id: int, changes: Mapping[str, Any]) -> Record:
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
