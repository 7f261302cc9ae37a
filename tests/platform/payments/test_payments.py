"""Money in: links, callbacks that come twice, late, wrong or never, and the deadline (G4)."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from o2o_platform.payments.signing import HEADER, holds, pay_url, sign

pytestmark = pytest.mark.anyio


async def callback(world: Any, body: dict[str, Any], secret: str | None = None) -> Any:
    raw = msgspec.json.encode(body)
    signature = sign(secret or world.app.state.ctx.settings.provider_secret, raw)
    return await world.client.post("/payments/callback", content=raw, headers={HEADER: signature})


def told(placed: Any, **fields: Any) -> dict[str, Any]:
    body = placed.json()
    payment_id = body["payment"]["payment_id"]
    return {"payment_id": payment_id, "outcome": "ok", "amount_fen": body["total_fen"], "confirmed": 1.0, **fields}


async def test_a_callback_told_many_times_is_applied_once(world: Any) -> None:
    """G4: duplicate mode; W9: at least once delivered, once effected."""
    shop, user = await world.shop(), await world.actor("consumer")
    placed = await world.place(user, shop)
    answers = await asyncio.gather(*(callback(world, told(placed)) for _ in range(20)))
    results = sorted(answer.json()["result"] for answer in answers)
    assert results == ["ignored"] * 19 + ["paid"]
    assert len(await world.export("tickets")) == 1
    assert sum(row["account"] == "provider_clearing" for row in await world.export("ledger")) == 1


async def test_the_sandbox_repeats_itself_on_request(world: Any) -> None:
    """G4: duplicates=2 gives three callbacks, all answered, one effect."""
    shop, user = await world.shop(), await world.actor("consumer")
    placed = await world.place(user, shop)
    await world.pay_at_provider(placed, duplicates=2)
    (charge,) = world.provider.charges.values()
    assert charge.callbacks == 3
    assert len(await world.export("tickets")) == 1


async def test_an_unsigned_or_wrongly_signed_callback_is_403(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    placed = await world.place(user, shop)
    assert (await callback(world, told(placed), secret="guess")).status_code == 403
    raw = msgspec.json.encode(told(placed))
    assert (await world.client.post("/payments/callback", content=raw)).status_code == 403
    assert (await world.order_now(placed.json()["order_id"]))["state"] == "pending_payment"


async def test_another_amount_pays_for_nothing(world: Any) -> None:
    """G4: amount wrong: the order ends, the payment is disputed until the statement says what was taken."""
    shop, user = await world.shop(("面", 1000, 1)), await world.actor("consumer")
    placed = await world.place(user, shop)
    answer = await callback(world, told(placed, amount_fen=1))
    assert (answer.status_code, answer.json()["result"]) == (200, "disputed")
    order = await world.order_now(placed.json()["order_id"])
    assert (order["state"], order["reason"], order["paid_fen"]) == ("payment_failed", "amount_mismatch", 0)
    (payment,) = await world.export("payments")
    assert (payment["state"], payment["taken_fen"], payment["disputed"]) == ("disputed", 0, world.clock.now())
    assert await world.export("ledger") == []
    assert (await callback(world, told(placed, amount_fen=1))).json()["result"] == "ignored"
    assert (await callback(world, told(placed))).json()["result"] == "paid_late"  # the right amount after all
    assert (await world.place(user, shop)).status_code == 201  # the piece can be sold again
    assert (await callback(world, told(placed, payment_id=999))).status_code == 404
    assert (await callback(world, {"payment_id": "x"})).status_code == 422


async def test_a_refused_payment_ends_the_order_and_gives_back(world: Any) -> None:
    """G4: error mode."""
    shop, user = await world.shop(("面", 1000, 1)), await world.actor("consumer")
    placed = await world.place(user, shop)
    await world.pay_at_provider(placed, outcome="refused")
    order = await world.order_now(placed.json()["order_id"])
    assert (order["state"], order["reason"], order["paid_fen"]) == ("payment_failed", "payment_refused", 0)
    assert order["closed"] is not None
    assert await world.export("tickets") == []
    assert await world.export("ledger") == []
    assert (await world.place(user, shop)).status_code == 201  # the piece can be sold again


async def test_unpaid_orders_are_closed_at_their_deadline_and_late_money_goes_back(world: Any, eventually: Any) -> None:
    """G4: silence mode, then the money after all (G11)."""
    coupon = {"code": "ALL", "threshold_fen": 0, "off_fen": 100, "budget_fen": 100, "per_user": 1}
    await world.admin.post("/admin/coupons", [coupon])
    shop, user = await world.shop(("面", 1000, 1)), await world.actor("consumer")
    placed = await world.place(user, shop, coupon_code="ALL")
    assert (await world.pay_at_provider(placed, silent=True)).status_code == 202
    world.clock.advance(899.0)
    assert (await world.order_now(placed.json()["order_id"]))["state"] == "pending_payment"
    world.clock.advance(1.0)

    async def closed() -> Any:
        world.clock.advance(0.5)  # the watch looks twice a second
        order = await world.order_now(placed.json()["order_id"])
        return order["state"] == "closed" and order

    order = await eventually(closed)
    assert (order["reason"], order["paid_fen"]) == ("unpaid", 0)
    (coupons,) = await world.export("coupons")
    assert coupons["committed_fen"] == 0
    (stock,) = await world.export("stock")
    assert stock["level"] == 1
    assert (await callback(world, told(placed))).json()["result"] == "paid_late"

    async def refunded() -> Any:
        (payment,) = await world.export("payments")
        return payment["refund_done"] and payment

    payment = await eventually(refunded)
    assert payment["state"] == "refunded"
    (charge,) = world.provider.charges.values()
    assert charge.refunded_fen == placed.json()["total_fen"]
    balances: dict[str, int] = {}
    for row in await world.export("ledger"):
        balances[row["account"]] = balances.get(row["account"], 0) + row["amount_fen"]
    assert set(balances.values()) == {0}
    order = await world.order_now(placed.json()["order_id"])
    assert (order["state"], order["paid_fen"], order["refunded_fen"]) == ("closed", 1200, 1200)
    assert await world.export("tickets") == []


async def test_giving_up_before_paying_costs_nothing(world: Any) -> None:
    shop, user = await world.shop(("面", 1000, 1)), await world.actor("consumer")
    placed = await world.place(user, shop)
    answer = await user.post(f"/orders/{placed.json()['order_id']}/cancel")
    assert answer.json()["state"] == "closed"
    (payment,) = await world.export("payments")
    assert (payment["state"], payment["refund_wanted"]) == ("expired", None)
    (stock,) = await world.export("stock")
    assert stock["level"] == 1


async def test_the_provider_takes_its_time_and_believes_signed_links_only(world: Any, eventually: Any) -> None:
    """G4: latency mode on the provider's clock; the statement is its side of the books."""
    shop, user = await world.shop(), await world.actor("consumer")
    placed = await world.place(user, shop)
    url = placed.json()["payment"]["pay_url"]
    assert (await world.pay_client.post(url.replace("amount_fen=2300", "amount_fen=1"))).status_code == 403
    assert (await world.pay_client.post(url, json={"surprise": 1})).status_code == 422
    assert (await world.pay_client.post(url, json={"confirm_s": 3, "callback_s": 4})).status_code == 202
    assert (await world.pay_client.post(url, json={"outcome": "refused"})).status_code == 202  # asked twice is once
    asked = world.clock.now()

    async def asleep() -> Any:
        return asked + 3.0 in world.clock.alarms

    await eventually(asleep)
    (charge,) = world.provider.charges.values()
    world.clock.advance(3.0)

    async def confirmed() -> Any:
        return charge.confirmed

    assert await eventually(confirmed) == asked + 3.0
    assert (await world.order_now(placed.json()["order_id"]))["state"] == "pending_payment"
    assert asked + 7.0 in world.clock.alarms
    world.clock.advance(4.0)

    async def paid() -> Any:
        return (await world.order_now(placed.json()["order_id"]))["state"] == "paid"

    await eventually(paid)
    (payment,) = await world.export("payments")
    assert (payment["requested"], payment["confirmed"], payment["callback"]) == (asked, asked + 3.0, asked + 7.0)
    statement = (await world.pay_client.get("http://provider/statement")).json()["charges"]
    assert [(row["payment_id"], row["charged_fen"], row["refunded_fen"]) for row in statement] == [(1, 2300, 0)]


def test_signatures() -> None:
    assert holds("s", b"m", sign("s", b"m"))
    assert not holds("s", b"m", sign("t", b"m"))
    assert not holds("s", b"m", "")
    assert pay_url("http://p/", "s", 7, 100).startswith("http://p/pay/7?amount_fen=100&sig=")
