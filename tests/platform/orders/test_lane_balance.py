"""Orders paid from the balance go in batches too: the rows of the unit of work, and never more money than there is."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from lane_worlds import both_worlds, play, rows
from o2o_platform.kit.clock import ManualClock

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("deployment", ["scaled"], indirect=True)]

TABLES = (
    "orders", "payments", "refunds", "dishes", "coupons", "coupon_claims", "reservation_fences", "wallets", "ledger",
    "tickets", "outbox",
)  # fmt: skip
COUPONS = [
    {"code": "TEN", "threshold_fen": 1000, "off_fen": 1000, "budget_fen": 1_000_000, "per_user": 9},
    {"code": "ONCE", "threshold_fen": 100, "off_fen": 300, "budget_fen": 300, "per_user": 9},
]


@pytest.fixture
async def worlds(
    open_world: Callable[..., Any], settings: Any, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> AsyncIterator[tuple[Any, Any]]:
    async with both_worlds(open_world, settings, monkeypatch) as opened:
        yield opened


@pytest.fixture
async def workers(open_world: Callable[..., Any], settings: Any, anyio_backend: str) -> AsyncIterator[tuple[Any, Any]]:
    """Two processes' apps on one database."""
    async with open_world(settings, ManualClock()) as first, open_world(settings, ManualClock()) as second:
        yield first, second


async def top_up(world: Any, user: Any, fen: int, key: str) -> None:
    body = [{"user_id": user.id, "amount_fen": fen, "key": key}]
    assert (await world.admin.post("/admin/wallets:bulk", body)).status_code == 201


async def no_number_is_lost(world: Any) -> None:
    """A unit that is refused has drawn its order's number, a batch has not: the next order has the same one in both."""
    if not hasattr(world.app.state.lane, "batcher"):
        await world.app.state.ctx.db.write(
            lambda conn: conn.execute(text("SELECT setval('orders_id_seq', (SELECT max(id) FROM orders))"))
        )


async def told(world: Any) -> list[tuple[str, str, int]]:
    """(topic, name, order) of the events in the order in which they were written, without those of printers."""
    found = await world.db(
        lambda conn: conn.execute(
            text(
                "SELECT topic, name, (payload::json->>'order_id')::int AS order_id FROM outbox"
                " WHERE topic = 'orders' OR name = 'queued' ORDER BY id"
            )
        ).all()
    )
    return [tuple(row) for row in found]


async def one(world: Any, query: str) -> tuple[Any, ...]:
    return tuple((await world.db(lambda conn: conn.execute(text(query)).all()))[0])


async def test_orders_paid_from_the_balance_are_placed_alike(worlds: tuple[Any, Any]) -> None:
    """W10, A13: each is placed, reserved, confirmed and paid at once; too little money is a 409 and nothing else."""

    async def script(world: Any) -> list[Any]:
        await world.admin.post("/admin/coupons", COUPONS)
        shop = await world.shop(("面", 1000, 30), ("汤", 500, 1), ("糖", 100, 9))
        user, aunt, poor = [await world.actor("consumer") for _ in range(3)]
        await top_up(world, user, 10_000, "user")
        await top_up(world, aunt, 2500, "aunt")
        first, second, third = shop.dishes
        said = []

        async def order(key: str, who: Any = user, **fields: Any) -> None:
            said.append(await world.place(who, shop, key, **{"pay_with": "balance", **fields}))

        await order("plain", note="少放辣")
        await order("plain", note="少放辣")
        await order("plain", qty=2)
        await order("provider", pay_with="provider")
        await order("provider", pay_with="balance")  # another body under a known key
        await order("two", items=[{"dish_id": second, "qty": 1}, {"dish_id": first, "qty": 2}])
        await order("no soup", items=[{"dish_id": second, "qty": 1}])
        await order("coupon", coupon_code="TEN", qty=2)
        await order("nothing to pay for goods", coupon_code="TEN")
        await order("no such coupon", coupon_code="NONE")
        await order("the last of a budget", aunt, coupon_code="ONCE")
        await order("poor", poor)
        await order("poor with coupon", poor, coupon_code="TEN")
        await order("rich in coupons only", aunt, coupon_code="TEN", qty=5)
        await no_number_is_lost(world)
        await order("sweet", aunt, items=[{"dish_id": third, "qty": 1}], coupon_code="ONCE")
        await top_up(world, poor, 10_000, "poor")
        await order("poor", poor)
        await order("poor", poor)
        placed = [answer for answer in said if answer.status_code == 201]
        said.append(await user.post(f"/orders/{placed[0].json()['order_id']}/cancel"))
        said.append(await shop.owner.post(f"/orders/{placed[-1].json()['order_id']}/reject"))
        said.append(await user.get("/wallet"))
        said.append(await poor.get("/wallet"))
        return said

    said = await play(worlds, TABLES, script)
    assert await told(worlds[0]) == await told(worlds[1])
    codes = Counter(answer.json().get("error", {}).get("code") for answer in said)
    assert codes["insufficient_balance"] == 3
    assert (codes["idempotency_key_reused"], codes["sold_out"]) == (2, 1)
    assert {"state", "payment"} <= set(said[0].json())
    assert said[0].json()["state"] == "paid"
    assert "pay_url" not in said[0].json()["payment"]
    batcher = worlds[0].app.state.lane.batcher
    assert (batcher.items, batcher.fallbacks) == (len(said) - 4, 0)
    assert worlds[0].app.state.lane.work.missed == 4  # the known keys: no wallet was asked for more than it has


