"""Reconciliation on a running platform: lost, late and wrong callbacks, refunds that were not given (G11)."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy import update

from o2o_platform.payments import owed
from o2o_platform.payments.reconcile import Reconciler
from o2o_platform.payments.sandbox.books import Charge
from o2o_platform.payments.signing import pay_url
from o2o_platform.payments.tables import payments

pytestmark = pytest.mark.anyio

GRACE_S = 10.0


async def reconcile(world: Any, *, later_s: float = GRACE_S + 1.0) -> dict[str, Any]:
    """One round, when everything so far is old enough to be judged."""
    world.clock.advance(later_s)
    answer = await world.admin.post("/admin/payments/reconcile")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def balances(world: Any) -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in await world.export("ledger"):
        sums[row["account"]] = sums.get(row["account"], 0) + row["amount_fen"]
    return {account: fen for account, fen in sums.items() if fen}


async def refunded(world: Any, eventually: Any, count: int = 1) -> list[dict[str, Any]]:
    """The refunds, once the provider has confirmed all of them."""

    async def done() -> Any:
        rows = await world.export("refunds")
        return len(rows) == count and all(row["done"] is not None for row in rows) and rows

    rows: list[dict[str, Any]] = await eventually(done)
    return rows


async def test_a_lost_callback_is_made_up_for(world: Any) -> None:
    """G11: paid-but-unordered becomes paid and ordered; the time to repair counts from the user's confirmation."""
    shop, user = await world.shop(), await world.actor("consumer")
    placed = await world.place(user, shop)
    await world.pay_at_provider(placed, silent=True)
    confirmed = world.clock.now()
    fresh = await reconcile(world, later_s=GRACE_S / 2)
    assert (fresh["pulled"], fresh["repairs"]) == (1, {})  # its callback may still come
    assert (await world.order_now(placed.json()["order_id"]))["state"] == "pending_payment"
    assert (await reconcile(world))["repairs"] == {"take_payment": 1}
    order = await world.order_now(placed.json()["order_id"])
    assert (order["state"], order["paid_fen"]) == ("paid", placed.json()["total_fen"])
    assert len(await world.export("tickets")) == 1
    (payment,) = await world.export("payments")
    assert (payment["state"], payment["confirmed"]) == ("paid", confirmed)
    (repair,) = await world.export("reconciliations")
    assert (repair["verdict"], repair["reason"], repair["order_id"]) == ("take_payment", "callback_lost", 1)
    assert (repair["since"], repair["repaired"]) == (confirmed, world.clock.now())
    again = await reconcile(world)
    assert (again["repairs"], again["disputes"], len(await world.export("reconciliations"))) == ({}, 0, 1)
    told = (await world.admin.get("/admin/payments/reconcile")).json()
    assert told["repairs"] == {"take_payment": 1}
    assert told["time_to_repair_s"]["p50"] == told["time_to_repair_s"]["p99"] == repair["repaired"] - confirmed


async def test_a_callback_and_its_repair_at_once_pay_once(world: Any, eventually: Any) -> None:
    """G11: 0 double charge, whoever comes first."""
    shop, user = await world.shop(), await world.actor("consumer")
    placed = [await world.place(user, shop) for _ in range(4)]
    for one in placed:
        await world.pay_at_provider(one, callback_s=GRACE_S + 1.0)

    async def asleep() -> Any:
        return len(world.clock.alarms) >= 4

    await eventually(asleep)
    world.clock.advance(GRACE_S + 1.0)  # now the callbacks set out
    await asyncio.gather(*(reconcile(world, later_s=0.0) for _ in range(3)))

    async def told() -> Any:
        return all(charge.callbacks for charge in world.provider.charges.values())

    await eventually(told)
    rows = await world.export("ledger")
    assert sum(row["reason"] == "paid" and row["account"] == "provider_clearing" for row in rows) == 4
    assert len(await world.export("tickets")) == 4
    assert {row["state"] for row in await world.export("payments")} == {"paid"}


