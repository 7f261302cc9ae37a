"""POST /payments/callback on PostgreSQL: the ordinary callbacks in batches, all others in the ordinary unit of work."""

from __future__ import annotations

from o2o_platform.kit.batch_sql import GuardMissed
from o2o_platform.kit.batching import Batcher, show_batches
from o2o_platform.kit.context import Context
from o2o_platform.kit.database.broken import TROUBLE
from o2o_platform.kit.line import lost
from o2o_platform.payments.callback import Callback, take
from o2o_platform.payments.lane.work import Odd, Told, Work


class Lane:
    """The batches of one process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.work = Work(ctx)
        self.batcher: Batcher[Told, str] = Batcher(
            "callbacks",
            self.work.many,
            max_batch=ctx.settings.order_batch,
            max_queue=ctx.settings.order_queue,
            lost=lost,
        )

    def register(self) -> None:
        """Have the counters shown, and the batches ended with the process."""
        self._ctx.background.on_close(self.close)
        show_batches(self._ctx.meters, self.batcher)

    async def take(self, callback: Callback, now: float) -> str:
        """As `payments.callback.take`, in a batch if it is an ordinary one. Raises Unavailable if too many wait."""
        ctx = self._ctx
        try:
            return await self.batcher.submit(Told(callback, now))
        except (Odd, GuardMissed, *TROUBLE):
            return await ctx.db.write(lambda conn: take(conn, ctx, callback, now))

    async def close(self) -> None:
        """Take what waits, then hang up."""
        await self.batcher.close()
        await self.work.close()
