"""Orders that race on PostgreSQL: last pieces, one budget, one key, spoiled batches, full queues, lost connections."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from o2o_platform.kit import batching
from o2o_platform.kit.clock import ManualClock

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("deployment", ["scaled"], indirect=True)]


@pytest.fixture
async def workers(open_world: Callable[..., Any], settings: Any, anyio_backend: str) -> AsyncIterator[tuple[Any, Any]]:
    """Two processes' apps on one database."""
    async with open_world(settings, ManualClock()) as first, open_world(settings, ManualClock()) as second:
        yield first, second


async def everybody(world: Any, count: int) -> list[Any]:
    body = [{"ref": f"user-{n}", "role": "consumer"} for n in range(count)]
    made = (await world.admin.post("/admin/accounts:bulk", body)).json()["accounts"]
    return [type(world.admin)(world.client, one["id"], one["ref"], one["token"]) for one in made]


def at(world: Any, user: Any) -> Any:
    """The same user, at another worker."""
    return replace(user, client=world.client)


async def one(world: Any, query: str) -> Any:
    return (await world.db(lambda conn: conn.execute(text(query)).all()))[0]


async def test_the_last_piece_is_sold_once(workers: tuple[Any, Any]) -> None:
    """A13: 200 users want the last piece, at two workers."""
    world, _ = workers
    shop = await world.shop(("限量蛋糕", 6800, 1), ("面", 1000, 500))
    users = await everybody(world, 200)
    for worker in workers:  # both have seen the menu
        again = at(worker, users[0])
        assert (await worker.place(again, shop, items=[{"dish_id": shop.dishes[1], "qty": 1}])).status_code == 201
    answers = await asyncio.gather(
        *(workers[n % 2].place(at(workers[n % 2], user), shop, f"k{n}") for n, user in enumerate(users))
    )
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 199}
    assert {answer.json()["error"]["code"] for answer in answers if answer.status_code == 409} == {"sold_out"}
    assert tuple(await one(world, "SELECT level, reserved, min_level FROM dishes ORDER BY id LIMIT 1")) == (0, 1, 0)
    assert (await one(world, "SELECT count(*) FROM orders")).count == 3
    assert (await one(world, "SELECT count(*) FROM reservation_fences")).count == 3


