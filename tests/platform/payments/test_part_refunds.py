"""A part of the money back while the order stands, and merchants paid out (A9)."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


async def give_back(who: Any, order_id: int, fen: int, key: str = "k", **more: Any) -> Any:
    body = {"amount_fen": fen, "reason": "missing dish", **more}
    return await who.post(f"/orders/{order_id}/refunds", body, headers={"Idempotency-Key": key})


async def balances(world: Any, prefix: str = "") -> dict[str, int]:
    sums: dict[str, int] = {}
    for row in await world.export("ledger"):
        sums[row["account"]] = sums.get(row["account"], 0) + row["amount_fen"]
    return {account: fen for account, fen in sums.items() if fen and account.startswith(prefix)}


async def deliver(world: Any, shop: Any, order_id: int) -> None:
    rider = await world.actor("rider")
    await rider.post("/riders/me/online", {"lat": 30.0, "lng": 120.0, "speed_kmh": 20})
    for who, verb in ((shop.owner, "accept"), (shop.owner, "ready"), (rider, "picked_up"), (rider, "delivered")):
        answer = await who.post(f"/orders/{order_id}/{verb}")
        assert answer.status_code == 200, answer.text
    await rider.post("/riders/me/offline")


async def test_a_part_goes_back_and_the_order_goes_on(world: Any, eventually: Any) -> None:
    """A9: merchant and commission bear it pro rata (share 0.1), and the provider gives it back."""
    shop, user = await world.shop(("面", 2000, 9)), await world.actor("consumer")
    order_id = await world.paid(user, shop, qty=2)  # 4000 and 300 for the way
    answer = await give_back(shop.owner, order_id, 1000, items=[{"dish_id": shop.dishes[0], "qty": 1}])
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert (told["state"], told["fen"], told["paid_fen"], told["refunded_fen"]) == ("paid", 1000, 4300, 1000)
    assert await balances(world) == {
        "provider_clearing": 3300,
        f"merchant_payable:{shop.id}": -2700,
        "platform_commission": -300,
        "delivery_revenue": -300,
    }

    async def given() -> Any:
        (payment,) = await world.export("payments")
        return payment["refund_done"] and payment

    payment = await eventually(given)
    assert (payment["state"], payment["refund_fen"]) == ("part_refunded", 1000)
    (charge,) = world.provider.charges.values()
    assert charge.refunded_fen == 1000
    await deliver(world, shop, order_id)
    assert (await balances(world, "merchant"))[f"merchant_settled:{shop.id}"] == -2700
    last = await give_back(world.admin, order_id, 3300, "rest")
    assert last.json()["refunded_fen"] == 4300
    assert await balances(world) == {}
    (payment,) = await world.export("payments")
    assert payment["state"] == "refunded"
    assert (await world.order_now(order_id))["state"] == "delivered"


async def test_a_key_stands_for_one_refund(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    order_id = await world.paid(user, shop)
    first = await give_back(shop.owner, order_id, 500)
    again = await give_back(shop.owner, order_id, 500)
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json()["refund_id"] == first.json()["refund_id"]
    other = await give_back(shop.owner, order_id, 501)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert [row["fen"] for row in await world.export("refunds")] == [500]
    assert (await give_back(shop.owner, order_id, 500, "k2")).json()["refunded_fen"] == 1000


async def test_never_more_than_was_paid_and_only_by_whom_it_concerns(world: Any) -> None:
    shop, other, user = await world.shop(), await world.shop(), await world.actor("consumer")
    order_id = await world.paid(user, shop)
    total = (await world.order_now(order_id))["total_fen"]
    too_much = await give_back(shop.owner, order_id, total + 1)
    assert (too_much.status_code, too_much.json()["error"]["code"]) == (409, "more_than_paid")
    assert (await give_back(other.owner, order_id, 1)).status_code == 403
    assert (await give_back(user, order_id, 1)).status_code == 403
    assert (await give_back(shop.owner, order_id, 0)).status_code == 422
    wrong = await give_back(shop.owner, order_id, 1, items=[{"dish_id": shop.dishes[0], "qty": 2}])
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (422, "not_ordered")
    unpaid = (await world.place(user, shop)).json()["order_id"]
    assert (await give_back(shop.owner, unpaid, 1)).json()["error"]["code"] == "not_refundable"
    assert (await give_back(shop.owner, 999, 1)).status_code == 404
    assert await world.export("refunds") == []


async def test_what_is_left_goes_back_when_the_order_is_cancelled_later(world: Any, eventually: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    order_id = await world.paid(user, shop)
    await give_back(shop.owner, order_id, 700)
    answer = await user.post(f"/orders/{order_id}/cancel")
    assert answer.status_code == 200, answer.text
    order = await world.order_now(order_id)
    assert (order["state"], order["refunded_fen"]) == ("cancelled", order["paid_fen"])
    assert await balances(world) == {}
    (charge,) = world.provider.charges.values()

    async def given() -> Any:
        return charge.refunded_fen == charge.taken_fen

    await eventually(given)
    whole = await world.paid(user, shop)
    await give_back(shop.owner, whole, (await world.order_now(whole))["total_fen"], "all")
    assert (await user.post(f"/orders/{whole}/cancel")).status_code == 200  # nothing is left to give
    assert await balances(world) == {}


async def test_merchants_are_paid_what_is_settled_once(world: Any) -> None:
    """A9: payout = order total - commission - refunds (no coupon, and the way is the platform's)."""
    shop, idle, user = await world.shop(("面", 2000, 9)), await world.shop(), await world.actor("consumer")
    one, two = await world.paid(user, shop), await world.paid(user, shop, qty=2)
    await deliver(world, shop, one)
    await world.paid(user, idle)  # paid and not delivered: nothing is due for it
    made = (await world.admin.post("/admin/payouts")).json()
    assert made["payouts"] == [{"payout_id": 1, "merchant_id": shop.id, "amount_fen": 1800}]
    assert made["total_fen"] == 1800
    assert (await world.admin.post("/admin/payouts")).json()["payouts"] == []
    await give_back(shop.owner, one, 500)  # after the payout: the merchant owes its part
    assert (await balances(world))[f"merchant_settled:{shop.id}"] == 450
    assert (await world.admin.post("/admin/payouts")).json()["payouts"] == []
    await deliver(world, shop, two)
    assert (await world.admin.post("/admin/payouts", {"merchant_ids": [idle.id]})).json()["payouts"] == []
    made = (await world.admin.post("/admin/payouts", {"merchant_ids": [shop.id]})).json()
    assert made["total_fen"] == 3600 - 450
    assert f"merchant_settled:{shop.id}" not in await balances(world)
    assert [row["amount_fen"] for row in await world.export("payouts")] == [1800, 3150]
    operator = await world.actor("operator")
    assert (await operator.post("/admin/payouts")).status_code == 403


async def test_an_order_paid_from_the_wallet_is_given_back_into_it(world: Any) -> None:
    """The provider is not asked: it never saw the money."""
    shop, user = await world.shop(), await world.actor("consumer")
    filled = await world.admin.post("/admin/wallets:bulk", [{"user_id": user.id, "amount_fen": 5000, "key": "a"}])
    assert filled.status_code in (200, 201), filled.text
    placed = await world.place(user, shop, pay_with="balance")
    order_id, total = placed.json()["order_id"], placed.json()["total_fen"]
    assert (await give_back(shop.owner, order_id, 700)).status_code == 201
    (refund,) = await world.export("refunds")
    assert (refund["fen"], refund["done"]) == (700, world.clock.now())
    (wallet,) = await world.export("wallets")
    assert (wallet["balance_fen"], wallet["held_fen"]) == (5000 - total + 700, 0)
    await user.post(f"/orders/{order_id}/cancel")
    (wallet,) = await world.export("wallets")
    assert wallet["balance_fen"] == 5000
    assert (await balances(world))["user_balances"] == -5000
    (payment,) = await world.export("payments")
    assert (payment["state"], payment["refund_fen"]) == ("refunded", total)
    assert payment["refund_done"] is not None
    assert not world.provider.charges
    world.clock.advance(60.0)
    told = (await world.admin.post("/admin/payments/reconcile")).json()
    assert (told["repairs"], told["disputes"]) == ({}, 0)  # nobody looks for it on the statement
