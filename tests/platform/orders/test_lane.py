"""Orders in batches do what the unit of work does: the same requests to both, the same answers, the same rows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import text

from lane_worlds import both_worlds, play, rows

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("deployment", ["scaled"], indirect=True)]

TABLES = ("orders", "payments", "dishes", "coupons", "coupon_claims", "reservation_fences", "wallets", "outbox")


@pytest.fixture
async def worlds(
    open_world: Callable[..., Any], settings: Any, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> AsyncIterator[tuple[Any, Any]]:
    async with both_worlds(open_world, settings, monkeypatch) as opened:
        yield opened


COUPONS = [
    {"code": "TEN", "threshold_fen": 3000, "off_fen": 1000, "budget_fen": 1_000_000, "per_user": 2},
    {"code": "LAST", "threshold_fen": 1000, "off_fen": 1000, "budget_fen": 2500, "per_user": 9},
    {"code": "BIG", "threshold_fen": 100, "off_fen": 9000, "budget_fen": 100_000, "per_user": 9},
    {
        "code": "FAMILY",
        "threshold_fen": 100,
        "off_fen": 100,
        "budget_fen": 100_000,
        "per_user": 9,
        "segments": ["family"],
    },
]


async def test_orders_one_after_the_other_are_placed_alike(worlds: tuple[Any, Any]) -> None:
    """A13, G2: every answer that placing an order can have, in the batch as in the unit."""

    async def script(world: Any) -> list[Any]:
        assert (await world.admin.post("/admin/coupons", COUPONS)).status_code == 201
        shop = await world.shop(("面", 1000, 30), ("汤", 500, 1), ("糕", 6800, 3))
        other = await world.shop(("饭", 1500, 9), open_min=0, close_min=1)
        far = await world.shop(("饼", 700, 9), lat=30.2)
        user, aunt = await world.actor("consumer"), await world.actor("consumer", segment="family")
        first, second, third = shop.dishes
        said = []

        async def order(key: str, who: Any = user, where: Any = shop, **fields: Any) -> None:
            said.append(await world.place(who, where, key, **fields))

        await order("plain")
        await order("plain")
        await order("plain", qty=2)
        await order("plain", aunt)
        await order("two", items=[{"dish_id": third, "qty": 1}, {"dish_id": first, "qty": 2}], note="少放辣")
        await order("twice", items=[{"dish_id": first, "qty": 2}, {"dish_id": first, "qty": 3}])
        await order("last soup", items=[{"dish_id": second, "qty": 1}])
        await order("no soup", items=[{"dish_id": first, "qty": 1}, {"dish_id": second, "qty": 1}])
        await order("last soup", items=[{"dish_id": second, "qty": 1}])
        await order("closed", where=other)
        await order("far", where=far)
        await order("foreign", where=far, items=[{"dish_id": first, "qty": 1}])
        await order("nothing", items=[])
        await order("too many", qty=100)
        await order("too much", items=[{"dish_id": third, "qty": 3}])
        await order("nowhere", merchant_id=99_999)
        await order("huge", merchant_id=2**70)
        await order("huge dish", items=[{"dish_id": 2**63, "qty": 1}])
        for number, fields in enumerate(
            (
                {"coupon_code": "TEN"},
                {"coupon_code": "TEN", "qty": 3},
                {"coupon_code": "TEN", "qty": 3},
                {"coupon_code": "TEN", "qty": 3},
                {"coupon_code": "NONE"},
                {"coupon_code": "FAMILY"},
                {"coupon_code": "LAST"},
                {"coupon_code": "LAST"},
                {"coupon_code": "LAST"},
                {"coupon_code": "BIG"},
            )
        ):
            await order(f"coupon {number}", **fields)
        said.append(await aunt.post("/coupons/FAMILY/claim"))
        said.append(await aunt.post("/coupons/BIG/claim"))
        await order("held", aunt, coupon_code="FAMILY")
        await order("held big", aunt, coupon_code="BIG")
        await order("family", aunt, coupon_code="FAMILY")
        await order("held big", aunt, coupon_code="BIG")
        path = f"/merchants/{shop.id}/dishes/{first}"
        for number, change in enumerate(
            ({"price_fen": 1100}, {"name": "牛肉面"}, {"on_shelf": False}, {"on_shelf": True}, {"stock": 0})
        ):
            said.append(await shop.owner.call("PATCH", path, json=change))
            await order(f"change {number}")
        await order("plain")
        await order("balance", pay_with="balance")
        return said

    said = await play(worlds, TABLES, script)
    codes = {answer.json().get("error", {}).get("code") for answer in said}
    assert {"idempotency_key_reused", "sold_out", "closed", "not_on_menu", "empty_cart", "bad_qty"} <= codes
    assert {"no_such_merchant", "invalid", "off_shelf"} <= codes
    refused = [answer.json().get("coupon_refused") for answer in said]
    for reason in ("below_threshold", "per_user_limit", "unknown_coupon", "segment", "budget_exhausted"):
        assert [reason] in refused
    lane = worlds[0].app.state.lane
    assert (lane.batcher.items, lane.batcher.fallbacks) == (
        len([a for a in said if "coupons" not in str(a.url)]) - 7,
        0,
    )


async def test_many_at_once_leave_the_same_sums(worlds: tuple[Any, Any]) -> None:
    """Batches of many users, dishes and coupons at once: the same number of each answer, the same stock and budgets."""

    async def all_at_once(world: Any) -> tuple[list[int], list[Any]]:
        coupon = {"code": "HALF", "threshold_fen": 100, "off_fen": 300, "budget_fen": 300 * 20, "per_user": 100}
        await world.admin.post("/admin/coupons", [coupon])
        shops = [await world.shop(("面", 1000, 40), ("汤", 500, 25)) for _ in range(3)]
        users = [await world.actor("consumer") for _ in range(12)]
        answers = await asyncio.gather(
            *(
                world.place(
                    users[n % 12],
                    shops[n % 3],
                    f"k{n}",
                    items=[{"dish_id": shops[n % 3].dishes[n // 3 % 2], "qty": 1 + n % 2}],
                    **({"coupon_code": "HALF"} if n % 2 else {}),
                )
                for n in range(150)
            )
        )
        sums = [
            [(row["level"], row["reserved"], row["min_level"]) for row in await rows(world, "dishes")],
            [(row["committed_fen"], row["redeemed"]) for row in await rows(world, "coupons")],
            len(await rows(world, "reservation_fences")),
            len([row for row in await rows(world, "outbox") if row["name"] == "placed"]),
        ]
        return sorted(answer.status_code for answer in answers), sums

    batched, unbatched = [await all_at_once(world) for world in worlds]
    assert batched == unbatched
    assert worlds[0].app.state.lane.batcher.batches < 100


async def test_stale_facts_do_no_harm(worlds: tuple[Any, Any]) -> None:
    """Every event may be lost: a price, a shelf, a level that changed behind the cache is found by the guards."""
    world = worlds[0]
    shop, user = await world.shop(("面", 1000, 5)), await world.actor("consumer")
    assert (await world.place(user, shop, "warm")).json()["items_fen"] == 1000

    async def behind_the_back(change: str) -> None:
        def unit(conn: Any) -> None:
            conn.execute(text(f"UPDATE dishes SET {change}"))

        await world.app.state.ctx.db.write(unit)

    await behind_the_back("price_fen = 1300")
    assert (await world.place(user, shop, "dearer")).json()["items_fen"] == 1300
    await behind_the_back("on_shelf = false")
    assert (await world.place(user, shop, "off")).json()["error"]["code"] == "off_shelf"
    await behind_the_back("on_shelf = true, level = 0")
    assert (await world.place(user, shop, "none left")).json()["error"]["code"] == "sold_out"
    await behind_the_back("level = 1")
    assert (await world.place(user, shop, "one left")).status_code == 201
    assert worlds[0].app.state.lane.work.missed == 2  # the other two were a no, and asked afresh
