"""Reading and writing fences, inside the unit that does a branch's work (W10).

Decides how an answer of `o2o_domain.tcc` is applied: the fence is written before the branch works, by a conditional
UPDATE or an INSERT on the primary key, so of two units that ask at once one finds the other's fence.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from o2o_domain.refusal import Refused
from o2o_domain.tcc import Branch, Do, Fence, Phase, decide
from o2o_platform.errors import Conflict
from o2o_platform.kit.prepared import Prepared
from o2o_platform.reservation.tables import fences

_FIND = Prepared(
    select(fences.c.state).where(
        fences.c.order_id == bindparam("the_order"), fences.c.branch == bindparam("the_branch")
    )
)
_OF_ORDER = Prepared(select(fences.c.branch, fences.c.state).where(fences.c.order_id == bindparam("the_order")))
_WRITE = Prepared(insert(fences))
_CHANGE = Prepared(
    update(fences)
    .where(
        fences.c.order_id == bindparam("the_order"),
        fences.c.branch == bindparam("the_branch"),
        fences.c.state == bindparam("was"),
    )
    .values(state=bindparam("becomes"), at=bindparam("now"))
)


def enter(conn: Connection, order_id: int, branch: Branch, phase: Phase, now: float) -> bool:
    """Ask a phase of a branch: True if its work is to be done in this unit, False if there is nothing to do.

    Raises Conflict (`already_cancelled`, `already_confirmed`, `not_tried`), and then nothing was written.
    """
    found = _FIND.scalar(conn, the_order=order_id, the_branch=branch.value)
    answer = decide(None if found is None else Fence(found), phase)
    if isinstance(answer, Refused):
        raise Conflict(answer.code, f"{phase} of {branch} for order {order_id}")
    after = answer.fence.value
    if found is None:
        _WRITE.add(conn, order_id=order_id, branch=branch.value, state=after, at=now)
    elif after != found:
        changed = _CHANGE.run(conn, the_order=order_id, the_branch=branch.value, was=found, becomes=after, now=now)
        if changed != 1:
            raise Conflict("changed_meanwhile", f"{branch} of order {order_id} is no longer {found}")
    return isinstance(answer, Do)


def forget(conn: Connection, order_id: int, branch: Branch) -> None:
    """Take back a fence of this unit's own: its try had nothing to hold (a coupon that does not apply)."""
    conn.execute(fences.delete().where(fences.c.order_id == order_id, fences.c.branch == branch.value))


def of_order(conn: Connection, order_id: int) -> dict[Branch, Fence]:
    """What each branch of an order has done; branches that it does not use are missing."""
    return {Branch(row.branch): Fence(row.state) for row in _OF_ORDER.all(conn, the_order=order_id)}


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """The run table `reservations`."""
    for row in conn.execute(select(fences).order_by(fences.c.order_id, fences.c.branch)).mappings():
        yield dict(row)
