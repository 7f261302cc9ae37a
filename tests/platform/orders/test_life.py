"""The whole life of a takeout order over HTTP, and every illegal step (A13)."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


async def test_from_order_to_delivery(world: Any) -> None:
    """A13: user orders, merchant is notified, cooks, runner delivers, user eats."""
    shop, user, rider = await world.shop(), await world.actor("consumer"), await world.actor("rider")
    online = await rider.post("/riders/me/online", {"lat": 30.0, "lng": 120.0, "speed_kmh": 20})
    assert online.json()["order_id"] is None
    placed = await world.place(user, shop, "lunch", qty=2, note="少辣")
    assert placed.status_code == 201
    body = placed.json()
    assert body["state"] == "pending_payment"
    # 1.1 km: no kilometre beyond the free two, so the base fee
    assert (body["items_fen"], body["delivery_fee_fen"], body["total_fen"]) == (4000, 300, 4300)
    await world.pay_at_provider(placed)
    order_id = body["order_id"]
    assert (await user.get(f"/orders/{order_id}")).json()["state"] == "paid"
    accepted = await shop.owner.post(f"/orders/{order_id}/accept")
    assert accepted.json() == {"order_id": order_id, "state": "cooking", "rider_id": rider.id}
    world.clock.advance(300)
    assert (await shop.owner.post(f"/orders/{order_id}/ready")).json()["state"] == "ready"
    assert (await rider.post(f"/orders/{order_id}/picked_up", {"lat": 30.0, "lng": 120.0})).status_code == 200
    world.clock.advance(600)
    end = await rider.post(f"/orders/{order_id}/delivered", {"lat": 30.01, "lng": 120.0})
    assert end.json()["state"] == "delivered"
    order = (await user.get(f"/orders/{order_id}")).json()
    assert order["ready"] - order["cooking"] == 300
    assert order["delivered"] - order["picked_up"] == 600
    assert order["closed"] == order["delivered"]
    assert order["paid_fen"] == 4300
    assert order["refunded_fen"] == 0


async def test_ledger_of_a_delivered_order_sums_to_zero_and_pays_the_merchant(world: Any) -> None:
    """A9: double entry; items 40.00, commission 10 %."""
    order_id, shop = await delivered(world, qty=2)
    entries = [row for row in await world.export("ledger") if row["order_id"] == order_id]
    by_txn: dict[int, int] = {}
    by_account: dict[str, int] = {}
    for row in entries:
        by_txn[row["txn_id"]] = by_txn.get(row["txn_id"], 0) + row["amount_fen"]
        by_account[row["account"]] = by_account.get(row["account"], 0) + row["amount_fen"]
    assert set(by_txn.values()) == {0}
    assert by_account == {
        "provider_clearing": 4300,
        f"merchant_payable:{shop.id}": 0,
        f"merchant_settled:{shop.id}": -3600,
        "platform_commission": -400,
        "delivery_revenue": -300,
    }


async def delivered(world: Any, qty: int = 1) -> tuple[int, Any]:
    shop, user, rider = await world.shop(), await world.actor("consumer"), await world.actor("rider")
    await rider.post("/riders/me/online", {"lat": 30.0, "lng": 120.0, "speed_kmh": 20})
    order_id = await world.paid(user, shop, qty=qty)
    for who, step in ((shop.owner, "accept"), (shop.owner, "ready"), (rider, "picked_up"), (rider, "delivered")):
        answer = await who.post(f"/orders/{order_id}/{step}")
        assert answer.status_code == 200, answer.text
    return order_id, shop


STEPS = ("accept", "reject", "ready", "picked_up", "delivered", "cancel")
LEGAL = {
    "pending_payment": {"cancel"},
    "paid": {"accept", "reject", "cancel"},
    "cooking": {"ready", "cancel"},
    "ready": {"picked_up", "cancel"},
    "picked_up": {"delivered"},
    "delivered": set(),
}


@pytest.mark.parametrize("state", LEGAL)
async def test_illegal_steps_are_409_and_change_nothing(world: Any, state: str) -> None:
    """A13: illegal transitions return 409."""
    shop, user, rider = await world.shop(), await world.actor("consumer"), await world.actor("rider")
    await rider.post("/riders/me/online", {"lat": 30.0, "lng": 120.0})
    placed = await world.place(user, shop)
    order_id = placed.json()["order_id"]
    who = {"accept": shop.owner, "reject": shop.owner, "ready": shop.owner, "picked_up": rider, "delivered": rider}
    if state != "pending_payment":
        await world.pay_at_provider(placed)
        for step in ("accept", "ready", "picked_up", "delivered")[: list(LEGAL).index(state) - 1]:
            assert (await who[step].post(f"/orders/{order_id}/{step}")).status_code == 200
    before = await world.order_now(order_id)
    assert before["state"] == state
    for step in STEPS:
        if step in LEGAL[state]:
            continue
        answer = await who.get(step, user).post(f"/orders/{order_id}/{step}")
        # before a rider is assigned the order is nobody's to pick up, which is 403
        expected = 403 if step in ("picked_up", "delivered") and before["rider_id"] is None else 409
        assert answer.status_code == expected, (step, answer.text)
        if expected == 409:
            assert answer.json()["error"]["code"] == "illegal_transition"
    assert await world.order_now(order_id) == before


async def test_only_those_concerned_may_act_and_look(world: Any) -> None:
    """A7, A13: another shop, rider or user gets 403, nobody at all 401, an unknown order 404."""
    shop, user, rider = await world.shop(), await world.actor("consumer"), await world.actor("rider")
    other_shop, other_user, other_rider = await world.shop(), await world.actor("consumer"), await world.actor("rider")
    await rider.post("/riders/me/online", {"lat": 30.0, "lng": 120.0})
    order_id = await world.paid(user, shop)
    assert (await other_shop.owner.post(f"/orders/{order_id}/accept")).status_code == 403
    assert (await user.post(f"/orders/{order_id}/accept")).status_code == 403
    await shop.owner.post(f"/orders/{order_id}/accept")
    await shop.owner.post(f"/orders/{order_id}/ready")
    assert (await other_rider.post(f"/orders/{order_id}/picked_up")).status_code == 403
    assert (await other_user.get(f"/orders/{order_id}")).status_code == 403
    assert (await other_user.post(f"/orders/{order_id}/cancel")).status_code == 403
    assert (await world.client.get(f"/orders/{order_id}")).status_code == 401
    assert (await user.get("/orders/999")).status_code == 404
    for who in (user, shop.owner, rider, world.admin):
        assert (await who.get(f"/orders/{order_id}")).json()["state"] == "ready"
    listed = await shop.owner.get(f"/merchants/{shop.id}/orders")
    assert [order["order_id"] for order in listed.json()["orders"]] == [order_id]
    assert (await other_shop.owner.get(f"/merchants/{shop.id}/orders")).status_code == 403


@pytest.mark.parametrize("how", ["reject", "cancel", "operator"])
async def test_a_bad_end_gives_back_money_stock_and_coupon(world: Any, how: str, eventually: Any) -> None:
    """A13, A9: after a refund every account, level and budget is what it was."""
    shop, user = await world.shop(("面", 3000, 5)), await world.actor("consumer")
    coupon = {
        "code": "LUNCH5",
        "threshold_fen": 2000,
        "off_fen": 500,
        "budget_fen": 1000,
        "per_user": 1,
        "segments": [],
    }
    assert (await world.admin.post("/admin/coupons", [coupon])).status_code == 201
    placed = await world.place(user, shop, coupon_code="LUNCH5")
    assert placed.json()["discount_fen"] == 500
    await world.pay_at_provider(placed)
    order_id = placed.json()["order_id"]
    if how == "reject":
        answer = await shop.owner.post(f"/orders/{order_id}/reject", {"reason": "no_gas"})
    elif how == "cancel":
        answer = await user.post(f"/orders/{order_id}/cancel")
    else:
        await shop.owner.post(f"/orders/{order_id}/accept")
        answer = await world.admin.post(f"/orders/{order_id}/cancel", {"reason": "flood"})
    assert answer.status_code == 200, answer.text
    order = await world.order_now(order_id)
    assert order["state"] == ("rejected" if how == "reject" else "cancelled")
    assert order["reason"] == {"reject": "no_gas", "cancel": "cancelled", "operator": "flood"}[how]
    assert order["refunded_fen"] == order["paid_fen"] == 2800
    (stock,) = [row for row in await world.export("stock") if row["dish_id"] == shop.dishes[0]]
    assert (stock["reserved"], stock["returned"], stock["level"], stock["min_level"]) == (1, 1, 5, 4)
    (row,) = await world.export("coupons")
    assert (row["committed_fen"], row["returned"]) == (0, 1)
    balances: dict[str, int] = {}
    for entry in await world.export("ledger"):
        balances[entry["account"]] = balances.get(entry["account"], 0) + entry["amount_fen"]
    assert set(balances.values()) == {0}

    async def refunded() -> bool:
        (payment,) = await world.export("payments")
        return payment["refund_done"] is not None

    await eventually(refunded)
    charge = world.provider.charges[placed.json()["payment"]["payment_id"]]
    assert charge.refunded_fen == 2800
    (payment,) = await world.export("payments")
    assert payment["state"] == "refunded"


@pytest.mark.parametrize("order_id", [2**63, 2**80, "x", "-1"])
async def test_strange_ids_are_refused_politely(world: Any, order_id: Any) -> None:
    for method, path in (("GET", f"/orders/{order_id}"), ("POST", f"/orders/{order_id}/accept")):
        answer = await world.admin.call(method, path)
        assert answer.status_code in (404, 422), answer.text
        assert set(answer.json()["error"]) == {"code", "detail"}
    assert (await world.client.get(f"/merchants/{order_id}/menu")).status_code in (404, 422)
