"""Coupons over HTTP: budget and per-user limits under concurrency, reasons, redemption on an order, give-back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlalchemy import select

from o2o_platform.coupons.repository import give_back
from o2o_platform.coupons.tables import coupon_claims

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(shared_world: Any) -> Any:
    return shared_world


LUNCH = {"threshold_fen": 2500, "off_fen": 600, "budget_fen": 6000, "per_user": 1, "segments": []}


async def make(world: Any, **fields: Any) -> str:
    """A new coupon; its code."""
    code = f"LUNCH_{next(world.numbers)}"
    made = await world.admin.post("/admin/coupons", [{**LUNCH, "code": code, **fields}])
    assert made.status_code == 201, made.text
    return code


async def books(world: Any, code: str) -> dict[str, Any]:
    return next(row for row in await world.export("coupons") if row["code"] == code)


async def test_claims_stop_at_the_budget_under_concurrency(world: Any) -> None:
    code = await make(world)
    users = [await world.actor("consumer") for _ in range(40)]
    answers = await asyncio.gather(*(user.post(f"/coupons/{code}/claim") for user in users))
    assert sorted(answer.status_code for answer in answers) == [201] * 10 + [409] * 30
    assert {a.json()["error"]["code"] for a in answers if a.status_code == 409} == {"budget_exhausted"}
    row = await books(world, code)
    assert (row["committed_fen"], row["claimed"], row["redeemed"], row["returned"]) == (6000, 10, 0, 0)


async def test_a_user_claims_up_to_the_limit_under_concurrency(world: Any) -> None:
    code = await make(world, per_user=2)
    user = await world.actor("consumer")
    answers = await asyncio.gather(*(user.post(f"/coupons/{code}/claim") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] * 2 + [409] * 4
    assert {a.json()["error"]["code"] for a in answers if a.status_code == 409} == {"per_user_limit"}
    mine = (await user.get("/coupons/mine")).json()["coupons"]
    assert [one["state"] for one in mine] == ["claimed", "claimed"]


async def test_eligibility_names_every_reason(world: Any) -> None:
    code = await make(world, segments=["family"])
    single = await world.actor("consumer", segment="work_meal")
    family = await world.actor("consumer", segment="family")
    no = (await single.get(f"/coupons/{code}/eligibility", items_fen=2499)).json()
    assert (no["eligible"], no["reasons"], no["discount_fen"]) == (False, ["below_threshold", "segment"], 0)
    yes = (await family.get(f"/coupons/{code}/eligibility", items_fen=2500)).json()
    assert (yes["eligible"], yes["reasons"], yes["discount_fen"]) == (True, [], 600)


async def test_unknown_coupon_is_404(world: Any) -> None:
    user = await world.actor("consumer")
    assert (await user.post("/coupons/NONE/claim")).status_code == 404
    assert (await user.get("/coupons/NONE/eligibility", items_fen=1)).status_code == 404


async def test_an_order_takes_the_coupon_the_user_holds(world: Any) -> None:
    code = await make(world)
    user, shop = await world.actor("consumer"), await world.shop(("面", 1500, 10))
    await user.post(f"/coupons/{code}/claim")
    placed = (await world.place(user, shop, qty=2, coupon_code=code)).json()
    assert (placed["items_fen"], placed["discount_fen"]) == (3000, 600)
    assert "coupon_refused" not in placed
    row = await books(world, code)
    assert (row["committed_fen"], row["claimed"], row["redeemed"], row["redeemed_fen"]) == (600, 1, 1, 600)


async def test_an_order_claims_a_coupon_by_itself_and_a_second_is_priced_without(world: Any) -> None:
    code = await make(world)
    user, shop = await world.actor("consumer"), await world.shop(("面", 1500, 10))
    first = (await world.place(user, shop, qty=2, coupon_code=code)).json()
    second = (await world.place(user, shop, qty=2, coupon_code=code)).json()
    assert (first["discount_fen"], second["discount_fen"]) == (600, 0)
    assert second["coupon_refused"] == ["per_user_limit"]
    small = (await world.place(await world.actor("consumer"), shop, qty=1, coupon_code=code)).json()
    assert (small["discount_fen"], small["coupon_refused"]) == (0, ["below_threshold"])
    unknown = (await world.place(user, shop, qty=1, coupon_code="NONE")).json()
    assert unknown["coupon_refused"] == ["unknown_coupon"]
    assert (await books(world, code))["redeemed"] == 1


async def test_concurrent_orders_never_spend_more_than_the_budget(world: Any) -> None:
    code = await make(world, budget_fen=1800)
    shop = await world.shop(("面", 3000, 100))
    users = [await world.actor("consumer") for _ in range(12)]
    answers = await asyncio.gather(*(world.place(user, shop, coupon_code=code) for user in users))
    orders = [answer.json() for answer in answers]
    assert sorted(order["discount_fen"] for order in orders) == [0] * 9 + [600] * 3
    assert all(order["coupon_refused"] == ["budget_exhausted"] for order in orders if not order["discount_fen"])
    row = await books(world, code)
    assert (row["committed_fen"], row["redeemed"], row["redeemed_fen"]) == (1800, 3, 1800)


@pytest.mark.parametrize("paid", [False, True])
async def test_a_cancelled_order_gives_the_coupon_back(world: Any, paid: bool) -> None:
    code = await make(world, budget_fen=600)
    user, shop = await world.actor("consumer"), await world.shop(("面", 3000, 100))
    placed = await world.place(user, shop, coupon_code=code)
    if paid:
        await world.pay_at_provider(placed)
    order_id = placed.json()["order_id"]
    assert (await user.post(f"/orders/{order_id}/cancel")).status_code == 200
    row = await books(world, code)
    assert (row["committed_fen"], row["redeemed"], row["returned"], row["redeemed_fen"]) == (0, 0, 1, 0)
    again = (await world.place(user, shop, coupon_code=code)).json()
    assert again["discount_fen"] == 600


async def test_giving_back_twice_does_no_harm(world: Any) -> None:
    code = await make(world)
    user, shop = await world.actor("consumer"), await world.shop(("面", 3000, 100))
    order_id = (await world.place(user, shop, coupon_code=code)).json()["order_id"]
    db = world.app.state.ctx.db
    assert [await db.write(lambda conn: give_back(conn, order_id, 1.0)) for _ in range(3)] == [True, False, False]
    row = await books(world, code)
    assert (row["committed_fen"], row["returned"]) == (0, 1)


async def test_a_discount_below_the_hold_frees_the_rest_of_the_budget(world: Any) -> None:
    code = await make(world, threshold_fen=0, off_fen=5000, budget_fen=5000)
    user, shop = await world.actor("consumer"), await world.shop(("面", 3000, 100))
    placed = (await world.place(user, shop, coupon_code=code)).json()
    assert placed["discount_fen"] == 3000
    row = await books(world, code)
    assert (row["committed_fen"], row["redeemed_fen"]) == (3000, 3000)


async def test_a_coupon_is_not_changed_by_creating_it_again(world: Any) -> None:
    code = await make(world)
    assert await make(world, code=code)
    changed = await world.admin.post("/admin/coupons", [{**LUNCH, "code": code, "budget_fen": 10**9}])
    assert changed.status_code == 409
    assert (await books(world, code))["budget_fen"] == 6000


async def test_senseless_coupons_are_422(world: Any) -> None:
    for wrong in ({"code": "lower"}, {"off_fen": 0}, {"off_fen": -5}, {"budget_fen": -1}, {"per_user": 0}, {"hue": 1}):
        assert (await world.admin.post("/admin/coupons", [{**LUNCH, "code": "BAD", **wrong}])).status_code == 422, wrong


async def test_standing_claims_have_the_smallest_free_ordinals(world: Any) -> None:
    """The unique key (code, user, nth) guards the limit per user: a claim that is given back frees its ordinal."""
    code, shop = await make(world, per_user=3, budget_fen=60_000), await world.shop()
    user = await world.actor("consumer")

    async def ordinals() -> list[int | None]:
        query = select(coupon_claims.c.nth).where(coupon_claims.c.code == code).order_by(coupon_claims.c.id)
        found: list[int | None] = await world.db(lambda conn: list(conn.execute(query).scalars()))
        return found

    placed = [(await world.place(user, shop, qty=2, coupon_code=code)).json() for _ in range(2)]
    await user.post(f"/coupons/{code}/claim")
    assert await ordinals() == [1, 2, 3]
    await user.post(f"/orders/{placed[0]['order_id']}/cancel")
    assert await ordinals() == [None, 2, 3]
    assert (await user.post(f"/coupons/{code}/claim")).status_code == 201
    assert await ordinals() == [None, 2, 3, 1]
