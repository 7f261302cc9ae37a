"""What users are shown of a merchant and its dishes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row

from o2o_platform.merchants import repository


def merchant_view(row: Row[Any]) -> dict[str, Any]:
    """The merchant itself."""
    return {
        "id": row.id,
        "ref": row.ref,
        "name": row.name,
        "lat": row.lat,
        "lng": row.lng,
        "open_min": row.open_min,
        "close_min": row.close_min,
    }


def dish_view(row: Row[Any]) -> dict[str, Any]:
    """One dish."""
    return {
        "id": row.id,
        "ref": row.ref,
        "name": row.name,
        "price_fen": row.price_fen,
        "stock": row.level,
        "on_shelf": bool(row.on_shelf),
    }


def menu_view(conn: Connection, merchant_id: int) -> dict[str, Any]:
    """The merchant with the dishes that can be ordered. Raises NotFound."""
    merchant = repository.find(conn, merchant_id)
    dishes = [dish for dish in repository.menu(conn, merchant_id) if dish.on_shelf and dish.level > 0]
    return {**merchant_view(merchant), "dishes": [dish_view(dish) for dish in dishes]}
