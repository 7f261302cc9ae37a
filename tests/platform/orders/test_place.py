"""Placing orders: idempotency, hours, prices, stock under contention, coupons (A13, G2)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from o2o_platform.kit.clock import ManualClock

pytestmark = pytest.mark.anyio


async def test_the_same_key_places_one_order(world: Any) -> None:
    """A13: a repeated request is answered with the order that was placed, whatever has become of it."""
    shop, user = await world.shop(), await world.actor("consumer")
    first, *others = await asyncio.gather(*(world.place(user, shop, "k") for _ in range(10)))
    assert {answer.status_code for answer in (first, *others)} == {201}
    assert {answer.json()["order_id"] for answer in others} == {first.json()["order_id"]}
    assert sum("Idempotent-Replayed" in answer.headers for answer in (first, *others)) == 9
    await world.pay_at_provider(first)
    again = await world.place(user, shop, "k")
    assert again.json()["state"] == "paid"
    assert len(await world.export("orders")) == 1
    (stock,) = await world.export("stock")
    assert stock["level"] == 99


async def test_a_key_stands_for_one_order_of_one_user(world: Any) -> None:
    shop, user, other = await world.shop(), await world.actor("consumer"), await world.actor("consumer")
    await world.place(user, shop, "k")
    different = await world.place(user, shop, "k", qty=2)
    assert (different.status_code, different.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert (await world.place(other, shop, "k")).status_code == 201
    nameless = await user.post("/orders", {"merchant_id": shop.id, "items": [], "drop": {"lat": 0, "lng": 0}})
    assert (nameless.status_code, nameless.json()["error"]["code"]) == (422, "idempotency_key")


async def test_the_last_pieces_go_to_exactly_as_many_users(world: Any) -> None:
    """A13: stock is never negative; 40 users want the last 3 pieces."""
    shop = await world.shop(("限量蛋糕", 6800, 3))
    users = [await world.actor("consumer") for _ in range(40)]
    answers = await asyncio.gather(*(world.place(user, shop) for user in users))
    assert sorted(answer.status_code for answer in answers) == [201] * 3 + [409] * 37
    assert {answer.json()["error"]["code"] for answer in answers if answer.status_code == 409} == {"sold_out"}
    (stock,) = await world.export("stock")
    assert (stock["initial"], stock["reserved"], stock["level"], stock["min_level"]) == (3, 3, 0, 0)
    assert (await users[0].get(f"/merchants/{shop.id}/menu")).json()["dishes"] == []  # G2: sold out vanishes


async def test_all_dishes_of_an_order_or_none(world: Any) -> None:
    shop, user = await world.shop(("面", 1000, 5), ("汤", 500, 1)), await world.actor("consumer")
    items = [{"dish_id": shop.dishes[0], "qty": 2}, {"dish_id": shop.dishes[1], "qty": 2}]
    assert (await world.place(user, shop, items=items)).status_code == 409
    assert [row["reserved"] for row in await world.export("stock")] == [0, 0]
    doubled = [{"dish_id": shop.dishes[0], "qty": 3}, {"dish_id": shop.dishes[0], "qty": 3}]
    assert (await world.place(user, shop, items=doubled)).status_code == 409  # 6 of 5, in two lines


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"items": []}, 422, "empty_cart"),
        ({"qty": 0}, 422, "bad_qty"),
        ({"qty": 100}, 422, "bad_qty"),
        ({"items": [{"dish_id": 99999, "qty": 1}]}, 422, "not_on_menu"),
        ({"merchant_id": 99999}, 404, "no_such_merchant"),
        ({"drop": {"lat": 91, "lng": 0}}, 422, "invalid"),
        ({"items": [{"dish_id": "x", "qty": 1}]}, 422, "invalid"),
        ({"surprise": 1}, 422, "invalid"),
        ({"merchant_id": 2**70}, 422, "invalid"),
        ({"items": [{"dish_id": 2**63, "qty": 1}]}, 422, "invalid"),
        ({"note": "长" * 256}, 422, "invalid"),
        ({"note": "a\x00b"}, 422, "invalid"),
        ({"note": "a\\\x00b"}, 422, "invalid"),  # after a backslash that is escaped itself
    ],
)
async def test_what_cannot_be_ordered(world: Any, fields: dict[str, Any], status: int, code: str) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    answer = await world.place(user, shop, **fields)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert await world.export("orders") == []


async def test_a_text_about_nul_is_a_text(world: Any) -> None:
    shop, user = await world.shop(), await world.actor("consumer")
    assert (await world.place(user, shop, note="\\u0000")).status_code == 201


async def test_nul_is_refused_wherever_a_body_is_read(world: Any) -> None:
    """On the routes of pydantic as on the hot ones, in lists and names of fields."""
    for body in ([{"ref": "a\x00", "role": "consumer"}], [{"ref": "a", "role": "consumer", "\x00": 1}]):
        answer = await world.admin.post("/admin/accounts:bulk", body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (422, "invalid")


async def test_a_dish_off_the_shelf_and_one_of_another_shop(world: Any) -> None:
    """G2: goods on and off the shelf."""
    shop, other, user = await world.shop(), await world.shop(), await world.actor("consumer")
    path = f"/merchants/{shop.id}/dishes/{shop.dishes[0]}"
    assert (await shop.owner.call("PATCH", path, json={"on_shelf": False})).status_code == 200
    assert (await world.place(user, shop)).json()["error"]["code"] == "off_shelf"
    foreign = await world.place(user, other, items=[{"dish_id": shop.dishes[0], "qty": 1}])
    assert foreign.json()["error"]["code"] == "not_on_menu"


async def test_only_consumers_order(world: Any) -> None:
    """A7."""
    shop, rider = await world.shop(), await world.actor("rider")
    assert (await world.place(rider, shop)).status_code == 403


async def test_opening_hours_are_the_citys(settings: Any, open_world: Any) -> None:
    """G2: 08:00 to 09:00 in UTC+8; the manual clock starts at 06:13:20 there."""
    async with open_world(replace(settings, enforce_hours=True), ManualClock()) as world:
        shop, user = await world.shop(open_min=480, close_min=540), await world.actor("consumer")
        assert (await world.place(user, shop)).json()["error"]["code"] == "closed"
        world.clock.advance(6400)  # 08:00:00
        assert (await world.place(user, shop)).status_code == 201
        world.clock.advance(3600)  # 09:00:00
        assert (await world.place(user, shop)).status_code == 409


async def test_a_coupon_that_does_not_apply_does_not_fail_the_order(world: Any) -> None:
    """Coupons: refused with reasons, priced without."""
    coupon = {"code": "SAVE10", "threshold_fen": 3000, "off_fen": 1000, "budget_fen": 1500, "per_user": 5}
    await world.admin.post("/admin/coupons", [coupon])
    shop, user = await world.shop(), await world.actor("consumer")
    small = (await world.place(user, shop, coupon_code="SAVE10")).json()
    assert (small["coupon_refused"], small["discount_fen"]) == (["below_threshold"], 0)
    good = (await world.place(user, shop, qty=2, coupon_code="SAVE10")).json()
    assert (good.get("coupon_refused"), good["discount_fen"], good["total_fen"]) == (None, 1000, 3300)
    spent = (await world.place(user, shop, qty=2, coupon_code="SAVE10")).json()
    assert (spent["coupon_refused"], spent["total_fen"]) == (["budget_exhausted"], 4300)
    unknown = (await world.place(user, shop, coupon_code="NOPE")).json()
    assert unknown["coupon_refused"] == ["unknown_coupon"]
    rows = await world.export("orders")
    assert [row["coupon_code"] for row in rows] == [None, "SAVE10", None, None]


async def test_the_export_maps_refs_and_says_what_was_sold(world: Any) -> None:
    """The run tables join on refs; a later price does not change what was sold."""
    shop, user = await world.shop(("面", 1000, 5)), await world.actor("consumer", segment="family")
    await world.place(user, shop, "intent-7", qty=2)
    path = f"/merchants/{shop.id}/dishes/{shop.dishes[0]}"
    await shop.owner.call("PATCH", path, json={"price_fen": 9900, "name": "贵面", "stock": 50})
    (row,) = await world.export("orders")
    assert (row["order_ref"], row["user_ref"], row["merchant_ref"]) == ("intent-7", user.ref, shop.ref)
    assert (row["segment"], row["terminal"], row["state"]) == ("family", False, "pending_payment")
    expected = {"dish_id": shop.dishes[0], "dish_ref": f"{shop.ref}-0", "name": "面", "qty": 2, "unit_fen": 1000}
    assert row["items"] == [expected]
    (stock,) = await world.export("stock")
    assert stock["initial"] - stock["reserved"] + stock["returned"] == stock["level"] == 50
    assert (await user.get("/admin/export/orders")).status_code == 403
    assert (await world.admin.get("/admin/export/nothing")).status_code == 404