async def test_orders_of_both_kinds_in_one_batch(worlds: tuple[Any, Any]) -> None:
    """Many at once, of both kinds, with coupons and without: the same number of each answer, the same sums, one by one
    and in batches; each order's events are told in its own order."""

    async def all_at_once(world: Any) -> tuple[Any, Any]:
        await world.admin.post("/admin/coupons", COUPONS[:1])
        shops = [await world.shop(("面", 1000, 400)) for _ in range(3)]
        users = [await world.actor("consumer") for _ in range(8)]
        for n, user in enumerate(users):
            await top_up(world, user, 20_000 if n else 1, f"top-{n}")
        answers = await asyncio.gather(
            *(
                world.place(
                    users[n % 8],
                    shops[n % 3],
                    f"k{n}",
                    pay_with="provider" if n % 4 == 1 else "balance",
                    **({"coupon_code": "TEN", "qty": 2} if n % 5 == 0 else {}),
                )
                for n in range(96)
            )
        )
        sums = [
            [(row["level"], row["reserved"], row["min_level"]) for row in await rows(world, "dishes")],
            [(row["committed_fen"], row["redeemed"]) for row in await rows(world, "coupons")],
            [(row["user_id"], row["balance_fen"], row["held_fen"]) for row in await rows(world, "wallets")],
            Counter((row["branch"], row["state"]) for row in await rows(world, "reservation_fences")),
            Counter((row["state"], row["paid_fen"], row["total_fen"]) for row in await rows(world, "orders")),
            Counter((row["method"], row["state"], row["amount_fen"]) for row in await rows(world, "payments")),
            Counter((row["account"], row["amount_fen"]) for row in await rows(world, "ledger")),
        ]
        return Counter(answer.status_code for answer in answers), sums

    batched, unbatched = [await all_at_once(world) for world in worlds]
    assert batched == unbatched
    assert batched[0][409] == 12  # who has 1 fen
    world = worlds[0]
    assert world.app.state.lane.batcher.batches < 60
    assert sum(row["amount_fen"] for row in await rows(world, "ledger")) == 0
    events: dict[int, list[str]] = {}
    for _, name, order_id in await told(world):
        events.setdefault(order_id, []).append(name)
    assert Counter(map(tuple, events.values())) == {("placed", "pay", "queued"): 60, ("placed",): 24}
    transactions = await one(
        world, "SELECT count(DISTINCT txn_id), count(DISTINCT order_id) FROM ledger WHERE reason = 'paid'"
    )
    assert transactions == (60, 60)


async def test_money_that_went_behind_the_cache(worlds: tuple[Any, Any]) -> None:
    """A wallet that has less than the cache believes spoils no other order; one that has more is looked at again."""
    world = worlds[0]
    shop, users = await world.shop(), [await world.actor("consumer") for _ in range(6)]
    for n, user in enumerate(users):
        await top_up(world, user, 5000, f"t{n}")
        assert (await world.place(user, shop, "warm", pay_with="balance")).status_code == 201

    async def behind_the_back(fen: int) -> None:
        await world.app.state.ctx.db.write(
            lambda conn: conn.execute(text(f"UPDATE wallets SET balance_fen = {fen} WHERE user_id = {users[2].id}"))
        )

    await behind_the_back(3)
    answers = await asyncio.gather(*(world.place(user, shop, "next", pay_with="balance") for user in users))
    assert [answer.status_code for answer in answers] == [201, 201, 409, 201, 201, 201]
    assert answers[2].json()["error"]["code"] == "insufficient_balance"
    assert world.app.state.lane.work.missed == 1
    await behind_the_back(5000)
    assert (await world.place(users[2], shop, "next", pay_with="balance")).status_code == 201
    assert world.app.state.lane.work.missed == 1
    assert world.app.state.lane.batcher.fallbacks == 0


