"""From payment to paper, and what happens when the printer does not do its part (A14)."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from o2o_domain.ticket_layout import parse
from o2o_platform.printing.book import UnitsBook
from o2o_platform.printing.printer import Printer

pytestmark = pytest.mark.anyio

_COMMANDS = re.compile(
    rb"\x1b@|\x1c&|\x1ba.|\x1bE.|\x1d!.|\x1c!.|\x1dVB.|\x1d\(k..[\x31].[^\n]*?(?=\x1d|\n)", re.DOTALL
)


def paper(ticket: bytes) -> list[str]:
    return _COMMANDS.sub(b"", ticket).decode("gb18030").split("\n")


async def state_is(tickets: Any, *states: str) -> Any:
    rows = await tickets()
    return rows if [row["state"] for row in rows] == list(states) else None


async def test_a_paid_order_is_on_paper_once_with_all_marks(
    world: Any, peer: Any, printer_at: Any, tickets: Any, eventually: Any
) -> None:
    """A14: the ticket's bytes parse back to the order."""
    shop = await world.shop(("宫保鸡丁(微辣)", 1800, 9), ("米饭", 200, 9), printer=printer_at(peer))
    user = await world.actor("consumer")
    items = [{"dish_id": shop.dishes[0], "qty": 2}, {"dish_id": shop.dishes[1], "qty": 3}]
    placed = await world.place(user, shop, items=items, note="不要香菜")
    assert await tickets() == []  # no ticket for an unpaid order
    await world.pay_at_provider(placed)
    (row,) = await eventually(lambda: state_is(tickets, "printed"))
    assert (row["attempts"], row["copy_no"], row["escalation"]) == (1, 1, None)
    (ticket,) = peer.tickets
    read = parse(paper(ticket))
    assert read.complete
    assert read.order_no == placed.json()["order_no"]
    assert read.lines == (("宫保鸡丁(微辣)", 2), ("米饭", 3))
    assert read.total_fen == placed.json()["total_fen"]
    (order,) = await world.export("orders")
    assert read.note == "不要香菜"
    due = datetime.fromtimestamp(order["promised"] + world.app.state.ctx.settings.timezone_offset_s, UTC)
    assert read.due_text == f"{due:%m-%d %H:%M}"
    marks = ("accepted", "paid", "committed", "published", "claimed", "rendered", "delivered_to_printer", "printed")
    times = [order[mark] for mark in marks]
    assert None not in times
    assert times == sorted(times)


async def test_silence_is_unconfirmed_never_sent_again_and_told_to_the_merchant(
    world: Any, peer: Any, printer_at: Any, tickets: Any, eventually: Any
) -> None:
    """A14: a lost acknowledgement is how double prints happen; a late answer is believed."""
    peer.answers = False
    shop, user = await world.shop(printer=printer_at(peer)), await world.actor("consumer")
    await world.paid(user, shop)
    await eventually(lambda: as_check(peer.unanswered))
    world.clock.advance(20.0)
    (row,) = await eventually(lambda: state_is(tickets, "unconfirmed"))
    assert (row["code"], row["escalation"]) == ("silent", "app")
    peer.answers = True
    await world.paid(user, shop)  # the next ticket is printed, the first is not sent again
    await eventually(lambda: state_is(tickets, "unconfirmed", "printed"))
    assert len(peer.tickets) == 2
    peer.answer_late()
    await eventually(lambda: state_is(tickets, "printed", "printed"))
    assert len(peer.tickets) == 2


@pytest.mark.parametrize("when", ["while it is asked why", "while silence is written"])
async def test_an_answer_that_comes_as_it_is_given_up_is_not_lost(
    world: Any, peer: Any, printer_at: Any, tickets: Any, eventually: Any, monkeypatch: Any, when: str
) -> None:
    """A14: between the time-out and what is written of it the answer belongs to nobody else."""
    peer.answers = False
    place, name = (Printer, "_why_silent") if when == "while it is asked why" else (UnitsBook, "silent")
    given_up = getattr(place, name)

    async def answered_meanwhile(self: Any, *told: Any) -> Any:
        peer.answer_late()
        await asyncio.sleep(0.1)
        return await given_up(self, *told)

    monkeypatch.setattr(place, name, answered_meanwhile)
    shop, user = await world.shop(printer=printer_at(peer)), await world.actor("consumer")
    await world.paid(user, shop)
    await eventually(lambda: as_check(peer.unanswered))
    world.clock.advance(20.0)
    (row,) = await eventually(lambda: state_is(tickets, "printed"))
    assert row["printed"] is not None
    assert len(peer.tickets) == 1


