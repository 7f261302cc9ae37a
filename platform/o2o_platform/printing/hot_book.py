"""The book of a dispatcher on PostgreSQL: claims and results of many printers go to the database in batches.

Decides the two statements of the path from a queued ticket to a printed one. What printers want at the same time goes
together (`kit.batching`), in one statement and one transaction: a batch of claims returns all that is printed on the
tickets; a batch of results writes their events along. Each row is guarded by what was known of it: a claim by the state
`queued`, by the address that the printer's connection goes to, and by the slot that this dispatcher holds (`slots`); a
result by the state `claimed`. So a claim is good for one sender only, whoever else believes to own the printer. The
address is compared in a way that no index answers: many merchants may have one printer, and each is found by its id.

A batch whose connection broke may have been committed, and is made again: a claim that is ours already, of the same
instant, counts as made; a result that is written is not written twice. A batch spoiled by one of its tickets is halved
until that one fails alone. Everything that is not the rule (silence, no connection, failures, late answers) is done by
`UnitsBook`, with the same effects as here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import asyncpg
import msgspec

from o2o_domain.tickets import PrintPolicy
from o2o_platform.kit.batching import Batcher
from o2o_platform.kit.clock import Clock
from o2o_platform.kit.database import Database
from o2o_platform.kit.line import Line, lost
from o2o_platform.printing.book import Address, UnitsBook, Waiting
from o2o_platform.printing.job import Job
from o2o_platform.printing.slots import SLOTS

MAX_BATCH = 256
MAX_QUEUE = 100_000
"""More printers than a dispatcher can have connections to."""

_CLAIM = f"""
    WITH item AS (
        SELECT * FROM unnest($1::bigint[], $2::float8[], $3::float8[], $4::float8[], $5::text[])
            AS i (id, at, committed, published, printer)
    ), taken AS (
        UPDATE tickets t
        SET state = 'claimed', claimed = i.at, claimed_by = $6,
            attempts = t.attempts + CASE WHEN t.state = 'queued' THEN 1 ELSE 0 END
        FROM item i, merchants m, dispatch_slots s
        WHERE t.id = i.id AND m.id = t.merchant_id AND (m.printer_url = i.printer) IS TRUE
          AND s.slot = t.merchant_id % {SLOTS} AND s.owner = $6
          AND (t.state = 'queued' OR (t.state = 'claimed' AND t.claimed_by = $6 AND t.claimed = i.at))
        RETURNING t.id, t.order_id, t.merchant_id, t.copy_no, i.committed, i.published,
            m.name, m.printer_url, m.printer_cols
    ), marked AS (
        UPDATE orders o SET committed = taken.committed, published = taken.published
        FROM taken WHERE o.id = taken.order_id AND o.published IS NULL
    )
    SELECT t.id, t.order_id, o.ref, o.user_id, t.merchant_id, t.copy_no, 'claimed' AS state, o.order_no, o.lines,
        o.items_fen, o.discount_fen, o.delivery_fee_fen, o.total_fen, o.note, o.phone, o.address, o.accepted,
        o.promised, t.name, t.printer_url, t.printer_cols
    FROM taken t JOIN orders o ON o.id = t.order_id"""

_PRINTED = """
    WITH item AS (
        SELECT * FROM unnest($1::bigint[], $2::float8[], $3::float8[], $4::float8[], $5::text[])
            AS i (id, rendered, delivered, at, payload)
    ), done AS (
        UPDATE tickets t
        SET state = 'printed', rendered = i.rendered, delivered_to_printer = i.delivered, printed = i.at, code = NULL
        FROM item i WHERE t.id = i.id AND t.state = 'claimed'
        RETURNING t.id, i.at, i.payload
    ), told AS (
        INSERT INTO outbox (at, topic, name, payload)
        SELECT at, 'tickets', 'printed', payload FROM done ORDER BY at, id
    )
    SELECT id FROM done"""


class _Claim(NamedTuple):
    waiting: Waiting
    printer: Address
    at: float


class _Printed(NamedTuple):
    job: Job
    rendered: float
    delivered: float
    at: float


class HotBook(UnitsBook):
    """See the module. `close` it when the printers have ended."""

    def __init__(
        self, db: Database, clock: Clock, policy: PrintPolicy, owner: int, ring: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(db, clock, policy, owner)
        self._me = owner
        self._ring = ring
        self._lines = (Line(db), Line(db))
        self.claims: Batcher[_Claim, Job | None] = Batcher(
            "claims", self._claim_many, max_batch=MAX_BATCH, max_queue=MAX_QUEUE, lost=lost
        )
        self.results: Batcher[_Printed, bool] = Batcher(
            "results", self._printed_many, max_batch=MAX_BATCH, max_queue=MAX_QUEUE, lost=lost
        )

    async def claim(self, waiting: Waiting, printer: Address) -> Job | None:
        return await self.claims.submit(_Claim(waiting, printer, self._clock.now()))

    async def printed(self, job: Job, rendered: float, delivered: float, at: float) -> None:
        if not await self.results.submit(_Printed(job, rendered, delivered, at)):
            # Written before (the batch was made again), or taken for lost meanwhile: then this is a late result.
            await self.late(job.ticket_id)

    async def close(self) -> None:
        """Let what is under way come to its end, and hang up."""
        await self.claims.close()
        await self.results.close()
        for line in self._lines:
            await line.close()

    async def _claim_many(self, items: Sequence[_Claim]) -> Sequence[Job | None]:
        columns = (
            [item.waiting.ticket_id for item in items],
            [item.at for item in items],
            [item.waiting.committed for item in items],
            [item.waiting.published for item in items],
            [item.printer for item in items],
        )
        rows = await _fetch(self._lines[0], lambda conn: conn.fetch(_CLAIM, *columns, self._me))
        taken = {row[0]: Job._make(row) for row in rows}
        return [taken.get(item.waiting.ticket_id) for item in items]

    async def _printed_many(self, items: Sequence[_Printed]) -> Sequence[bool]:
        encode = msgspec.json.encode
        columns = (
            [item.job.ticket_id for item in items],
            [item.rendered for item in items],
            [item.delivered for item in items],
            [item.at for item in items],
            [encode(item.job.told()).decode() for item in items],
        )
        rows = await _fetch(self._lines[1], lambda conn: conn.fetch(_PRINTED, *columns))
        done = {row[0] for row in rows}
        self._ring()
        return [item.job.ticket_id in done for item in items]


async def _fetch(
    line: Line, query: Callable[[asyncpg.Connection], Awaitable[list[asyncpg.Record]]]
) -> list[asyncpg.Record]:
    """The rows of one statement, which is a transaction of its own; a connection that an error may spoil is dropped."""
    try:
        return await query(await line.get())
    except Exception as error:
        if lost(error):
            line.drop()
        raise
