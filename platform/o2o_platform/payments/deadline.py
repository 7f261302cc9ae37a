"""The deadline of payment: orders that nobody paid are closed, and what they held goes back on sale."""

from __future__ import annotations

from functools import partial

from sqlalchemy import Connection, select

from o2o_domain.orders import OrderEvent, OrderState
from o2o_platform.kit.context import Context
from o2o_platform.orders import repository as orders
from o2o_platform.orders.tables import orders as table
from o2o_platform.payments import settle


async def watch(ctx: Context) -> None:
    """Close what is due, for ever."""
    while True:
        await close_unpaid(ctx)
        await ctx.clock.sleep(ctx.settings.sweep_interval_s)


async def close_unpaid(ctx: Context) -> int:
    """Close the orders whose deadline has passed; returns how many."""
    now = ctx.clock.now()

    def due(conn: Connection) -> list[int]:
        query = select(table.c.id).where(table.c.state == OrderState.PENDING_PAYMENT.value, table.c.pay_deadline <= now)
        return list(conn.execute(query).scalars())

    count = 0
    for order_id in await ctx.db.read(due):
        count += await ctx.db.write(partial(_close, ctx=ctx, order_id=order_id, now=now))
    return count


def _close(conn: Connection, ctx: Context, order_id: int, now: float) -> bool:
    order = orders.find(conn, order_id)
    if order.state != OrderState.PENDING_PAYMENT:
        return False  # paid or cancelled since it was looked at
    settle.expire(conn, ctx, order, now, event=OrderEvent.PAY_TIMEOUT, reason="unpaid")
    return True
