"""S11, A3: the order path with its helpers well, ill and away; what is recorded of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from o2o_platform.helpers.recommendation import Recommender
from o2o_platform.kit.clock import ManualClock

pytestmark = pytest.mark.anyio


async def risks(world: Any) -> list[str | None]:
    """What stands in `orders.risk`, in the order of placing."""
    return [row["risk"] for row in await world.export("orders")]


async def breakers(world: Any) -> dict[str, dict[str, Any]]:
    answer = await world.admin.get("/admin/breakers")
    assert answer.status_code == 200, answer.text
    return {row["helper"]: row for row in answer.json()["breakers"]}


async def test_without_urls_nobody_is_asked_and_the_built_ins_answer(world: Any) -> None:
    user, shop = await world.actor("consumer"), await world.shop()
    assert (await world.place(user, shop)).status_code == 201
    assert await risks(world) == [None]
    page = (await world.client.get(f"/merchants/{shop.id}/page")).json()
    assert page["dishes"][0]["id"] == shop.dishes[0]
    assert page["recommendation"] == {"dishes": [], "merchants": []}
    assert page["reviews"] == {"count": 0, "mean_stars": None, "stars": [0] * 5}
    assert page["degraded"] == []
    assert await breakers(world) == {}
    assert await world.export("breakers") == []
    assert (await world.client.get("/merchants/999999/page")).status_code == 404


async def test_an_order_carries_its_verdict_and_a_repeated_one_keeps_it(helped: Any) -> None:
    user, shop = await helped.actor("consumer"), await helped.shop()
    for n in range(8):
        assert (await helped.place(user, shop, f"key-{n}")).status_code == 201
    again = await helped.place(user, shop, "key-7")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert await risks(helped) == ["allow"] * 7 + ["review"]
    assert (await breakers(helped))["risk"]["calls"] == 9


async def test_a_denied_order_is_403_and_leaves_nothing_behind(helped: Any) -> None:
    user, shop = await helped.actor("consumer"), await helped.shop(("佛跳墙", 60_000, 100))
    for _ in range(7):
        await helped.place(user, shop)
    denied = await helped.place(
        user, shop, "much", qty=2, drop={"lat": 30.02, "lng": 120.0, "address": "别处", "phone": "13812345678"}
    )
    assert (denied.status_code, denied.json()["error"]["code"]) == (403, "risk_denied")
    assert len(await helped.export("orders")) == 7
    assert [row["level"] for row in await helped.export("stock")] == [93]
    stranger = await helped.actor("consumer")
    assert (await helped.place(stranger, shop, qty=2)).status_code == 201  # it is the user, not the order


@pytest.mark.parametrize("mode", [{"errors": True}, {"silent": True}, {"latency_s": 30.0}])
async def test_orders_are_taken_without_a_verdict_while_risk_is_ill(
    settings: Any, services: Any, open_world: Any, eventually: Any, mode: dict[str, Any]
) -> None:
    clock = ManualClock()
    timeout_s = 10.0 if "errors" in mode else 0.05
    told = replace(settings, risk_url=services.risk.url, helper_timeout_s=timeout_s, breaker_failures=3)
    async with open_world(told, clock) as world:
        user, shop = await world.actor("consumer"), await world.shop()
        await services.risk.become(**mode)
        for _ in range(10):
            assert (await world.place(user, shop)).status_code == 201
        assert await risks(world) == ["unknown"] * 10
        state = (await breakers(world))["risk"]
        assert (state["state"], state["reason"]) == ("open", "failures_in_a_row")
        assert (state["calls"], state["failures"], state["rejected"], state["fallbacks"]) == (3, 3, 7, 10)

        await services.risk.become()
        world.app.state.helpers.risk._timeout_s = 10.0  # however busy the machine is: it is well now
        clock.advance(told.breaker_open_s)
        for _ in range(3):
            assert (await world.place(user, shop)).status_code == 201
        assert (await risks(world))[10:] == ["allow"] * 3

        async def recorded() -> Any:
            rows = await world.export("breakers")
            return rows if len(rows) == 3 else None

        rows = await eventually(recorded)
        start = clock.now() - told.breaker_open_s
        assert [(r["helper"], r["at"] - start, r["from_state"], r["to_state"], r["reason"]) for r in rows] == [
            ("risk", 0.0, "closed", "open", "failures_in_a_row"),
            ("risk", told.breaker_open_s, "open", "half_open", "open_time_over"),
            ("risk", told.breaker_open_s, "half_open", "closed", "trials_passed"),
        ]
        assert len({r["process"] for r in rows}) == 1
        metrics = (await world.app.state.ctx.meters.exposition()).decode()
        assert 'o2o_breaker_state{helper="risk"} 0.0' in metrics
        assert 'o2o_helper_rejected_total{helper="risk"} 7.0' in metrics


async def test_a_page_comes_with_what_is_to_be_had(helped: Any, services: Any, eventually: Any) -> None:
    """The feeds tell the services of orders and reviews; a part that is ill is null, and named."""
    user, shop = await helped.actor("consumer"), await helped.shop(("面", 2000, 100), ("汤", 1500, 100))
    other = await helped.shop()
    first, second = shop.dishes
    for items in ([first, second], [second], [second]):
        placed = await helped.place(user, shop, items=[{"dish_id": dish, "qty": 1} for dish in items])
        assert placed.status_code == 201
    await helped.place(user, other)

    async def page() -> Any:
        answer = await helped.client.get(f"/merchants/{shop.id}/page")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def recommended() -> Any:
        helped.clock.advance(1.0)
        shown = await page()
        return shown if shown["recommendation"]["merchants"] else None

    shown = await eventually(recommended)
    assert shown["recommendation"] == {"dishes": [second, first], "merchants": [other.id]}
    assert shown["reviews"]["count"] == 0
    assert shown["degraded"] == []

    await services.recommendation.become(errors=True)
    for _ in range(4):
        shown = await page()
        assert (shown["recommendation"], shown["degraded"]) == (None, ["recommendation"])
    assert {dish["id"] for dish in shown["dishes"]} == {first, second}
    assert (await breakers(helped))["recommendation"]["state"] == "open"
    await services.reviews.become(errors=True)
    assert (await page())["degraded"] == ["recommendation", "reviews"]


async def test_a_helper_that_forgot_everything_is_told_again(
    settings: Any, services: Any, open_world: Any, eventually: Any
) -> None:
    """As one without a file that was killed and started anew."""
    told = replace(settings, recommendation_url=services.recommendation.url, helper_timeout_s=10.0)
    async with open_world(told, ManualClock()) as world:
        user, shop = await world.actor("consumer"), await world.shop()
        await world.place(user, shop)

        async def known() -> Any:
            world.clock.advance(1.0)
            page = (await world.client.get(f"/merchants/{shop.id}/page")).json()
            return page["recommendation"] == {"dishes": shop.dishes, "merchants": []}

        await eventually(known)
        services.recommendation.service.knowledge = Recommender()
        await eventually(known)


async def test_the_breakers_are_shown_to_those_who_may_export(helped: Any) -> None:
    assert sorted(await breakers(helped)) == ["recommendation", "reviews", "risk"]
    assert all(row["state"] == "closed" for row in (await breakers(helped)).values())
    user = await helped.actor("consumer")
    assert (await user.get("/admin/breakers")).status_code == 403
