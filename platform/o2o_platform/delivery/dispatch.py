"""Matching orders and riders, inside the units of work in which either becomes free (A13 step 4).

Decides when the question is asked: a new order asks among the riders who are free, a rider who becomes free asks the
waiting orders. The answers are those of `o2o_domain.dispatch`: `choose_rider`, `next_for`. An order that finds nobody
waits, from its `seeking_since` on, until `give_up` (patience).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from o2o_domain.dispatch import Assigned, Candidate, DispatchPolicy, Pickup, choose_rider, next_for
from o2o_platform.delivery.tables import riders
from o2o_platform.errors import Conflict
from o2o_platform.kit.outbox import publish
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.merchants.near import box
from o2o_platform.merchants.tables import merchants
from o2o_platform.orders.bodies import PositionBody
from o2o_platform.orders.tables import orders
from o2o_platform.settings import Settings

TOPIC = "riders"
FIRST_RING_M = 500.0
ALONE = "riders"
"""Units that seek, move or free riders read one another's riders: they take turns (`Database.write(alone=)`)."""

_FREE = Prepared(
    select(riders.c.id, riders.c.lat, riders.c.lng, riders.c.speed_kmh, riders.c.orders).where(
        riders.c.online.is_(True),
        riders.c.order_id.is_(None),
        riders.c.lat.between(bindparam("south"), bindparam("north")),
        riders.c.lng.between(bindparam("west"), bindparam("east")),
    )
)
_PICKUP = Prepared(select(merchants.c.lat, merchants.c.lng).where(merchants.c.id == bindparam("merchant_id")))
_BY_ID = Prepared(select(riders).where(riders.c.id == bindparam("id")))
_TAKE = Prepared(
    update(riders)
    .where(riders.c.id == bindparam("the_id"), riders.c.order_id.is_(None))
    .values(order_id=bindparam("the_order"))
)
_LET_GO = Prepared(update(riders).where(riders.c.id == bindparam("the_id")).values(order_id=None))
_LET_GO_DONE = Prepared(
    update(riders).where(riders.c.id == bindparam("the_id")).values(order_id=None, orders=riders.c.orders + 1)
)
_MOVE = Prepared(
    update(riders).where(riders.c.id == bindparam("the_id")).values(lat=bindparam("new_lat"), lng=bindparam("new_lng"))
)
_WAITING = Prepared(
    select(orders, merchants.c.lat.label("pickup_lat"), merchants.c.lng.label("pickup_lng"))
    .join(merchants, merchants.c.id == orders.c.merchant_id)
    .where(orders.c.seeking_since.is_not(None))
    .order_by(orders.c.seeking_since, orders.c.id)
)
_MATCH = Prepared(
    update(orders)
    .where(orders.c.id == bindparam("the_id"), orders.c.rider_id.is_(None))
    .values(rider_id=bindparam("the_rider"), assigned=bindparam("at"), seeking_since=None)
)


def seek(conn: Connection, settings: Settings, order: Record, now: float) -> dict[str, Any]:
    """The columns that a newly accepted order gets: its rider, or since when it waits for one."""
    pickup = _PICKUP.first(conn, merchant_id=order.merchant_id)
    for radius_m in _rings(settings.dispatch_policy):
        south, north, west, east = box(pickup.lat, pickup.lng, radius_m)
        free = _FREE.all(conn, south=south, north=north, west=west, east=east)
        candidates = [Candidate(r.id, r.lat, r.lng, 0, r.speed_kmh, r.orders) for r in free]
        policy = replace(settings.dispatch_policy, max_radius_m=radius_m)
        chosen = choose_rider((pickup.lat, pickup.lng), candidates, policy)
        if isinstance(chosen, Assigned):
            return {"rider_id": chosen.rider_id, "assigned": now}
    return {"seeking_since": now}