async def as_check(value: Any) -> Any:
    return value


@pytest.mark.parametrize(("cause", "paper_bits", "code"), [(0x12, 0x72, "paper_end"), (0x16, 0x12, "cover_open")])
async def test_trouble_is_seen_before_anything_is_sent_and_tried_again(
    world: Any, peer: Any, printer_at: Any, tickets: Any, eventually: Any, cause: int, paper_bits: int, code: str
) -> None:
    """A14: paper out; the ticket waits and is printed once when the paper is in."""
    peer.cause, peer.paper = cause, paper_bits
    shop, user = await world.shop(printer=printer_at(peer)), await world.actor("consumer")
    await world.paid(user, shop)

    async def tried() -> Any:
        (row,) = await tickets()
        return row["attempts"] == 1 and row

    row = await eventually(tried)
    assert (row["state"], row["code"]) == ("queued", code)
    assert peer.tickets == []
    peer.cause = peer.paper = 0x12
    world.clock.advance(2.0)
    (row,) = await eventually(lambda: state_is(tickets, "printed"))
    assert row["attempts"] == 2
    assert len(peer.tickets) == 1


async def test_a_refused_connection_is_tried_again_until_given_up_then_failed_visibly(
    world: Any, tickets: Any, eventually: Any
) -> None:
    """A14: five attempts with doubling pauses, then `failed`, the merchant's app, SMS and a call in turn."""
    shop = await world.shop(printer={"host": "127.0.0.1", "port": 1, "width_cols": 48})
    await world.paid(await world.actor("consumer"), shop)
    for attempt, pause in enumerate((2.0, 4.0, 8.0, 16.0), start=1):

        async def tried(attempt: int = attempt) -> Any:
            (row,) = await tickets()
            return row["attempts"] == attempt and row["state"] == "queued"

        await eventually(tried)
        world.clock.advance(pause)
    (row,) = await eventually(lambda: state_is(tickets, "failed"))
    assert (row["attempts"], row["code"], row["escalation"]) == (5, "refused", "app")
    for level in ("sms", "phone"):
        world.clock.advance(180.0)

        async def reached(level: str = level) -> Any:
            world.clock.advance(0.5)  # the watch looks twice a second
            (row,) = await tickets()
            return row["escalation"] == level

        await eventually(reached)


async def test_a_merchant_who_has_accepted_is_not_called(world: Any, tickets: Any, eventually: Any) -> None:
    """A14: the ladder ends when the merchant knows of the order."""
    shop = await world.shop()  # without a printer
    order_id = await world.paid(await world.actor("consumer"), shop)
    (row,) = await eventually(lambda: state_is(tickets, "failed"))
    assert (row["code"], row["escalation"]) == ("no_printer", "app")
    await shop.owner.post(f"/orders/{order_id}/accept")
    world.clock.advance(1000.0)
    assert (await tickets())[0]["escalation"] == "app"


async def test_a_dead_printer_delays_nobody_else(
    world: Any, peer: Any, printer_at: Any, tickets: Any, eventually: Any
) -> None:
    """A14: PRINTING §6.4; one hangs in mid-ticket, one refuses, the third prints on a clock that stands still."""
    hanging = type(peer)()
    await hanging.start()
    hanging.speaks = False
    dead = await world.shop(printer=printer_at(hanging))
    gone = await world.shop(printer={"host": "127.0.0.1", "port": 1, "width_cols": 32})
    good = await world.shop(printer=printer_at(peer, 32))
    user = await world.actor("consumer")
    for shop in (dead, gone, dead, gone, good):
        await world.paid(user, shop)

    async def printed() -> Any:
        rows = await tickets()
        return len(rows) == 5 and rows[-1]["state"] == "printed"

    await eventually(printed)
    assert len(peer.tickets) == 1
    await hanging.stop()


async def test_a_backlog_is_failed_at_its_deadline_and_not_printed_on_recovery(
    world: Any, peer: Any, printer_at: Any, tickets: Any, eventually: Any
) -> None:
    """A14, PRINTING §6.4: a ticket that is late beyond its deadline is of no use on paper."""
    peer.paper = 0x72
    shop, user = await world.shop(printer=printer_at(peer)), await world.actor("consumer")
    await world.paid(user, shop)
    await world.paid(user, shop)

    async def tried() -> Any:  # the second waits its turn behind the first
        return [row["attempts"] for row in await tickets()] == [1, 0]

    await eventually(tried)

    async def failed() -> Any:
        world.clock.advance(5.0)
        return await state_is(tickets, "failed", "failed")

    rows = await eventually(failed)
    assert {row["escalation"] for row in rows} == {"app"}
    peer.paper = 0x12
    await world.paid(user, shop)
    await eventually(lambda: state_is(tickets, "failed", "failed", "printed"))
    assert len(peer.tickets) == 1


