"""How a merchant's printer is, for whoever runs the merchant (A14).

Decides what is said of it: where it is, whether it can be heard of, what it said of itself last, and how many tickets
wait for it. A printer that comes by itself is offline when it was not heard of for two of its intervals and five
seconds (`o2o_domain.cloudprnt`), or, while it has a ticket in hand, for a minute, as some say nothing while they print.
Of one that the platform sends to, nobody knows before a ticket is sent: `online` is null then.
"""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from sqlalchemy import Connection, func, select
from starlette.responses import Response

from o2o_domain.cloudprnt import offline_after_s
from o2o_domain.roles import Permission, allowed
from o2o_domain.tickets import TicketState
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.kit.context import Context
from o2o_platform.kit.web import reply
from o2o_platform.merchants import repository as merchants
from o2o_platform.printing import remote, repository
from o2o_platform.printing.tables import tickets


def register(app: FastAPI, ctx: Context) -> None:
    """Add the route."""

    @app.get("/merchants/{merchant_id}/printer", tags=["merchants"])
    async def printer(merchant_id: int, user: CurrentUser = require(Permission.MANAGE_MENU)) -> Response:
        """What the merchant prints on, whether it is there, and what it said last."""

        def unit(conn: Connection) -> dict[str, Any]:
            merchants.find(conn, merchant_id)
            if not allowed(user.role, Permission.MANAGE_MERCHANTS):
                merchants.must_own(conn, user, merchant_id)
            return status(conn, merchant_id, ctx.clock.now(), ctx.settings.printer_poll_s)

        return reply(await ctx.db.read(unit))


def status(conn: Connection, merchant_id: int, now: float, interval_s: float) -> dict[str, Any]:
    """The printer at `now`; `interval_s`: of one that has not said how often it polls. Raises NotFound."""
    merchant = merchants.find(conn, merchant_id)
    rows = conn.execute(
        select(tickets.c.state, func.count())
        .where(tickets.c.merchant_id == merchant_id, tickets.c.state.in_(repository.OPEN))
        .group_by(tickets.c.state)
    )
    waiting = {str(row[0]): int(row[1]) for row in rows}
    sign = remote.sign(conn, merchant_id)
    detail: dict[str, Any] = {} if sign is None or sign.detail is None else msgspec.json.decode(sign.detail)
    under_way = waiting.pop(TicketState.CLAIMED.value, 0)
    online: bool | None = None
    if merchant.printer_pulls:
        allowance = offline_after_s(float(detail.get("interval_s", interval_s)), job_out=under_way > 0)
        online = sign is not None and now - sign.seen <= allowance
    return {
        "merchant_id": merchant_id,
        "url": merchant.printer_url,
        "width_cols": merchant.printer_cols,
        "has_secret": merchant.printer_secret is not None,
        "online": online,
        "status": "offline" if online is False else None if sign is None else sign.status,
        "seen": None if sign is None else sign.seen,
        "device": detail,
        "waiting": sum(waiting.values()),
        "under_way": under_way,
    }