def _rings(policy: DispatchPolicy) -> list[float]:
    """Radii to look within, in turn, metres.

    Whoever is nearest within a circle is nearest of all, so the rule "nearest" may begin with a small one: the answer
    is the same and most of the fleet is never read. Other rules must see everybody within the policy's radius.
    """
    rings = [policy.max_radius_m]
    while policy.rule == "nearest" and rings[0] > 2 * FIRST_RING_M:
        rings.insert(0, rings[0] / 2)
    return rings


def assign(conn: Connection, order: Record, rider_id: int, now: float) -> None:
    """Bind the rider to the order and tell the rider. Raises Conflict if the rider is on another one."""
    if _TAKE.run(conn, the_id=rider_id, the_order=order.id) != 1:
        raise Conflict("rider_busy", f"rider {rider_id}")
    _tell(conn, order, rider_id, "assigned", now)


def withdraw(conn: Connection, order: Record, now: float) -> None:
    """Tell the rider that the order is off."""
    _tell(conn, order, order.rider_id, "withdrawn", now)


def free(conn: Connection, settings: Settings, rider_id: int, now: float, *, delivered: bool = False) -> int | None:
    """The rider has no order any more: find the next among those that wait. Returns its id, None if there is none."""
    (_LET_GO_DONE if delivered else _LET_GO).run(conn, the_id=rider_id)
    rider = _BY_ID.first(conn, id=rider_id)
    if rider is None or not rider.online:
        return None
    here = Candidate(rider.id, rider.lat, rider.lng, 0, rider.speed_kmh, rider.orders)
    waiting = {order.id: order for order in _WAITING.all(conn)}
    pickups = (Pickup(order.id, order.pickup_lat, order.pickup_lng) for order in waiting.values())
    chosen = next_for(here, pickups, settings.dispatch_policy)
    if chosen is not None:
        _MATCH.run(conn, the_id=chosen, the_rider=rider_id, at=now)
        assign(conn, waiting[chosen], rider_id, now)
    return chosen


def moved(conn: Connection, rider_id: int, where: PositionBody) -> None:
    """The rider is somewhere else now; nothing if the position was not sent."""
    if where.lat is not None and where.lng is not None:
        _MOVE.run(conn, the_id=rider_id, new_lat=where.lat, new_lng=where.lng)


def online(
    conn: Connection, settings: Settings, rider_id: int, ref: str, lat: float, lng: float, speed_kmh: float, now: float
) -> int | None:
    """The rider starts (or goes on) working at this place; returns the order they are on, found or kept."""
    known = _BY_ID.first(conn, id=rider_id)
    place = {"lat": lat, "lng": lng, "speed_kmh": speed_kmh, "online": True}
    if known is None:
        conn.execute(insert(riders).values(id=rider_id, ref=ref, on=now, orders=0, **place))
    else:
        conn.execute(update(riders).where(riders.c.id == rider_id).values(off=None, **place))
        if known.order_id is not None:
            return int(known.order_id)
    return free(conn, settings, rider_id, now)


def offline(conn: Connection, rider_id: int, now: float) -> int | None:
    """The rider takes no more orders; returns the order they still finish, None if they are done."""
    conn.execute(update(riders).where(riders.c.id == rider_id).values(online=False, off=now))
    known = _BY_ID.first(conn, id=rider_id)
    return None if known is None else known.order_id


def _tell(conn: Connection, order: Record, rider_id: int, name: str, now: float) -> None:
    publish(
        conn,
        TOPIC,
        name,
        now,
        order_id=order.id,
        order_ref=order.ref,
        order_no=order.order_no,
        user_id=order.user_id,
        user_ref=order.user_ref,
        merchant_id=order.merchant_id,
        rider_id=rider_id,
        rider_ref=_ref(conn, rider_id),
        drop_lat=order.drop_lat,
        drop_lng=order.drop_lng,
    )


def _ref(conn: Connection, rider_id: int) -> str:
    return str(_BY_ID.first(conn, id=rider_id).ref)
