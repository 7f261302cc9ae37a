"""Reading and writing the coordinator's records of reservations that are made branch by branch.

Decides how a step is applied: `o2o_domain.tcc.step` says what follows, one conditional UPDATE writes it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from o2o_domain.refusal import Refused
from o2o_domain.tcc import Branch, Stage, StageEvent, step
from o2o_platform.errors import Conflict, NotFound
from o2o_platform.kit.prepared import Prepared, Record
from o2o_platform.reservation.tables import reservations

_WRITE = Prepared(insert(reservations))
_FIND = Prepared(select(reservations).where(reservations.c.order_id == bindparam("the_order")))
_TRYING = Prepared(
    select(reservations).where(
        reservations.c.user_id == bindparam("the_user"),
        reservations.c.ref == bindparam("the_ref"),
        reservations.c.stage == Stage.TRYING.value,
    )
)
_MOVE = Prepared(
    update(reservations)
    .where(reservations.c.order_id == bindparam("the_order"), reservations.c.stage == bindparam("was"))
    .values(stage=bindparam("becomes"))
)
_HOLD = Prepared(
    update(reservations)
    .where(reservations.c.order_id == bindparam("the_order"), reservations.c.stage == Stage.TRYING.value)
    .values(balance_fen=bindparam("fen"))
)
_LEAVE = Prepared(
    update(reservations)
    .where(reservations.c.order_id == bindparam("the_order"), reservations.c.stage == Stage.TRYING.value)
    .values(branches=bindparam("rest"))
)
_LAST = Prepared(select(func.max(reservations.c.order_id)))
_LEFT = (
    select(reservations.c.order_id, reservations.c.stage)
    .where(
        or_(
            reservations.c.stage.in_([Stage.CONFIRMING.value, Stage.CANCELLING.value]),
            (reservations.c.stage == Stage.TRYING.value) & (reservations.c.since <= bindparam("before")),
        )
    )
    .order_by(reservations.c.order_id)
    .limit(bindparam("limit"))
)


def begin(
    conn: Connection,
    order_id: int,
    *,
    user_id: int,
    ref: str,
    fingerprint: str,
    branches: tuple[Branch, ...],
    pieces: Mapping[int, int],
    now: float,
) -> None:
    """Write down what will be asked of whom, before it is asked."""
    _WRITE.add(
        conn,
        order_id=order_id,
        user_id=user_id,
        ref=ref,
        fingerprint=fingerprint,
        stage=Stage.TRYING.value,
        branches=",".join(branches),
        pieces=msgspec.json.encode(list(pieces.items())).decode(),
        since=now,
    )


def find(conn: Connection, order_id: int) -> Record:
    """The record of an order's reservation, None if it was not made branch by branch."""
    return _FIND.first(conn, the_order=order_id)


def trying(conn: Connection, user_id: int, ref: str) -> Record:
    """The record of the reservation that is being tried for this key, None if there is none."""
    return _TRYING.first(conn, the_user=user_id, the_ref=ref)


def branches_of(record: Record) -> tuple[Branch, ...]:
    """The branches that are asked."""
    return tuple(Branch(name) for name in record.branches.split(","))


def will_hold(conn: Connection, order_id: int, fen: int) -> None:
    """Write down what will be asked of the wallet. Raises Conflict if the reservation was given up meanwhile."""
    if _HOLD.run(conn, the_order=order_id, fen=fen) != 1:
        raise Conflict("already_cancelled", f"the reservation of order {order_id} was given up")


def leave_out(conn: Connection, order_id: int, branch: Branch) -> None:
    """A branch has nothing to hold for this order, and is not asked again. Raises Conflict if it was given up."""
    record = find(conn, order_id)
    rest = ",".join(other for other in branches_of(record) if other is not branch)
    if _LEAVE.run(conn, the_order=order_id, rest=rest) != 1:
        raise Conflict("already_cancelled", f"the reservation of order {order_id} was given up")


def last(conn: Connection) -> int:
    """The largest order id that a record names, 0 if there is none."""
    return int(_LAST.scalar(conn) or 0)


def move(conn: Connection, order_id: int, event: StageEvent) -> Stage:
    """Take the reservation one step on. Raises Conflict if its stage does not allow it, NotFound."""
    record = find(conn, order_id)
    if record is None:
        raise NotFound("no_such_reservation", f"order {order_id}")
    after = step(Stage(record.stage), event)
    if isinstance(after, Refused):
        raise Conflict(after.code, f"reservation of order {order_id}: {after.detail}")
    if _MOVE.run(conn, the_order=order_id, was=record.stage, becomes=after.value) != 1:
        raise Conflict("changed_meanwhile", f"the reservation of order {order_id} is no longer {record.stage}")
    return after


def left(conn: Connection, *, tried_before: float, limit: int) -> list[tuple[int, Stage]]:
    """(order id, stage) of reservations that somebody must take on: decided ones, and tries begun before a time."""
    found = conn.execute(_LEFT, {"before": tried_before, "limit": limit})
    return [(row.order_id, Stage(row.stage)) for row in found]
