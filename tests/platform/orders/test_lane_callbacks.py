"""Callbacks in batches do what the unit of work does: the same callbacks to both, the same answers, the same rows."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from sqlalchemy import text

from lane_worlds import both_worlds, play, rows
from o2o_platform.payments.signing import HEADER, sign

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("deployment", ["scaled"], indirect=True)]

TABLES = (
    "orders", "payments", "refunds", "ledger", "tickets", "dishes", "coupons", "coupon_claims", "reservation_fences",
    "outbox",
)  # fmt: skip


@pytest.fixture
async def worlds(
    open_world: Callable[..., Any], settings: Any, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> AsyncIterator[tuple[Any, Any]]:
    async with both_worlds(open_world, settings, monkeypatch) as opened:
        yield opened


async def tell(world: Any, placed: Any, *, outcome: str = "ok", more_fen: int = 0, secret: str = "") -> Any:
    """The provider's callback about the payment of an order."""
    order = placed.json()
    body = json.dumps(
        {
            "payment_id": order["payment"]["payment_id"],
            "outcome": outcome,
            "amount_fen": order["total_fen"] + more_fen,
            "confirmed": world.clock.now() - 0.5,
        }
    ).encode()
    signature = sign(secret or world.app.state.ctx.settings.provider_secret, body)
    return await world.client.post("/payments/callback", content=body, headers={HEADER: signature})


async def test_callbacks_one_after_the_other_are_taken_alike(worlds: tuple[Any, Any]) -> None:
    """G4, G11: paid, told twice, refused, of another amount, late, unknown, forged; with and without a coupon."""

    async def script(world: Any) -> list[Any]:
        coupon = {"code": "TEN", "threshold_fen": 100, "off_fen": 1000, "budget_fen": 10_000, "per_user": 9}
        await world.admin.post("/admin/coupons", [coupon])
        shop, user = await world.shop(("面", 1000, 30), ("汤", 500, 9)), await world.actor("consumer")
        placed = [await world.place(user, shop, f"k{n}", coupon_code="TEN" if n % 2 else None) for n in range(8)]
        said = [await tell(world, one) for one in placed[:3]]
        said.append(await tell(world, placed[0]))
        said.append(await tell(world, placed[3], outcome="refused"))
        said.append(await tell(world, placed[3]))
        said.append(await tell(world, placed[4], more_fen=1))
        said.append(await tell(world, placed[1], outcome="refused"))
        said.append(await user.post(f"/orders/{placed[5].json()['order_id']}/cancel"))
        said.append(await tell(world, placed[5]))
        said.append(await tell(world, placed[6], secret="another"))
        world.clock.advance(1.0)
        said.append(await tell(world, placed[7]))
        unknown = {"payment_id": 12345, "outcome": "ok", "amount_fen": 1, "confirmed": 1.0}
        for body in (unknown, {**unknown, "payment_id": 2**70}, {"payment_id": 1}):
            raw = json.dumps(body).encode()
            signature = sign(world.app.state.ctx.settings.provider_secret, raw)
            said.append(await world.client.post("/payments/callback", content=raw, headers={HEADER: signature}))
        return said

    said = await play(worlds, TABLES, script)
    became = [answer.json().get("result") or answer.json().get("error", {}).get("code") for answer in said]
    assert became[:8] == ["paid", "paid", "paid", "ignored", "refused", "paid_late", "disputed", "ignored"]
    assert became[9:12] == ["paid_late", "bad_signature", "paid"]
    assert became[12] == "no_such_payment"
    batcher = worlds[0].app.state.callbacks.batcher
    assert batcher.items > 10
    assert batcher.fallbacks == 0


async def test_many_callbacks_at_once_pay_each_order_once(worlds: tuple[Any, Any]) -> None:
    """Doubled callbacks in one batch: each order is paid once, has one ticket, and the books are even."""
    world = worlds[0]
    shop = await world.shop(("面", 1000, 500))
    users = [await world.actor("consumer") for _ in range(10)]
    placed = await asyncio.gather(*(world.place(users[n % 10], shop, f"k{n}") for n in range(60)))
    answers = await asyncio.gather(*(tell(world, one) for one in [*placed, *placed]))
    assert Counter(answer.json()["result"] for answer in answers) == {"paid": 60, "ignored": 60}
    assert {row["state"] for row in await rows(world, "orders")} == {"paid"}
    assert {row["state"] for row in await rows(world, "reservation_fences")} == {"confirmed"}
    tickets = await rows(world, "tickets")
    assert (len(tickets), len({row["order_id"] for row in tickets})) == (60, 60)
    assert sum(row["amount_fen"] for row in await rows(world, "ledger")) == 0
    assert Counter(row["name"] for row in await rows(world, "outbox"))["pay"] == 60
    assert world.app.state.callbacks.batcher.batches < 60


async def test_a_payment_that_changes_while_its_batch_is_written(
    worlds: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between look and statement one order is cancelled: the guard misses, and the others are paid all the same."""
    world = worlds[0]
    shop, users = await world.shop(), [await world.actor("consumer") for _ in range(6)]
    placed = [await world.place(user, shop, "k") for user in users]
    work = world.app.state.callbacks.work
    pay, cancelled = work._pay, []

    async def pay_later(conn: Any, paying: Any) -> None:
        if not cancelled:
            cancelled.append(await users[2].post(f"/orders/{placed[2].json()['order_id']}/cancel"))
        await pay(conn, paying)

    monkeypatch.setattr(work, "_pay", pay_later)
    answers = await asyncio.gather(*(tell(world, one) for one in placed))
    assert cancelled[0].status_code == 200
    assert [answer.json()["result"] for answer in answers] == ["paid", "paid", "paid_late", "paid", "paid", "paid"]
    assert work.missed == 1
    states = await world.db(lambda conn: conn.execute(text("SELECT state FROM payments ORDER BY id")).scalars().all())
    assert states == ["paid", "paid", "refunded", "paid", "paid", "paid"]
