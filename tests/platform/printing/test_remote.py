"""Tickets in no dispatcher's hands: shown, taken, told of, given back, given up, on both databases (A14)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from tests.platform.printing.conftest import Office

from o2o_domain.tickets import PrintPolicy
from o2o_platform.kit.database import open_database
from o2o_platform.kit.tables import outbox
from o2o_platform.merchants.tables import merchants
from o2o_platform.printing import remote, repository, units
from o2o_platform.printing.repository import REMOTE
from o2o_platform.printing.slots import SLOTS
from o2o_platform.printing.tables import dispatch_slots
from o2o_platform.settings import Settings

pytestmark = pytest.mark.anyio

POLICY = PrintPolicy()
URL = "cloudprnt://001162aabbcc"


@pytest.fixture
async def office(settings: Settings, anyio_backend: str) -> AsyncIterator[Office]:
    """As in conftest, on either database."""
    db = open_database(settings.database_url, durable=False)
    await db.start()
    yield Office(db)
    await db.stop()


@pytest.fixture
async def shop(office: Any) -> Any:
    """Merchant 1 has a printer that comes by itself, and three tickets."""
    await office.merchant(1, 9100)
    await office.merchant(2, 9100)
    values = {"printer_url": URL, "printer_pulls": True, "printer_secret": "s3cr3t-of-it"}
    await office.db.write(lambda conn: conn.execute(update(merchants).where(merchants.c.id == 1).values(**values)))
    await office.tickets(1, 1, 1, at=990.0)
    return office


async def run(shop: Any, unit: Any, *args: Any, **named: Any) -> Any:
    return await shop.db.write(lambda conn: unit(conn, *args, **named))


async def states(shop: Any) -> list[str]:
    return [row.state for row in await shop.rows()]


async def test_the_head_is_shown_taken_and_printed_then_the_next(shop: Any) -> None:
    first = await run(shop, remote.offer, 1, 1000.0)
    assert (await run(shop, remote.offer, 1, 1001.0)).ticket_id == first.ticket_id
    token = remote.token_of(first.ticket_id)
    taken = await run(shop, remote.fetch, 1, token, 1002.0)
    assert taken.order_no == first.order_no
    again = await run(shop, remote.fetch, 1, token, 1003.0)
    assert again.ticket_id == first.ticket_id, "to fetch it again has no effect"
    assert await run(shop, remote.offer, 1, 1004.0) is None, "one is under way at a time"
    assert await run(shop, remote.result, 1, token, True, "", 1005.0)
    assert not await run(shop, remote.result, 1, token, True, "", 1006.0), "a repeated result has no effect"
    row = (await shop.rows())[0]
    assert (row.state, row.claimed, row.printed, row.attempts, row.claimed_by) == ("printed", 1002.0, 1005.0, 1, REMOTE)
    assert (await run(shop, remote.offer, 1, 1007.0)).ticket_id != first.ticket_id
    assert await run(shop, remote.fetch, 1, token, 1008.0) is None


async def test_nothing_is_given_to_whose_it_is_not(shop: Any) -> None:
    token = remote.token_of((await run(shop, remote.offer, 1, 1000.0)).ticket_id)
    assert await run(shop, remote.fetch, 2, token, 1000.0) is None
    assert not await run(shop, remote.result, 2, token, True, "", 1000.0)
    assert not await run(shop, remote.give_back, 2, token, 1000.0)
    for other in ("", "o2o-", "o2o-x", "o2o-²", "o2o-99999999999999999999", "1", "o2o--1", "o2o-999"):
        assert await run(shop, remote.fetch, 1, other, 1000.0) is None
        assert not await run(shop, remote.result, 1, other, True, "", 1000.0)
    assert (await states(shop))[0] == "offered"


async def test_a_ticket_that_was_not_offered_is_not_fetched(shop: Any) -> None:
    ids = [row.id for row in await shop.rows()]
    assert await run(shop, remote.fetch, 1, remote.token_of(ids[1]), 1000.0) is None
    assert await states(shop) == ["queued"] * 3


async def test_what_was_given_back_is_shown_again(shop: Any) -> None:
    token = remote.token_of((await run(shop, remote.offer, 1, 1000.0)).ticket_id)
    await run(shop, remote.fetch, 1, token, 1001.0)
    assert await run(shop, remote.give_back, 1, token, 1002.0, "paper_end")
    assert (await shop.rows())[0].code == "paper_end"
    assert remote.token_of((await run(shop, remote.offer, 1, 1003.0)).ticket_id) == token
    assert await run(shop, remote.fetch, 1, token, 1004.0) is not None
    assert (await shop.rows())[0].attempts == 2


async def test_an_offer_lapses_and_a_claim_becomes_unconfirmed_then_late_results_are_believed(shop: Any) -> None:
    lapse = partial(remote.lapse, offer_s=60.0, result_s=120.0, limit=10)
    token = remote.token_of((await run(shop, remote.offer, 1, 1000.0)).ticket_id)
    assert await run(shop, lapse, POLICY, 1060.0) == 0
    assert await run(shop, lapse, POLICY, 1060.5) == 1
    assert (await states(shop))[0] == "queued"
    await run(shop, remote.offer, 1, 1061.0)
    await run(shop, remote.fetch, 1, token, 1062.0)
    assert not await shop.db.read(lambda conn: remote.lapsed(conn, 1182.0, offer_s=60.0, result_s=120.0))
    assert await run(shop, lapse, POLICY, 1182.5) == 1
    row = (await shop.rows())[0]
    assert (row.state, row.code, row.escalation) == ("unconfirmed", "no_result", "app")
    assert (await run(shop, remote.offer, 1, 1183.0)).ticket_id != row.id, "it is not shown again"
    assert await run(shop, remote.result, 1, token, True, "", 1200.0)
    row = (await shop.rows())[0]
    assert (row.state, row.printed) == ("printed", 1200.0)


@pytest.mark.parametrize("uncertain_first", [False, True])
async def test_a_device_that_says_it_did_not_print_is_believed(shop: Any, uncertain_first: bool) -> None:
    token = remote.token_of((await run(shop, remote.offer, 1, 1000.0)).ticket_id)
    await run(shop, remote.fetch, 1, token, 1001.0)
    if uncertain_first:
        assert await run(shop, remote.uncertain, POLICY, 1, token, "paper_end", 1001.5)
        assert (await states(shop))[0] == "unconfirmed"
    assert await run(shop, remote.result, 1, token, False, "511", 1002.0)
    row = (await shop.rows())[0]
    assert (row.state, row.code) == ("failed", "511")
    assert not await run(shop, remote.result, 1, token, True, "", 1003.0)


async def test_a_dispatcher_neither_sweeps_up_nor_recovers_what_is_remote(shop: Any) -> None:
    token = remote.token_of((await run(shop, remote.offer, 1, 1000.0)).ticket_id)
    await run(shop, remote.fetch, 1, token, 1001.0)
    ids = [row.id for row in await shop.rows()]
    assert await run(shop, units.orphaned, policy=POLICY, ticket_ids=ids, now=1002.0) == 0
    left = await run(shop, units.recover, POLICY, 1003.0)
    assert [ticket_id for ticket_id, _, _ in left] == ids[1:]
    assert (await states(shop))[0] == "claimed"


async def test_a_cloud_that_took_a_ticket_tells_before_it_is_written_that_it_took_it(office: Any) -> None:
    await office.merchant(1, 9100)
    (number,) = await office.tickets(1, at=990.0)
    ticket_id = (await office.rows())[0].id
    await run(office, units.claim, ticket_id, 991.0, 992.0, 1000.0, 77)
    assert await run(office, remote.result, 1, remote.token_of(ticket_id), True, "", 1001.0)
    await run(office, units.taken, ticket_id, 1000.1, 1000.2)
    row = (await office.rows())[0]
    assert (row.state, row.claimed_by) == ("printed", 77)
    assert number


async def test_another_printer_gets_what_was_offered_to_the_last(shop: Any) -> None:
    await run(shop, remote.offer, 1, 1000.0)
    await run(shop, remote.reroute, 1, 1001.0)
    assert await states(shop) == ["queued"] * 3
    told = await shop.db.read(lambda conn: conn.execute(select(outbox.c.name, outbox.c.payload)).all())
    assert [json.loads(payload)["ticket_id"] for name, payload in told if name == "queued"] == [
        row.id for row in await shop.rows()
    ] * 2, "told when they were made, and again"


async def test_signs_of_life_are_kept_the_last_one_only(shop: Any) -> None:
    assert await shop.db.read(lambda conn: remote.sign(conn, 1)) is None
    await run(shop, remote.seen, 1, 1000.0, "200 OK")
    await run(shop, remote.seen, 1, 1005.0, "410 Paper out", {"asb": "00"})
    row = await shop.db.read(lambda conn: remote.sign(conn, 1))
    assert (row.seen, row.status, row.detail) == (1005.0, "410 Paper out", '{"asb":"00"}')


async def test_a_printer_is_found_by_its_address(shop: Any) -> None:
    row = await shop.db.read(lambda conn: remote.merchant_at(conn, URL))
    assert (row.id, row.printer_secret, row.printer_cols) == (1, "s3cr3t-of-it", 48)
    assert await shop.db.read(lambda conn: remote.merchant_at(conn, "epson://x")) is None


async def test_only_what_a_dispatcher_has_to_send_is_swept_up(shop: Any) -> None:
    await shop.tickets(2, at=990.0)
    rows = [{"slot": slot, "owner": 77} for slot in range(SLOTS)]
    await shop.db.write(lambda conn: conn.execute(insert(dispatch_slots), rows))
    found = await shop.db.read(lambda conn: repository.waiting(conn, 77, after=0, before=2000.0, limit=10))
    assert [row.merchant_id for row in found] == [2]
