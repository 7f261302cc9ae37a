"""A7, G5: log-in, registration, bulk accounts and what a token gives access to, over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_domain.roles import Role
from o2o_platform.accounts.repository import by_ref, is_superior, subordinates

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(shared_world: Any) -> Any:
    return shared_world


async def test_consumer_registers_and_logs_in(world: Any) -> None:
    form = {"ref": "alice", "password": "long enough", "name": "Alice"}
    made = await world.client.post("/auth/register", json=form)
    assert made.status_code == 201
    assert made.json()["role"] == "consumer"
    login = {"username": "alice", "password": "long enough"}
    token = (await world.client.post("/auth/token", data=login)).json()
    assert token["token_type"] == "bearer"
    assert token["role"] == "consumer"
    me = await world.client.get("/me", headers={"Authorization": f"Bearer {token['access_token']}"})
    assert me.json()["ref"] == "alice"
    assert "place_order" in me.json()["permissions"]


async def test_nobody_registers_as_anything_but_a_consumer(world: Any) -> None:
    body = {"ref": "mallory", "password": "long enough", "role": "admin"}
    assert (await world.client.post("/auth/register", json=body)).status_code == 422


async def test_a_name_is_registered_once(world: Any) -> None:
    body = {"ref": "bertha", "password": "long enough"}
    assert (await world.client.post("/auth/register", json=body)).status_code == 201
    again = await world.client.post("/auth/register", json=body)
    assert again.status_code == 409
    assert again.json()["error"]["code"] == "ref_taken"


async def test_wrong_credentials_are_401_and_tell_nothing(world: Any) -> None:
    for name, password in (
        ("admin", "wrong"),
        ("nobody", "admin-password"),
        ("admin", "x" * 99),
        ("' OR 1=1 --", "x"),
    ):
        refused = await world.client.post("/auth/token", data={"username": name, "password": password})
        assert refused.status_code == 401
        assert refused.json()["error"]["code"] == "bad_credentials"
        assert refused.headers["www-authenticate"] == "Bearer"


async def test_a_synthetic_account_has_no_password(world: Any) -> None:
    bot = await world.actor("consumer")
    refused = await world.client.post("/auth/token", data={"username": bot.ref, "password": ""})
    assert refused.status_code in (401, 422)
    assert (await bot.get("/me")).status_code == 200


async def test_bulk_makes_thousands_of_accounts_that_can_act(world: Any) -> None:
    body = [{"ref": f"user-{i}", "role": "consumer", "segment": "family"} for i in range(3000)]
    made = await world.admin.post("/admin/accounts:bulk", body)
    assert made.status_code == 201
    accounts = made.json()["accounts"]
    assert [account["ref"] for account in accounts] == [one["ref"] for one in body]
    assert len({account["id"] for account in accounts}) == 3000
    me = await world.client.get("/me", headers={"Authorization": f"Bearer {accounts[2999]['token']}"})
    assert (me.json()["ref"], me.json()["segment"]) == ("user-2999", "family")


async def test_bulk_again_returns_the_same_accounts(world: Any) -> None:
    body = [{"ref": "the-same-rider", "role": "rider"}]
    first = (await world.admin.post("/admin/accounts:bulk", body)).json()["accounts"]
    second = (await world.admin.post("/admin/accounts:bulk", body)).json()["accounts"]
    assert first[0]["id"] == second[0]["id"]


async def test_bulk_gives_no_token_for_a_real_account(world: Any) -> None:
    await world.client.post("/auth/register", json={"ref": "clara", "password": "long enough"})
    refused = await world.admin.post("/admin/accounts:bulk", [{"ref": "clara", "role": "consumer"}])
    assert refused.status_code == 409


async def test_bad_organisations_are_refused_whole(world: Any) -> None:
    bad: list[tuple[list[dict[str, Any]], str]] = [
        ([{"ref": "b", "role": "bd", "manager_ref": "nobody"}], "unknown_manager"),
        ([{"ref": "b", "role": "bd", "manager_ref": "c"}, {"ref": "c", "role": "bd"}], "not_a_manager"),
        (
            [{"ref": "m", "role": "manager", "manager_ref": "n"}, {"ref": "n", "role": "manager", "manager_ref": "m"}],
            "manager_cycle",
        ),
        ([{"ref": "b", "role": "bd"}, {"ref": "b", "role": "bd"}], "duplicate_ref"),
    ]
    for body, code in bad:
        refused = await world.admin.post("/admin/accounts:bulk", [{"ref": "fine", "role": "bd"}, *body])
        assert (refused.status_code, refused.json()["error"]["code"]) == (422, code)
        assert await world.db(lambda conn: by_ref(conn, "fine")) is None


async def test_superiors_stand_above_at_any_distance(world: Any) -> None:
    top = await world.actor("manager")
    city = await world.actor("manager", manager_ref=top.ref)
    bd = await world.actor("bd", manager_ref=city.ref)
    other = await world.actor("manager")
    for boss, below in [(top, bd), (top, city), (city, bd)]:
        assert await world.db(lambda conn, a=boss.id, b=below.id: is_superior(conn, a, b))
    for boss, below in [(other, bd), (bd, city), (city, top), (bd, bd)]:
        assert not await world.db(lambda conn, a=boss.id, b=below.id: is_superior(conn, a, b))
    assert await world.db(lambda conn: subordinates(conn, top.id)) == [city.id, bd.id]


async def test_only_an_administrator_makes_accounts(world: Any) -> None:
    for role in Role:
        if role is not Role.ADMIN:
            actor = await world.actor(role.value)
            assert (await actor.post("/admin/accounts:bulk", [])).status_code == 403


async def test_no_token_and_bad_token_are_401(world: Any) -> None:
    assert (await world.client.get("/me")).status_code == 401
    bad = await world.client.get("/me", headers={"Authorization": "Bearer nonsense"})
    assert bad.status_code == 401
    assert bad.json()["error"]["code"] == "token_invalid"
