"""Riders and orders find each other, or patience ends (A13 step 4)."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_platform.kit.outbox import START

pytestmark = pytest.mark.anyio


async def online(world: Any, lat: float = 30.0, **fields: Any) -> Any:
    rider = await world.actor("rider")
    answer = await rider.post("/riders/me/online", {"lat": lat, "lng": 120.0, "speed_kmh": 20, **fields})
    assert answer.status_code == 200
    return rider, answer.json()["order_id"]


async def accepted(world: Any, shop: Any, user: Any) -> tuple[int, int | None]:
    order_id = await world.paid(user, shop)
    answer = await shop.owner.post(f"/orders/{order_id}/accept")
    assert answer.status_code == 200, answer.text
    return order_id, answer.json()["rider_id"]


async def finish(shop: Any, rider: Any, order_id: int, **where: float) -> None:
    for who, step, body in ((shop.owner, "ready", None), (rider, "picked_up", None), (rider, "delivered", where)):
        answer = await who.post(f"/orders/{order_id}/{step}", body)
        assert answer.status_code == 200, answer.text


async def test_the_nearest_free_rider_takes_it_and_each_takes_one(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    far, _ = await online(world, 30.03)
    near, _ = await online(world, 30.01)
    await online(world, 31.0)  # 111 km away: out of radius
    assert (await accepted(world, shop, user))[1] == near.id
    assert (await accepted(world, shop, user))[1] == far.id
    assert (await accepted(world, shop, user))[1] is None


async def test_a_rider_who_becomes_free_takes_the_order_that_waits_longest(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    rider, _ = await online(world)
    first, _ = await accepted(world, shop, user)
    second, nobody = await accepted(world, shop, user)
    world.clock.advance(1.0)
    third, _ = await accepted(world, shop, user)
    assert nobody is None
    await finish(shop, rider, first, lat=30.01, lng=120.0)
    assert (await world.order_now(second))["rider_id"] == rider.id
    assert (await world.order_now(third))["rider_id"] is None
    late, order_id = await online(world)
    assert order_id == third
    await finish(shop, late, third, lat=30.0, lng=120.0)
    rows = {row["rider_id"]: row for row in await world.export("riders")}
    assert (rows[rider.id]["orders"], rows[late.id]["orders"]) == (1, 1)


async def test_a_rider_is_where_the_last_delivery_was(world: Any) -> None:
    """The next choice counts from there: the shop is 6 km radius, the drop was 11 km away."""
    shop, user = await world.shop(), await world.actor("consumer")
    rider, _ = await online(world)
    first, _ = await accepted(world, shop, user)
    await finish(shop, rider, first, lat=30.1, lng=120.0)
    assert (await accepted(world, shop, user))[1] is None


async def test_patience_ends_with_a_refund(world: Any, eventually: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    order_id, _ = await accepted(world, shop, user)
    world.clock.advance(1799.0)
    assert (await world.order_now(order_id))["state"] == "cooking"
    world.clock.advance(1.0)

    async def cancelled() -> Any:
        world.clock.advance(0.5)  # the watch looks twice a second
        order = await world.order_now(order_id)
        return order["state"] == "cancelled" and order

    order = await eventually(cancelled)
    assert (order["reason"], order["refunded_fen"]) == ("no_rider", 2300)
    _, found = await online(world)
    assert found is None  # what is cancelled waits no more


async def test_off_line_riders_get_nothing_but_finish_what_they_have(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    rider, _ = await online(world)
    order_id, _ = await accepted(world, shop, user)
    assert (await rider.post("/riders/me/offline")).json()["order_id"] == order_id
    waiting, nobody = await accepted(world, shop, user)
    assert nobody is None
    await finish(shop, rider, order_id)
    assert (await world.order_now(waiting))["rider_id"] is None
    back = await rider.post("/riders/me/online", {"lat": 30.0, "lng": 120.0})
    assert back.json()["order_id"] == waiting


async def test_a_cancelled_order_frees_its_rider_for_the_next(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    rider, _ = await online(world)
    first, _ = await accepted(world, shop, user)
    second, _ = await accepted(world, shop, user)
    assert (await user.post(f"/orders/{first}/cancel")).status_code == 200
    assert (await world.order_now(second))["rider_id"] == rider.id
    (refused,) = [await rider.post(f"/orders/{first}/picked_up")]
    assert refused.status_code == 409
    names = [event.name for event in await world.app.state.ctx.db.events_after(START, 100, ("riders",))]
    assert names == ["assigned", "withdrawn", "assigned"]