async def test_a_lost_refusal_ends_the_order(world: Any) -> None:
    shop, user = await world.shop(("面", 1000, 1)), await world.actor("consumer")
    placed = await world.place(user, shop)
    await world.pay_at_provider(placed, silent=True, outcome="refused")
    assert (await reconcile(world))["repairs"] == {"refuse": 1}
    order = await world.order_now(placed.json()["order_id"])
    assert (order["state"], order["reason"]) == ("payment_failed", "payment_refused")
    assert (await world.place(user, shop)).status_code == 201


async def test_money_for_a_closed_order_goes_back(world: Any, eventually: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    placed = await world.place(user, shop)
    await user.post(f"/orders/{placed.json()['order_id']}/cancel")
    await world.pay_at_provider(placed, silent=True)
    assert (await reconcile(world))["repairs"] == {"refund_late": 1}
    (refund,) = await refunded(world, eventually)
    (charge,) = world.provider.charges.values()
    assert refund["fen"] == charge.refunded_fen == charge.taken_fen == placed.json()["total_fen"]
    assert await balances(world) == {}
    assert (await reconcile(world))["repairs"] == {}


@pytest.mark.parametrize("heard", [True, False], ids=["the callback said so", "its callback was lost"])
@pytest.mark.parametrize("beside", [-1, 100])
async def test_another_amount_goes_back_whole_and_the_order_is_closed(
    world: Any, eventually: Any, heard: bool, beside: int
) -> None:
    """G4: amount wrong. The order ends, both books are at zero, and the payment stays listed as disputed."""
    shop, user = await world.shop(), await world.actor("consumer")
    placed = await world.place(user, shop)
    taken = placed.json()["total_fen"] + beside
    await world.pay_at_provider(placed, taken_fen=taken, silent=not heard)
    order = await world.order_now(placed.json()["order_id"])
    assert order["state"] == ("payment_failed" if heard else "pending_payment")
    assert (await reconcile(world))["repairs"] == {"refund_difference": 1}
    (refund,) = await refunded(world, eventually)
    (charge,) = world.provider.charges.values()
    assert refund["fen"] == charge.refunded_fen == taken
    order = await world.order_now(placed.json()["order_id"])
    assert (order["state"], order["reason"]) == ("payment_failed", "amount_mismatch")
    assert (order["paid_fen"], order["refunded_fen"]) == (taken, taken)
    (payment,) = await world.export("payments")
    assert (payment["state"], payment["taken_fen"], payment["refund_fen"]) == ("refunded", taken, taken)
    assert payment["disputed"] is not None
    assert await balances(world) == {}
    assert await world.export("tickets") == []
    assert (await reconcile(world))["repairs"] == {}


async def test_a_wrong_word_about_the_right_amount_is_settled_by_the_statement(world: Any, eventually: Any) -> None:
    """The callback names another amount than was taken: one message is not believed about the sum."""
    shop, user = await world.shop(), await world.actor("consumer")
    placed = await world.place(user, shop)
    await world.pay_at_provider(placed, told_fen=1)
    assert (await reconcile(world))["repairs"] == {"refund_late": 1}
    (refund,) = await refunded(world, eventually)
    assert refund["fen"] == placed.json()["total_fen"]
    assert await balances(world) == {}


async def test_more_than_was_booked_goes_back_and_the_order_stands(world: Any, eventually: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    order_id = await world.paid(user, shop)
    (charge,) = world.provider.charges.values()
    charge.taken_fen += 50
    world.provider.books.changed(charge, world.clock.now())
    assert (await reconcile(world))["repairs"] == {"refund_difference": 1}
    await refunded(world, eventually)
    order = await world.order_now(order_id)
    assert (order["state"], order["refunded_fen"], charge.refunded_fen) == ("paid", 0, 50)
    assert (await balances(world))["provider_clearing"] == order["total_fen"] == charge.taken_fen - 50
    assert (await reconcile(world))["repairs"] == {}
    await user.post(f"/orders/{order_id}/cancel")  # and the whole of the rest goes back when it is cancelled
    await refunded(world, eventually, count=2)
    assert charge.refunded_fen == charge.taken_fen
    assert await balances(world) == {}


async def test_money_for_a_payment_that_is_not_ours_goes_back(world: Any, eventually: Any) -> None:
    secret = world.app.state.ctx.settings.provider_secret
    answer = await world.pay_client.post(pay_url("http://provider", secret, 4711, 300), json={"silent": True})
    assert answer.status_code == 202
    assert (await reconcile(world))["repairs"] == {"refund_unknown": 1}
    (refund,) = await refunded(world, eventually)
    assert (refund["payment_id"], refund["order_id"], refund["fen"]) == (4711, None, 300)
    assert world.provider.charges[4711].refunded_fen == 300
    assert await balances(world) == {}
    assert (await reconcile(world))["repairs"] == {}


async def test_a_refund_that_the_provider_lost_is_asked_for_again(world: Any, eventually: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    order_id = await world.paid(user, shop)
    await user.post(f"/orders/{order_id}/cancel")
    await refunded(world, eventually)
    (charge,) = world.provider.charges.values()
    given, charge.refunded_fen, charge.refunds = charge.refunded_fen, 0, {}
    world.provider.books.changed(charge, world.clock.now())
    assert (await reconcile(world))["repairs"] == {"ask_refund_again": 1}
    await refunded(world, eventually)
    assert charge.refunded_fen == given == (await world.order_now(order_id))["total_fen"]
    assert (await reconcile(world))["repairs"] == {}


async def test_a_refund_whose_answer_was_lost_is_noted(world: Any, eventually: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    order_id = await world.paid(user, shop)
    await user.post(f"/orders/{order_id}/cancel")
    await refunded(world, eventually)
    forget = update(payments).values(refund_done=None)
    await world.app.state.ctx.db.write(lambda conn: conn.execute(forget).rowcount)
    await world.app.state.ctx.db.write(lambda conn: conn.execute(update(owed.refunds).values(done=None)).rowcount)
    assert (await reconcile(world))["repairs"] == {"note_refund": 1}
    (payment,) = await world.export("payments")
    assert payment["refund_done"] is not None


async def test_what_no_rule_can_repair_is_listed_until_the_sides_agree(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    await world.paid(user, shop)
    charge = world.provider.charges[1]
    charge.taken_fen -= 5
    world.provider.books.changed(charge, world.clock.now())
    for _ in range(2):  # once more is not listed twice
        assert (await reconcile(world))["disputes"] in (0, 1)
    told = (await world.admin.get("/admin/payments/reconcile")).json()
    assert told["disputes"] == [{"payment_id": 1, "order_id": 1, "reason": "less_was_taken", "fen": 5}]
    charge.taken_fen += 5
    world.provider.books.changed(charge, world.clock.now())
    await reconcile(world)
    assert (await world.admin.get("/admin/payments/reconcile")).json()["disputes"] == []


async def test_a_payment_that_the_provider_does_not_know_is_listed(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    await world.paid(user, shop)
    world.provider.charges.clear()
    world.provider.books._numbers.clear()
    world.provider.books._changes.clear()
    assert (await reconcile(world))["disputes"] == 1
    told = (await world.admin.get("/admin/payments/reconcile")).json()
    assert [one["reason"] for one in told["disputes"]] == ["provider_knows_nothing"]


async def test_a_statement_that_is_not_signed_is_not_believed(world: Any) -> None:
    ctx = world.app.state.ctx

    async def forged(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"charges": [], "next": 9, "more": False}, headers={"X-Signature": "0" * 64})

    with pytest.raises(Exception, match="not the provider's"):
        await Reconciler(ctx, httpx.MockTransport(forged)).once()


async def test_it_pulls_by_itself_in_pieces_and_goes_on_from_its_cursor(
    settings: Any, open_world: Any, eventually: Any, anyio_backend: str
) -> None:
    from dataclasses import replace

    from o2o_platform.kit.clock import ManualClock

    clock = ManualClock()
    async with open_world(replace(settings, reconcile_interval_s=30.0), clock) as world:
        shop, user = await world.shop(), await world.actor("consumer")
        placed = await world.place(user, shop)
        await world.pay_at_provider(placed, silent=True)
        for number in range(1000, 2100):  # more than two pages that concern nobody here
            world.provider.books.open(Charge(number, 1, "refused", 1.0, confirmed=1.0), clock.now())

        async def paid() -> Any:
            clock.advance(15.0)
            return (await world.order_now(placed.json()["order_id"]))["state"] == "paid"

        await eventually(paid)
        answer = await world.admin.post("/admin/payments/reconcile")
        assert answer.json()["pulled"] == 0
