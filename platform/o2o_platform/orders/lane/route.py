"""POST /orders on PostgreSQL: from the request's bytes to a place in the next batch.

Decides what is done before an order waits (everything that needs no database) and which orders do not go in batches:
those that are reserved branch by branch, those with numbers that no row can have, and those that a batch of one could
not place; they go to the ordinary unit of work, which has the last word on them.
"""

from __future__ import annotations

from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.kit.batch_sql import GuardMissed
from o2o_platform.kit.batching import Batcher, show_batches
from o2o_platform.kit.cache import TOPIC
from o2o_platform.kit.context import Context
from o2o_platform.kit.database.broken import TROUBLE
from o2o_platform.kit.duties import Duty
from o2o_platform.kit.line import lost
from o2o_platform.orders.bodies import OrderBody
from o2o_platform.orders.lane.facts import Facts
from o2o_platform.orders.lane.want import Want, fits
from o2o_platform.orders.lane.work import Work
from o2o_platform.orders.place import Placed, place


class Lane:
    """The batches of one process."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self.facts = Facts()
        self.work = Work(ctx, self.facts)
        self.batcher: Batcher[Want, Placed] = Batcher(
            "orders",
            self.work.many,
            max_batch=ctx.settings.order_batch,
            max_queue=ctx.settings.order_queue,
            lost=lost,
        )

    def register(self) -> None:
        """Have the cache listen, the counters shown, and the batches ended with the process."""
        self._ctx.background.add("facts", self.watch, Duty.HTTP)
        self._ctx.background.on_close(self.close)
        show_batches(self._ctx.meters, self.batcher)

    async def place(
        self, user: CurrentUser, key: str, fingerprint: str, body: OrderBody, now: float, risk: str | None
    ) -> Placed:
        """As `orders.place.place`, in a batch. Raises Unavailable too, if too many wait."""
        ctx = self._ctx
        if fits(body):
            want = Want(user, key, fingerprint, body, now, risk)
            want.try_cached(ctx.settings, self.facts)
            try:
                return await self.batcher.submit(want)
            except (GuardMissed, *TROUBLE):
                pass  # alone in its batch, and still in the way of something
        return await ctx.db.write(lambda conn: place(conn, ctx, user, key, fingerprint, body, now, risk))

    async def watch(self) -> None:
        """Forget what events say has changed, for ever."""
        stream = self._ctx.stream
        async for event in stream.subscribe((TOPIC,), stream.last_id):
            self.facts.changed(event.name, event.payload)

    async def close(self) -> None:
        """Place what waits, then hang up."""
        await self.batcher.close()
        await self.work.close()
