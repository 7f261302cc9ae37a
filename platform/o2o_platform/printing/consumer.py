"""A dispatcher among several: prints for the merchants of its slots, from its slots' work queues in Redis (A14, W9).

Decides how tickets come into a dispatcher's hands, and that none is lost on the way:
- an entry of a work queue is acknowledged when its ticket waits at its printer: it is `queued` in the database, in a
  slot that is ours, so whoever owns the slot after us finds it there. Entries of a dispatcher that died before that are
  claimed by the slot's next owner; one that nobody can deal with becomes a dead letter;
- Redis is only a quick messenger: every `SWEEP_S` the table itself is looked through for tickets of our slots that wait
  and that no event has told of (Redis wiped, a queue full), and for tickets that are claimed by nobody alive: those
  are unconfirmed, as they may be on paper;
- at most `HELD` tickets are in memory, `AHEAD` of one printer; beyond `HELD` nothing is read, so that the group's lag
  shows how far behind printing is. A dead printer's backlog stays in the table.
How slots are shared, and what protects a claim: `slots`.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial

from redis.exceptions import RedisError

from o2o_domain.tickets import PrintPolicy
from o2o_platform.errors import PlatformError
from o2o_platform.kit.context import Context
from o2o_platform.kit.database.broken import TROUBLE
from o2o_platform.kit.redis_group import Delivery, Group, Lag
from o2o_platform.kit.redis_stream import RedisStream
from o2o_platform.printing import repository, units
from o2o_platform.printing.book import Waiting
from o2o_platform.printing.hot_book import HotBook
from o2o_platform.printing.printers import Printers
from o2o_platform.printing.slots import SLOTS, Seat, queue_name, slot_of

log = logging.getLogger("o2o.platform.printing")

GROUP = "dispatch"
LOOK_S = 0.3
"""How often the shares are looked at."""
SWEEP_S = 1.0
"""How often the table is looked through; a ticket is missed when its event is so late."""
HELD = 20_000
AHEAD = 64
PAGE = 2000
READ = 200
"""Entries of each queue in one read."""
BLOCK_S = 0.5
"""New slots are read from after so long at most."""
ORPHANS = 50
"""Tickets of the dead that are settled in one unit of work."""

_PASSING = (*TROUBLE, RedisError, PlatformError)


class SlotDispatcher:
    """`look`, `read` and `sweep` are background tasks; `close` at the end."""

    def __init__(self, ctx: Context, redis: RedisStream) -> None:
        settings = ctx.settings
        self._ctx = ctx
        self._redis = redis
        self.seat = Seat(ctx.db)
        self.book = HotBook(ctx.db, ctx.clock, settings.print_policy, self.seat.number, ctx.db.ring)
        self.printers = Printers(ctx, self.book, AHEAD)
        self.group = Group(redis, GROUP, f"d{self.seat.number}", max_deliveries=settings.max_deliveries)
        self.slots: frozenset[int] = frozenset()
        """Those that are ours, and read from."""
        self._leaving: frozenset[int] = frozenset()  # ours until what is in hand has ended
        self._handing_over: asyncio.Task[None] | None = None
        self._lag = Lag(0, 0, 0.0)
        self.swept = 0
        """Tickets that a sweep found and no event had told of."""
        self.orphans = 0
        """Tickets in dead hands that became unconfirmed."""

    @property
    def figures(self) -> dict[str, float]:
        """For the process's metrics."""
        return {
            "slots": len(self.slots),
            "printers": len(self.printers),
            "held": self.printers.held,
            "unread": self._lag.unread,
            "pending": self._lag.pending,
            "oldest_pending_s": self._lag.oldest_pending_s,
            "swept": self.swept,
            "orphans": self.orphans,
            "buried": self.group.buried,
            "claims": self.book.claims.items,
            "claim_batches": self.book.claims.batches,
        }

    # --- slots -------------------------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Keep the sign of life and the share, for ever."""
        while True:
            try:
                await self._look()
            except _PASSING as error:
                log.warning("printing: the shares cannot be looked at (%r)", error)
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        mine, shift = await self.seat.look(self.slots | self._leaving)
        lost = (self.slots | self._leaving) - mine
        if lost:
            log.warning("printing: slots %s were taken over by another dispatcher", sorted(lost))
            self.slots -= lost
            self._leaving -= lost
            self.printers.spawn(self.printers.let_go(lambda merchant_id: slot_of(merchant_id) in self.slots))
        if shift.take:
            await self._take(frozenset(shift.take))
        if shift.release and self._handing_over is None:
            self._leaving = frozenset(shift.release)
            self.slots -= self._leaving
            self._handing_over = asyncio.create_task(self._hand_over(self._leaving))

    async def _take(self, slots: frozenset[int]) -> None:
        """What the last owner had in hand, if it is dead, is unconfirmed; what waits is ours to print."""
        log.info("printing: takes slots %s", sorted(slots))
        await self._settle_orphans()
        self.slots |= slots
        await self._sweep(before=self._ctx.clock.now())
        self.printers.spawn(self._claim_left(slots))  # Redis may be away, and is not needed to print

    async def _claim_left(self, slots: frozenset[int]) -> None:
        """The slots are ours, so whoever has read their entries will not print them."""
        for slot in slots:
            while found := await self._redis.insist(partial(self.group.claim, queue_name(slot), 0.0)):
                await self._deal_with(found)

    async def _hand_over(self, slots: frozenset[int]) -> None:
        try:
            await self.printers.let_go(lambda merchant_id: slot_of(merchant_id) not in slots)
            await self.seat.give_back(slots)
            self._leaving -= slots
            log.info("printing: gives up slots %s", sorted(slots))
        except _PASSING as error:
            log.warning("printing: slots cannot be given up yet (%r)", error)
        finally:
            self._handing_over = None

    # --- tickets -----------------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Give what the work queues tell of to the printers, for ever."""
        while True:
            if not self.slots or self.printers.held >= HELD:
                await asyncio.sleep(0.02)
                continue
            queues = [queue_name(slot) for slot in sorted(self.slots)]
            found = await self._redis.insist(partial(self.group.read, queues, READ, BLOCK_S))
            if found:
                await self._deal_with(found)

    async def _deal_with(self, found: list[Delivery]) -> None:
        """Put tickets to their printers, then acknowledge them."""
        now, slots = self._ctx.clock.now(), self.slots
        settled: list[tuple[str, bytes]] = []
        for one in found:
            event = one.event
            try:
                merchant_id = event.payload["merchant_id"]
                item = Waiting(event.payload["ticket_id"], event.committed or event.at, now)
            except (KeyError, TypeError) as error:
                await self.group.bury(one.queue, one.id, f"no ticket: {error!r}", repr(event.payload))
                continue
            if slot_of(merchant_id) in slots:
                self.printers.put(merchant_id, item)
            # else its slot is another's by now, who finds it in the table
            settled.append((one.queue, one.id))
        await self._redis.insist(partial(self.group.ack, settled))

    async def sweep(self) -> None:
        """Look for what no event has told of, and after the queues, for ever."""
        rounds = 0
        while True:
            await asyncio.sleep(SWEEP_S)
            try:
                await self._sweep(before=self._ctx.clock.now() - SWEEP_S)
                await self._settle_orphans()
                rounds += 1
                if rounds % 5 == 0:
                    await self._look_after_queues()
            except _PASSING as error:
                log.warning("printing: the sweep was broken off (%r)", error)

    async def _sweep(self, before: float) -> None:
        if not self.slots:
            return
        me, after, slots = self.seat.number, 0, self.slots
        while self.printers.held < HELD:
            page = await self._ctx.db.read(partial(repository.waiting, me=me, after=after, before=before, limit=PAGE))
            now, held = self._ctx.clock.now(), self.printers.held
            for ticket_id, merchant_id, queued in page:
                if slot_of(merchant_id) in slots:
                    self.printers.put(merchant_id, Waiting(ticket_id, queued, now), sweep=True)
            self.swept += self.printers.held - held
            if len(page) < PAGE:
                self.printers.swept(before)
                return
            after = page[-1][0]

    async def _settle_orphans(self) -> None:
        """Tickets of our slots that are claimed, and that nobody alive has in hand."""
        me, db = self.seat.number, self._ctx.db
        mine = self.printers.in_hand  # before the table is read: what is claimed meanwhile is not there yet
        found = await db.read(lambda conn: repository.in_hand(conn, me))
        mine |= self.printers.in_hand
        others = self.seat.live - {me}
        orphans = [row[0] for row in found if row[2] not in others and row[0] not in mine]
        policy: PrintPolicy = self._ctx.settings.print_policy
        for start in range(0, len(orphans), ORPHANS):
            some, now = orphans[start : start + ORPHANS], self._ctx.clock.now()
            self.orphans += await db.write(partial(units.orphaned, policy=policy, ticket_ids=some, now=now))

    async def _look_after_queues(self) -> None:
        queues = [queue_name(slot) for slot in sorted(self.slots)]
        for queue in queues:
            if found := await self.group.claim(queue, self._ctx.settings.consumer_idle_s):
                await self._deal_with(found)
        await self.group.trim(queues)
        self._lag = await self.group.lag(queues)

    async def lag(self) -> Lag:
        """How far all dispatchers together are behind."""
        return await self.group.lag(map(queue_name, range(SLOTS)))

    async def close(self) -> None:
        """Finish what is in hand, and leave the rest to the others."""
        if self._handing_over is not None:
            self._handing_over.cancel()
        await self.printers.close()
        await self.book.close()
        try:
            await self.seat.give_back(self.slots | self._leaving)
        except _PASSING as error:
            log.warning("printing: slots cannot be given up (%r)", error)
        await self.seat.leave()
