"""Taking up reservations that were left between two units: by an ended process, or by the unit that decided (W10).

Decides when tries count as left: nobody tries for longer than `TRY_LIMIT_S`. What a paid or closed order still owes its
branches is asked for at the next look.
"""

from __future__ import annotations

from o2o_domain.tcc import Stage
from o2o_platform.kit.context import Context
from o2o_platform.reservation import apart, records

TRY_LIMIT_S = 10.0
"""Tries that are older are given up; whoever is still at it is told so and may begin again."""
AT_ONCE = 500
"""Reservations that one look takes up at most."""


async def watch(ctx: Context) -> None:
    """Take up what was left, for ever."""
    while True:
        await take_up(ctx)
        await ctx.clock.sleep(ctx.settings.sweep_interval_s)


async def take_up(ctx: Context) -> int:
    """Finish what was decided and give up what nobody completes; returns how many were finished."""
    before = ctx.clock.now() - TRY_LIMIT_S
    found = await ctx.db.read(lambda conn: records.left(conn, tried_before=before, limit=AT_ONCE))
    finished = 0
    for order_id, stage in found:
        finished += await (apart.give_up if stage is Stage.TRYING else apart.finish)(ctx, order_id)
    return finished
