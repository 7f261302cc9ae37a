"""G1: a review of a delivered order, by its user, once."""

from __future__ import annotations

from typing import Any

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(shared_world: Any) -> Any:
    return shared_world


async def delivered(world: Any, user: Any, shop: Any) -> int:
    """An order that has gone its whole way (A13)."""
    rider = await world.actor("rider")
    await rider.post("/riders/me/online", {"lat": 30.0, "lng": 120.0, "speed_kmh": 20})
    order_id = int(await world.paid(user, shop))
    for actor, step in [(shop.owner, "accept"), (shop.owner, "ready"), (rider, "picked_up"), (rider, "delivered")]:
        answer = await actor.post(f"/orders/{order_id}/{step}")
        assert answer.status_code == 200, (step, answer.text)
    assert (await rider.post("/riders/me/offline")).status_code == 200
    return order_id


async def test_the_user_reviews_a_delivered_order_once(world: Any) -> None:
    user, shop = await world.actor("consumer"), await world.shop()
    order_id = await delivered(world, user, shop)
    made = await user.post(f"/orders/{order_id}/review", {"stars": 4, "text": "面很劲道"})
    assert made.status_code == 201
    assert (await world.order_now(order_id))["stars"] == 4
    again = await user.post(f"/orders/{order_id}/review", {"stars": 1})
    assert (again.status_code, again.json()["error"]["code"]) == (409, "already_reviewed")
    assert (await world.order_now(order_id))["stars"] == 4
    shown = (await world.client.get(f"/merchants/{shop.id}/reviews")).json()
    assert (shown["count"], shown["mean_stars"], shown["reviews"][0]["text"]) == (1, 4.0, "面很劲道")


async def test_nobody_else_reviews_it(world: Any) -> None:
    user, shop = await world.actor("consumer"), await world.shop()
    order_id = await delivered(world, user, shop)
    stranger = await world.actor("consumer")
    assert (await stranger.post(f"/orders/{order_id}/review", {"stars": 5})).status_code == 403
    assert (await shop.owner.post(f"/orders/{order_id}/review", {"stars": 5})).status_code == 403


async def test_an_order_on_its_way_is_not_reviewed(world: Any) -> None:
    user, shop = await world.actor("consumer"), await world.shop()
    order_id = await world.paid(user, shop)
    refused = await user.post(f"/orders/{order_id}/review", {"stars": 5})
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_finished")
    assert (await user.post("/orders/999999/review", {"stars": 5})).status_code == 404


async def test_senseless_stars_are_422(world: Any) -> None:
    user, shop = await world.actor("consumer"), await world.shop()
    order_id = await world.paid(user, shop)
    for stars in (0, 6, -1, "five", None):
        assert (await user.post(f"/orders/{order_id}/review", {"stars": stars})).status_code == 422, stars