async def test_the_printer_hangs_up_in_mid_ticket(
    world: Any, peer: Any, printer_at: Any, tickets: Any, eventually: Any
) -> None:
    """A14: bytes are gone, so it is unconfirmed; the next ticket makes a new connection."""
    peer.answers = False
    shop, user = await world.shop(printer=printer_at(peer)), await world.actor("consumer")
    await world.paid(user, shop)
    await eventually(lambda: as_check(peer.unanswered))
    peer.hang_up()
    (row,) = await eventually(lambda: state_is(tickets, "unconfirmed"))
    assert row["code"] == "connection_lost"
    peer.answers = True
    await world.paid(user, shop)
    await eventually(lambda: state_is(tickets, "unconfirmed", "printed"))
    assert peer.connections == 2


async def test_a_reprint_says_so_and_counts(
    world: Any, peer: Any, printer_at: Any, tickets: Any, eventually: Any
) -> None:
    """A14: a copy carries its number; only the shop's own people and staff may ask for it."""
    shop, user = await world.shop(printer=printer_at(peer)), await world.actor("consumer")
    await world.paid(user, shop)
    (row,) = await eventually(lambda: state_is(tickets, "printed"))
    path = f"/tickets/{row['ticket_id']}/reprint"
    assert (await user.post(path)).status_code == 403
    assert (await (await world.shop()).owner.post(path)).status_code == 403
    made = await shop.owner.post(path)
    assert (made.status_code, made.json()["copy_no"]) == (201, 2)
    await eventually(lambda: state_is(tickets, "printed", "printed"))
    assert parse(paper(peer.tickets[0])).copy_no == 1
    again = parse(paper(peer.tickets[1]))
    assert (again.copy_no, again.complete) == (2, True)
    assert (await shop.owner.post("/tickets/999/reprint")).status_code == 404


async def test_the_printer_moves(world: Any, peer: Any, printer_at: Any, tickets: Any, eventually: Any) -> None:
    """G2: a new address holds from the next attempt on."""
    shop, user = await world.shop(printer={"host": "127.0.0.1", "port": 1}), await world.actor("consumer")
    await world.paid(user, shop)

    async def tried() -> Any:
        return [row["attempts"] for row in await tickets()] == [1]

    await eventually(tried)
    put = await shop.owner.call("PUT", f"/merchants/{shop.id}/printer", json=printer_at(peer))
    assert put.status_code == 200
    world.clock.advance(2.0)
    await eventually(lambda: state_is(tickets, "printed"))


async def test_many_tickets_of_many_printers_are_each_printed_once(
    world: Any, printer_at: Any, peer: Any, tickets: Any, eventually: Any
) -> None:
    """A14: one piece of paper for every paid order."""
    peers = [type(peer)() for _ in range(4)]
    for one in peers:
        await one.start()
    shops = [await world.shop(("面", 1000, 100), printer=printer_at(one)) for one in peers]
    user = await world.actor("consumer")
    await asyncio.gather(*(world.paid(user, shops[i % 4], key=f"k{i}") for i in range(24)))
    await eventually(lambda: state_is(tickets, *["printed"] * 24))
    numbers = [str(parse(paper(ticket)).order_no) for one in peers for ticket in one.tickets]
    orders = await world.export("orders")
    assert sorted(numbers) == sorted(order["order_no"] for order in orders)
    for one in peers:
        assert len(one.tickets) == 6
        assert one.connections == 1
        await one.stop()


async def test_a_printer_that_has_nothing_to_do_is_left_to_others(
    world: Any, peer: Any, printer_at: Any, tickets: Any, eventually: Any
) -> None:
    """A printer takes one connection at a time: ours is closed after a while, and opened again."""
    shop, user = await world.shop(printer=printer_at(peer)), await world.actor("consumer")
    await world.paid(user, shop)
    await eventually(lambda: state_is(tickets, "printed"))
    assert peer.open == 1

    async def closed() -> bool:
        world.clock.advance(5.0)
        return bool(peer.open == 0)

    await eventually(closed)
    await world.paid(user, shop)
    await eventually(lambda: state_is(tickets, "printed", "printed"))
    assert peer.connections == 2
