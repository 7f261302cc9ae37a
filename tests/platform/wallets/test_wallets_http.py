"""Wallets over HTTP: top-ups in bulk, told twice and done once; one's own balance; the books."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(shared_world: Any) -> Any:
    return shared_world


async def test_a_top_up_is_done_once_however_often_it_is_told(world: Any) -> None:
    user = await world.actor("consumer")
    assert (await user.get("/wallet")).json() == {"user_id": user.id, "balance_fen": 0, "held_fen": 0}
    body = [
        {"user_id": user.id, "amount_fen": 700, "key": f"{user.ref}-a"},
        {"user_ref": user.ref, "amount_fen": 300, "key": f"{user.ref}-b"},
    ]
    first, *others = await asyncio.gather(*(world.admin.post("/admin/wallets:bulk", body) for _ in range(5)))
    answers = [answer.json()["wallets"] for answer in (first, *others)]
    assert sum(not one["again"] for answer in answers for one in answer) == 2
    assert (await user.get("/wallet")).json()["balance_fen"] == 1000
    (row,) = [row for row in await world.export("wallets") if row["user_id"] == user.id]
    assert (row["user_ref"], row["balance_fen"], row["topped_up_fen"]) == (user.ref, 1000, 1000)


async def test_the_books_know_what_is_in_the_wallets(world: Any) -> None:
    user = await world.actor("consumer")
    await world.admin.post("/admin/wallets:bulk", [{"user_id": user.id, "amount_fen": 5000, "key": user.ref}])
    wallets = sum(row["balance_fen"] + row["held_fen"] for row in await world.export("wallets"))
    ledger = await world.export("ledger")
    assert wallets == -sum(row["amount_fen"] for row in ledger if row["account"] == "user_balances")
    assert sum(row["amount_fen"] for row in ledger) == 0


async def test_a_key_stands_for_one_transfer(world: Any) -> None:
    user = await world.actor("consumer")
    one = {"user_id": user.id, "amount_fen": 100, "key": f"{user.ref}-x"}
    assert (await world.admin.post("/admin/wallets:bulk", [one])).status_code == 201
    other = await world.admin.post("/admin/wallets:bulk", [{**one, "amount_fen": 200}])
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")
    new = {"user_id": user.id, "amount_fen": 50, "key": f"{user.ref}-y"}
    assert (await world.admin.post("/admin/wallets:bulk", [new, {**one, "amount_fen": 200}])).status_code == 422
    assert (await user.get("/wallet")).json()["balance_fen"] == 100  # all of a request or none


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"amount_fen": 0}, 422),
        ({"amount_fen": -5}, 422),
        ({"user_id": None}, 422),
        ({"user_ref": "somebody"}, 422),  # beside the id
        ({"user_id": 999_999}, 404),
        ({"key": ""}, 422),
    ],
)
async def test_what_cannot_be_topped_up(world: Any, fields: dict[str, Any], status: int) -> None:
    user = await world.actor("consumer")
    body = {"user_id": user.id, "amount_fen": 100, "key": f"{user.ref}-k", **fields}
    assert (await world.admin.post("/admin/wallets:bulk", [body])).status_code == status
    assert (await user.get("/wallet")).json()["balance_fen"] == 0


async def test_only_administrators_top_up_and_only_consumers_have_a_wallet(world: Any) -> None:
    """A7."""
    user, operator = await world.actor("consumer"), await world.actor("operator")
    body = [{"user_id": user.id, "amount_fen": 100, "key": "mine"}]
    assert (await user.post("/admin/wallets:bulk", body)).status_code == 403
    assert (await operator.post("/admin/wallets:bulk", body)).status_code == 403
    assert (await operator.get("/wallet")).status_code == 403