async def test_a_budget_is_never_exceeded(workers: tuple[Any, Any]) -> None:
    """1,000 orders want a coupon whose budget is enough for 60."""
    world, _ = workers
    coupon = {"code": "SIXTY", "threshold_fen": 1000, "off_fen": 500, "budget_fen": 30_499, "per_user": 10}
    await world.admin.post("/admin/coupons", [coupon])
    shop = await world.shop(("面", 2000, 5000))
    users = await everybody(world, 250)
    answers = await asyncio.gather(
        *(
            workers[n % 2].place(at(workers[n % 2], users[n % 250]), shop, f"k{n}", coupon_code="SIXTY")
            for n in range(1000)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    told = [answer.json() for answer in answers]
    assert sum(one["discount_fen"] > 0 for one in told) == 60
    assert {tuple(one.get("coupon_refused", ())) for one in told} == {(), ("budget_exhausted",)}
    row = await one(world, "SELECT committed_fen, claimed, redeemed, redeemed_fen FROM coupons")
    assert tuple(row) == (30_000, 60, 60, 30_000)
    claims = await one(world, "SELECT count(*), sum(hold_fen), count(DISTINCT order_id) FROM coupon_claims")
    assert tuple(claims) == (60, 30_000, 60)
    discounts = await one(world, "SELECT sum(discount_fen), count(*) FROM orders WHERE coupon_code = 'SIXTY'")
    assert tuple(discounts) == (30_000, 60)


async def test_a_limit_per_user_holds_across_workers(workers: tuple[Any, Any]) -> None:
    world, _ = workers
    coupon = {"code": "TWICE", "threshold_fen": 1000, "off_fen": 500, "budget_fen": 10**9, "per_user": 2}
    await world.admin.post("/admin/coupons", [coupon])
    shop, (user,) = await world.shop(("面", 2000, 5000)), await everybody(world, 1)
    answers = await asyncio.gather(
        *(workers[n % 2].place(at(workers[n % 2], user), shop, f"k{n}", coupon_code="TWICE") for n in range(30))
    )
    told = [answer.json() for answer in answers]
    assert Counter(tuple(one.get("coupon_refused", ())) for one in told) == {(): 2, ("per_user_limit",): 28}


async def test_one_key_is_one_order_wherever_it_is_sent(workers: tuple[Any, Any]) -> None:
    """50 times the same request, at two workers."""
    world, _ = workers
    shop, (user,) = await world.shop(), await everybody(world, 1)
    answers = await asyncio.gather(
        *(workers[n % 2].place(at(workers[n % 2], user), shop, "the key") for n in range(50))
    )
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    other = await workers[1].place(at(workers[1], user), shop, "the key", qty=2)
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert tuple(await one(world, "SELECT level, reserved FROM dishes")) == (99, 1)
    assert (await one(world, "SELECT count(*) FROM payments")).count == 1
    assert (await one(world, "SELECT count(*) FROM outbox WHERE name = 'placed'")).count == 1


async def test_a_spoiled_order_gets_its_own_error(workers: tuple[Any, Any]) -> None:
    """One order of a batch that the database cannot take does not take the others with it."""
    world, _ = workers
    shop, users = await world.shop(), await everybody(world, 20)
    await world.place(users[0], shop, "warm")
    keys = ["k\x00" if n == 7 else "k" for n in range(20)]  # no header has this; a body would be refused before
    answers = await asyncio.gather(
        *(world.place(user, shop, key) for user, key in zip(users, keys, strict=True)),
    )
    assert [(n, answer.status_code) for n, answer in enumerate(answers) if answer.status_code != 201] == [(7, 422)]
    assert answers[7].json()["error"]["code"] == "invalid"
    assert world.app.state.lane.batcher.fallbacks > 0
    assert (await one(world, "SELECT count(*) FROM orders")).count == 20


async def test_workers_that_want_the_same_dishes_do_not_lock_each_other_out(workers: tuple[Any, Any]) -> None:
    """Rows are locked in one order, however the carts name them: no deadlock is ever found by the server."""
    world, _ = workers
    shop = await world.shop(*((f"菜{n}", 1000, 100_000) for n in range(12)))
    await world.admin.post(
        "/admin/coupons",
        [
            {"code": f"C{n}", "threshold_fen": 100, "off_fen": 10, "budget_fen": 10**9, "per_user": 10**6}
            for n in range(6)
        ],
    )
    users = await everybody(world, 40)

    def cart(n: int) -> list[dict[str, int]]:
        dishes = shop.dishes if n % 2 else shop.dishes[::-1]
        return [{"dish_id": dish, "qty": 1} for dish in dishes]

    before = (await one(world, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")).deadlocks
    answers = await asyncio.gather(
        *(
            workers[n % 2].place(
                at(workers[n % 2], users[n % 40]), shop, f"k{n}", items=cart(n // 2), coupon_code=f"C{n * 5 % 6}"
            )
            for n in range(600)
        )
    )
    assert {answer.status_code for answer in answers} == {201}
    assert [world.app.state.lane.batcher.retries for world in workers] == [0, 0]
    after = (await one(world, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")).deadlocks
    assert after == before
    levels = await world.db(lambda conn: conn.execute(text("SELECT DISTINCT level FROM dishes")).all())
    assert [tuple(level) for level in levels] == [(100_000 - 600,)]


async def test_beyond_the_queue_orders_are_told_to_come_again(
    open_world: Callable[..., Any], settings: Any, anyio_backend: str
) -> None:
    async with open_world(replace(settings, order_queue=5), ManualClock()) as world:
        shop, users = await world.shop(), await everybody(world, 40)
        answers = await asyncio.gather(*(world.place(user, shop, "k") for user in users))
        statuses = Counter(answer.status_code for answer in answers)
        assert set(statuses) == {201, 503}
        refused = [answer for answer in answers if answer.status_code == 503]
        assert {(one.headers["Retry-After"], one.json()["error"]["code"]) for one in refused} == {("1", "overloaded")}
        assert (await one(world, "SELECT count(*) FROM orders")).count == statuses[201]
        assert world.app.state.lane.batcher.refused == statuses[503]
        assert (await world.place(users[0], shop, "later")).status_code == 201


async def test_a_connection_lost_in_the_middle_of_a_batch(
    workers: tuple[Any, Any], settings: Any, monkeypatch: pytest.MonkeyPatch, eventually: Callable[..., Any]
) -> None:
    """Its backend is ended while the batch waits for a lock: it is tried again, and every order is there once."""
    monkeypatch.setattr(batching, "PAUSE_S", 0.01)
    world, _ = workers
    shop, users = await world.shop(), await everybody(world, 30)
    await world.place(users[0], shop, "warm")
    # Within a transaction pg_stat_activity stands still: somebody else looks at it.
    holder, watcher = await asyncpg.connect(settings.database_url), await asyncpg.connect(settings.database_url)
    try:
        async with holder.transaction():
            await holder.execute("SELECT 1 FROM dishes FOR UPDATE")
            placing = [asyncio.ensure_future(world.place(user, shop, "k")) for user in users]

            async def waiting() -> Any:
                return await watcher.fetchval(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )

            backend = await eventually(waiting)
            assert await holder.fetchval("SELECT pg_terminate_backend($1)", backend)
            again = await eventually(waiting)
            while again == backend:
                again = await eventually(waiting)
        answers = await asyncio.gather(*placing)
    finally:
        await holder.close()
        await watcher.close()
    assert {answer.status_code for answer in answers} == {201}
    assert not any("Idempotent-Replayed" in answer.headers for answer in answers)
    assert world.app.state.lane.batcher.retries >= 1
    assert tuple(await one(world, "SELECT level, reserved FROM dishes")) == (69, 31)
    assert (await one(world, "SELECT count(DISTINCT order_id) FROM payments")).count == 31


async def test_an_answer_lost_after_the_commit_is_given_again(
    workers: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch was committed and its answer lost: tried again, it finds its own orders, no repetitions."""
    monkeypatch.setattr(batching, "PAUSE_S", 0.01)
    world, _ = workers
    shop, users = await world.shop(), await everybody(world, 10)
    await world.place(users[0], shop, "warm")
    work = world.app.state.lane.work
    write = work._write
    lost: list[Any] = []

    async def write_and_lose(conn: Any, wants: Any) -> None:
        await write(conn, wants)
        if not lost:
            lost.extend(wants)
            for want in wants:
                want.outcome = None
            raise ConnectionResetError("the answer is gone")

    monkeypatch.setattr(work, "_write", write_and_lose)
    answers = await asyncio.gather(*(world.place(user, shop, "k") for user in users))
    assert lost
    assert {answer.status_code for answer in answers} == {201}
    assert not any("Idempotent-Replayed" in answer.headers for answer in answers)
    assert tuple(await one(world, "SELECT level, reserved FROM dishes")) == (89, 11)


async def test_what_one_worker_changes_the_other_forgets(
    workers: tuple[Any, Any], eventually: Callable[..., Any]
) -> None:
    """A menu that was changed at one worker leaves the other's cache by the event, before it is too old."""
    first, second = workers
    shop, (user,) = await first.shop(("面", 1000, 50)), await everybody(first, 1)
    assert (await second.place(at(second, user), shop, "warm")).json()["items_fen"] == 1000
    lane = second.app.state.lane
    assert lane.facts.menus.get(shop.id) is not None
    changed = await shop.owner.call("PATCH", f"/merchants/{shop.id}/dishes/{shop.dishes[0]}", json={"price_fen": 1300})
    assert changed.status_code == 200

    async def dropped() -> bool:
        return bool(lane.facts.menus.dropped)

    await eventually(dropped)
    assert (await second.place(at(second, user), shop, "dearer")).json()["items_fen"] == 1300
    assert lane.work.missed == 0
