"""Printing in batches writes what printing by units writes (A14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import insert, update

import servers
from o2o_domain.tickets import PrintOutcome, PrintPolicy
from o2o_platform.kit.clock import ManualClock
from o2o_platform.kit.database import open_database
from o2o_platform.kit.tables import outbox
from o2o_platform.merchants.tables import merchants
from o2o_platform.orders.tables import orders
from o2o_platform.printing.book import Book, UnitsBook, Waiting
from o2o_platform.printing.hot_book import HotBook
from o2o_platform.printing.slots import SLOTS
from o2o_platform.printing.tables import dispatch_slots, tickets

pytestmark = pytest.mark.anyio

ME, SHOPS, EACH = 77, 5, 4
HERE = "tcp://127.0.0.1:9100"


@pytest.fixture
async def hot(office: Any) -> AsyncIterator[HotBook]:
    """On `office`, with every slot."""
    rows = [{"slot": slot, "owner": ME} for slot in range(SLOTS)]
    await office.db.write(lambda conn: conn.execute(insert(dispatch_slots), rows))
    book = HotBook(office.db, ManualClock(1000.0), PrintPolicy(), ME)
    yield book
    await book.close()


async def filled(office: Any) -> list[Waiting]:
    for shop in range(1, SHOPS + 1):
        await office.merchant(shop, 9100)
    await office.tickets(*(1 + n % SHOPS for n in range(SHOPS * EACH)), at=990.0)
    return [Waiting(row.id, 991.0 + row.id, 992.0 + row.id) for row in await office.rows()]


async def day(book: Book, clock: ManualClock, waiting: list[Waiting]) -> None:
    """Every way that a ticket can go, some of them at once."""
    jobs = await asyncio.gather(*(book.claim(one, HERE) for one in waiting[:16]))
    assert all(job is not None and job.state in ("queued", "claimed") for job in jobs)
    clock.advance(0.5)
    assert await book.claim(waiting[0], HERE) is None  # in hand already
    assert await book.claim(waiting[16], "tcp://127.0.0.1:9101") is None  # the printer is elsewhere
    clock.advance(1.0)
    done = [job for job in jobs[:12] if job is not None]
    await asyncio.gather(*(book.printed(job, 1000.1, 1000.2, clock.now()) for job in done))
    await book.printed(done[0], 1.0, 2.0, clock.now())  # written already: nothing changes
    for one in waiting[12:15]:
        await book.silent(one.ticket_id, "silent", 1000.1, 1000.2)
    await book.late(waiting[12].ticket_id)
    silent = jobs[13]
    assert silent is not None
    await book.printed(silent, 1000.1, 1000.2, clock.now())  # taken for dead meanwhile: believed
    await book.fail(waiting[15], "not_printable")
    assert await book.not_sent(waiting[16], PrintOutcome.PAPER_END) == clock.now() + 2.0
    await book.fail(waiting[17], "no_printer")
    clock.advance(1.0)
    assert await book.claim(waiting[16], HERE) is not None


async def test_the_same_rows_whether_in_batches_or_by_units(office: Any, hot: HotBook) -> None:
    clock = ManualClock(1000.0)
    hot._clock = clock
    await day(hot, clock, await filled(office))
    assert hot.claims.batches < hot.claims.items
    with servers.postgres_database() as url:
        other = type(office)(open_database(url, durable=False))
        await other.db.start()
        clock = ManualClock(1000.0)
        await day(UnitsBook(other.db, clock, PrintPolicy(), ME), clock, await filled(other))
        for table in (tickets, orders):
            assert await office.rows(table) == await other.rows(table)
        told = [
            sorted((row.at, row.topic, row.name, row.payload) for row in await one.rows(outbox))
            for one in (office, other)
        ]
        assert told[0] == told[1]
        await other.db.stop()


async def test_a_spoiled_ticket_fails_alone(office: Any, hot: HotBook) -> None:
    waiting = await filled(office)
    spoiled = Waiting(2**70, 1.0, 1.0)  # no such number fits
    answers = await asyncio.gather(
        *(hot.claim(one, HERE) for one in [*waiting[:7], spoiled, *waiting[7:14]]), return_exceptions=True
    )
    assert isinstance(answers.pop(7), Exception)
    assert [answer.ticket_id for answer in answers] == [one.ticket_id for one in waiting[:14]]  # type: ignore[union-attr]
    assert [row.attempts for row in await office.rows()] == [1] * 14 + [0] * 6


async def test_a_claim_whose_answer_was_lost_is_made_again_once(office: Any, hot: HotBook) -> None:
    """The connection breaks after the commit: the batch is made again, and the claim is still ours."""
    waiting = await filled(office)
    real, calls = hot._claim_many, 0

    async def breaks(items: Any) -> Any:
        nonlocal calls
        calls += 1
        rows = await real(items)
        if calls == 1:
            raise ConnectionResetError("after the commit")
        return rows

    hot.claims._work_many = breaks
    job = await hot.claim(waiting[0], HERE)
    assert job is not None
    assert calls == 2
    assert (await office.rows())[0].attempts == 1


async def test_a_slot_that_is_another_s_is_not_claimed_in(office: Any, hot: HotBook) -> None:
    """A dispatcher that was taken for dead goes on believing: the database does not."""
    waiting = await filled(office)
    await office.db.write(lambda conn: conn.execute(update(dispatch_slots).values(owner=ME + 1)))
    assert await hot.claim(waiting[0], HERE) is None
    assert (await office.rows())[0].state == "queued"


async def test_a_printer_that_has_moved_is_not_printed_at(office: Any, hot: HotBook) -> None:
    waiting = await filled(office)
    await office.db.write(lambda conn: conn.execute(update(merchants).values(printer_url="tcp://127.0.0.1:9200")))
    assert await hot.claim(waiting[0], HERE) is None
    assert await hot.claim(waiting[0], "tcp://127.0.0.1:9200") is not None