async def test_branch_by_branch_they_take_the_unit(
    open_world: Callable[..., Any], settings: Any, anyio_backend: str
) -> None:
    async with open_world(replace(settings, reservation="apart"), ManualClock()) as world:
        shop, user = await world.shop(), await world.actor("consumer")
        await top_up(world, user, 5000, "t")
        assert (await world.place(user, shop, "k", pay_with="balance")).json()["state"] == "paid"
        assert world.app.state.lane.batcher.items == 0


async def test_a_wallet_pays_for_what_it_has(workers: tuple[Any, Any]) -> None:
    """Money for 3 orders, wanted by 50 at once at two workers: 3 are placed, the others told so, nothing is held."""
    world, _ = workers
    shop, user = await world.shop(("面", 1000, 500)), await world.actor("consumer")
    users = [replace(user, client=worker.client) for worker in workers]
    for mine, worker in zip(users, workers, strict=True):  # both have seen the menu
        assert (await worker.place(mine, shop, pay_with="provider")).status_code == 201
    price = (await workers[0].place(users[0], shop, pay_with="provider")).json()["total_fen"]
    await top_up(world, user, 3 * price + price // 2, "t")
    answers = await asyncio.gather(
        *(workers[n % 2].place(users[n % 2], shop, f"k{n}", pay_with="balance") for n in range(50))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 3, 409: 47}
    assert {a.json()["error"]["code"] for a in answers if a.status_code == 409} == {"insufficient_balance"}
    assert await one(world, "SELECT balance_fen, held_fen FROM wallets") == (price // 2, 0)
    assert await one(world, "SELECT level, reserved FROM dishes") == (494, 6)
    assert await one(world, "SELECT count(*), sum(paid_fen) FROM orders WHERE state = 'paid'") == (3, 3 * price)
    assert await one(world, "SELECT count(*) FROM reservation_fences WHERE state = 'confirmed'") == (6,)
    assert await one(world, "SELECT count(*) FROM tickets") == (3,)
    assert await one(
        world,
        "SELECT sum(amount_fen), count(DISTINCT txn_id) FROM ledger WHERE account = 'user_balances' AND amount_fen > 0",
    ) == (3 * price, 3)


async def test_one_key_is_paid_once_wherever_it_is_sent(workers: tuple[Any, Any]) -> None:
    """50 times the same request, at two workers."""
    world, _ = workers
    shop, user = await world.shop(), await world.actor("consumer")
    await top_up(world, user, 100_000, "t")
    users = [replace(user, client=worker.client) for worker in workers]
    answers = await asyncio.gather(
        *(workers[n % 2].place(users[n % 2], shop, "the key", pay_with="balance") for n in range(50))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    price = answers[0].json()["total_fen"]
    assert await one(world, "SELECT balance_fen, held_fen FROM wallets") == (100_000 - price, 0)
    assert await one(world, "SELECT level, reserved FROM dishes") == (99, 1)
    for query in ("tickets", "payments", "outbox WHERE name = 'pay'", "outbox WHERE name = 'queued'"):
        assert await one(world, f"SELECT count(*) FROM {query}") == (1,), query
    assert await one(world, "SELECT count(DISTINCT txn_id) FROM ledger WHERE reason = 'paid'") == (1,)


async def test_wallets_are_drawn_in_one_order(workers: tuple[Any, Any]) -> None:
    """Both workers' batches draw on all wallets, with refunds in between: nobody is lost to a deadlock for good."""
    world, _ = workers
    shop = await world.shop(("面", 1000, 5000))
    owners = [await world.actor("consumer") for _ in range(10)]
    for n, user in enumerate(owners):
        await top_up(world, user, 1_000_000, f"t{n}")

    async def place_and_cancel(n: int) -> int:
        worker = workers[n % 2]
        user = replace(owners[(n * 7 if n % 2 else -n) % 10], client=worker.client)
        placed = await worker.place(user, shop, f"k{n}", pay_with="balance")
        if n % 20 == 0 and placed.status_code == 201:
            assert (await user.post(f"/orders/{placed.json()['order_id']}/cancel")).status_code == 200
        return int(placed.status_code)

    assert set(await asyncio.gather(*(place_and_cancel(n) for n in range(240)))) == {201}
    spent, paid = await one(
        world,
        "SELECT 10000000 - (SELECT sum(balance_fen) FROM wallets), sum(paid_fen - refunded_fen) FROM orders",
    )
    assert spent == paid > 0
    assert await one(world, "SELECT level, reserved FROM dishes") == (5000 - 240 + 12, 240)
