"""Who prints for which merchants, when there are several dispatchers (A14, W9).

Decides how work is shared. Merchants fall into `SLOTS` slots (id modulo), each with a work queue of its own in Redis,
and a slot belongs to one dispatcher at a time: so all tickets of a printer go through one queue in one process, and the
printer's order is kept. Sharing single entries of one queue out to whoever is free would lose that order; a lease for
each printer would cost a row per merchant and write to it for ever.

The owner of a slot stands in the database (`dispatch_slots`), and every claim of a ticket is guarded by it: a
dispatcher that has lost a slot without noticing claims nothing more there. That an owner is alive shows in an advisory
lock, named by its number, on a connection that it keeps: when the process is killed the server drops connection and
lock at once, and the others take over without waiting for a time-out. A dispatcher that comes gets its share from
those that have more (they finish the tickets in hand first); one that ends gives its slots back.

A take-over of a slot: what its dead owner had in hand is unconfirmed ("restarted": it may be on paper), what is queued
is printed by the new one. Tickets in the hands of a living dispatcher are left alone (`tickets.claimed_by`).
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg
import msgspec

from o2o_platform.kit.database import Database
from o2o_platform.kit.database.broken import TROUBLE

SLOTS = 16
"""Of a city; more dispatchers than this have nothing to do."""
_ALIVE = 7_106_702
"""First key of the advisory lock that says: this dispatcher is alive. The second is its number."""
_SHARING = 7_106_703
"""Of the lock under which one dispatcher at a time looks at the shares."""

_LIVE = """
    SELECT objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2
    AND classid = $1::bigint::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"""


class _Queued(msgspec.Struct):
    merchant_id: int


_queued = msgspec.json.Decoder(_Queued)


def slot_of(merchant_id: int) -> int:
    """The merchant's slot."""
    return merchant_id % SLOTS


def queue_name(slot: int) -> str:
    """The work queue of a slot's tickets."""
    return f"tickets:{slot}"


def queue_of(payload: str) -> str:
    """The work queue that a `queued` event of a ticket goes to (for the relay)."""
    return queue_name(slot_of(_queued.decode(payload).merchant_id))


@dataclass(frozen=True, slots=True)
class Shift:
    """What one dispatcher does about its share."""

    take: tuple[int, ...] = ()
    release: tuple[int, ...] = ()


def share(owners: Mapping[int, int | None], live: frozenset[int], me: int) -> Shift:
    """The slots to take (free, or of a dead owner) and to give up, so that nobody has more than his share.

    The share is the number of slots over the number of the living, rounded up. Worked: 16 slots, 3 alive: 6 at most.
    """
    most = -(-len(owners) // max(len(live), 1))
    mine = sorted(slot for slot, owner in owners.items() if owner == me)
    free = sorted(slot for slot, owner in owners.items() if owner not in live)
    if len(mine) > most:
        return Shift(release=tuple(mine[most:]))
    return Shift(take=tuple(free[: most - len(mine)]))


class Seat:
    """One dispatcher's number, its sign of life, and its slots. One user at a time."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._conn: asyncpg.Connection | None = None
        self.number = random.SystemRandom().randrange(1, 2**31)  # of two alike the second would wait
        self.live: frozenset[int] = frozenset()
        """Dispatchers alive when last looked."""

    async def look(self, held: frozenset[int]) -> tuple[frozenset[int], Shift]:
        """The slots that are mine, new ones included, and what has changed since I held `held`; slots in `release`
        are mine until `give_back`. Raises what asyncpg raises."""
        conn = await self._alive()
        try:
            async with conn.transaction():
                await conn.execute("SELECT pg_advisory_xact_lock($1)", _SHARING)
                self.live = frozenset(row[0] for row in await conn.fetch(_LIVE, _ALIVE))
                owners = {row[0]: row[1] for row in await conn.fetch("SELECT slot, owner FROM dispatch_slots")}
                shift = share(owners, self.live, self.number)
                if shift.take:
                    await conn.execute(
                        "UPDATE dispatch_slots SET owner = $1 WHERE slot = ANY($2::bigint[])", self.number, shift.take
                    )
        except TROUBLE:
            self.leave_connection()
            raise
        mine = frozenset(slot for slot, owner in owners.items() if owner == self.number) | frozenset(shift.take)
        return mine, Shift(tuple(sorted(mine - held)), shift.release)

    async def give_back(self, slots: frozenset[int]) -> None:
        """These slots are free for others; nothing of theirs is in hand."""
        conn = await self._alive()
        await conn.execute(
            "UPDATE dispatch_slots SET owner = NULL WHERE owner = $1 AND slot = ANY($2::bigint[])",
            self.number,
            sorted(slots),
        )

    async def leave(self) -> None:
        """End the sign of life; what is still owned is taken over by others."""
        conn, self._conn = self._conn, None
        if conn is not None:
            with contextlib.suppress(*TROUBLE):
                await conn.close(timeout=2.0)

    def leave_connection(self) -> None:
        """The connection is not to be trusted any more."""
        if self._conn is not None:
            self._conn.terminate()
            self._conn = None

    async def _alive(self) -> asyncpg.Connection:
        conn = self._conn
        if conn is not None and not conn.is_closed():
            return conn
        conn = await self._db.connect()
        try:
            await conn.execute(
                "INSERT INTO dispatch_slots (slot) SELECT generate_series(0, $1::int - 1) ON CONFLICT DO NOTHING", SLOTS
            )
            # The lock of a connection that has just broken may be held for a moment still: wait for it.
            await conn.execute("SELECT pg_advisory_lock($1::int, $2::int)", _ALIVE, self.number)
        except BaseException:
            conn.terminate()
            raise
        self._conn = conn
        return conn
