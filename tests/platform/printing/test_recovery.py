"""A platform that ends at a bad moment, and the next one on the same database (A14, W9)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from o2o_platform.kit.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_queued_is_printed_and_claimed_becomes_unconfirmed(
    settings: Any, open_world: Any, peer: Any, printer_at: Any, eventually: Any
) -> None:
    """A14: nothing acknowledged is lost, nothing that may be on paper is sent again."""
    peer.answers = False
    settings = replace(settings, print_drain_s=0.0)  # as a crash has it
    clock = ManualClock()
    async with open_world(settings, clock) as world:
        shop, user = await world.shop(printer=printer_at(peer)), await world.actor("consumer")
        await world.paid(user, shop)

        async def sent() -> Any:
            return peer.unanswered

        await eventually(sent)  # the first ticket is in hand, not answered
        await world.paid(user, shop)  # the second waits behind it
        assert [row["state"] for row in await world.export("tickets")] == ["claimed", "queued"]
    peer.answers = True
    async with open_world(settings, clock) as world:

        async def settled() -> Any:
            rows = await world.export("tickets")
            return [row["state"] for row in rows] == ["unconfirmed", "printed"] and rows

        first, second = await eventually(settled)
        assert (first["code"], first["escalation"]) == ("restarted", "app")
        assert second["attempts"] == 1
    assert len(peer.tickets) == 2


async def test_a_platform_that_is_told_to_end_waits_for_the_ticket_in_hand(
    settings: Any, open_world: Any, peer: Any, printer_at: Any, eventually: Any
) -> None:
    """A14: a clean end leaves nothing unconfirmed; what waits in the queue is printed by the next."""
    peer.answers = False
    settings = replace(settings, print_drain_s=30.0)
    async with open_world(settings, ManualClock()) as world:
        shop, user = await world.shop(printer=printer_at(peer)), await world.actor("consumer")
        await world.paid(user, shop)
        await world.paid(user, shop)

        async def sent() -> Any:
            return peer.unanswered

        await eventually(sent)
        asyncio.get_running_loop().call_later(0.02, peer.answer_late)
    assert len(peer.tickets) == 1
    peer.answers = True
    async with open_world(settings, ManualClock()) as world:

        async def printed() -> Any:
            return [row["state"] for row in await world.export("tickets")] == ["printed", "printed"]

        await eventually(printed)
    assert len(peer.tickets) == 2


async def test_refunds_and_unpaid_orders_are_taken_up_again(settings: Any, open_world: Any, eventually: Any) -> None:
    """W9, G4: what was owed and what was due while the platform was down is settled after it starts."""
    clock = ManualClock()
    async with open_world(settings, clock) as world:
        shop, user = await world.shop(("面", 1000, 3)), await world.actor("consumer")
        placed = await world.place(user, shop)
        await world.pay_at_provider(placed)
        charges = world.provider.charges
        world.provider.charges = {}  # the provider knows nothing of it: refunds fail and are tried again
        assert (await user.post(f"/orders/{placed.json()['order_id']}/cancel")).status_code == 200
        await world.place(user, shop)
        assert [row["refund_done"] for row in await world.export("payments")] == [None, None]
    clock.advance(10_000.0)
    async with open_world(settings, clock) as world:
        world.provider.charges = charges

        async def settled() -> Any:
            clock.advance(1.0)  # refunds back off, the watch looks twice a second
            first, second = await world.export("orders")
            paid, _ = await world.export("payments")
            return paid["refund_done"] and (first["state"], second["state"]) == ("cancelled", "closed")

        await eventually(settled)
        assert charges[placed.json()["payment"]["payment_id"]].refunded_fen == placed.json()["total_fen"]
        (stock,) = await world.export("stock")
        assert (stock["level"], stock["returned"]) == (3, 2)
