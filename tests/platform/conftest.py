"""A platform per test: in process over httpx, on a manual clock, with accounts by role on demand."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

import servers
from o2o_domain.roles import Role
from o2o_platform.accounts.tokens import CurrentUser, issue_token
from o2o_platform.app import create_app
from o2o_platform.kit.clock import ManualClock
from o2o_platform.kit.database.sqlite import SqliteDatabase
from o2o_platform.payments.sandbox import Provider, create_sandbox
from o2o_platform.settings import Settings

ADMIN_PASSWORD = "admin-password"
DAY = 86_400.0


@dataclass
class Actor:
    """An account and its way to call the platform."""

    client: httpx.AsyncClient = field(repr=False)
    id: int
    ref: str
    token: str = field(repr=False)

    async def call(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}", **kwargs.pop("headers", {})}
        return await self.client.request(method, path, headers=headers, **kwargs)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        return await self.call("GET", path, params=params)

    async def post(self, path: str, body: Any = None, **kwargs: Any) -> httpx.Response:
        return await self.call("POST", path, **({"json": body} if body is not None else {}), **kwargs)


async def eventually(check: Callable[[], Awaitable[Any]], limit_s: float = 10.0) -> Any:
    """Wait until `check` returns something true, and return it; what it saw last is in the failure."""
    end = time.monotonic() + limit_s
    while not (seen := await check()):
        assert time.monotonic() < end, f"not within {limit_s} s; last seen: {seen!r}"
        await asyncio.sleep(0.002)
    return seen


@dataclass
class Shop:
    """A merchant with its owner's account and the ids of its dishes."""

    id: int
    ref: str
    owner: Actor
    dishes: list[int]


@dataclass
class World:
    """The app, its clock, a client and the bootstrap administrator."""

    app: FastAPI
    clock: ManualClock
    client: httpx.AsyncClient
    admin: Actor
    provider: Provider
    """The sandbox payment provider's books."""
    pay_client: httpx.AsyncClient = field(repr=False)
    numbers: Any = field(default_factory=itertools.count)

    async def actor(self, role: str, **fields: Any) -> Actor:
        """A new account of this role."""
        body = {"ref": f"{role}-{next(self.numbers)}", "role": role, **fields}
        made = await self.admin.post("/admin/accounts:bulk", [body])
        assert made.status_code == 201, made.text
        account = made.json()["accounts"][0]
        return Actor(self.client, account["id"], account["ref"], account["token"])

    async def shop(self, *dishes: tuple[str, int, int], **fields: Any) -> Shop:
        """A new merchant at (30, 120) with dishes (name, fen, stock), by default one of 20 yuan; fields override."""
        ref = f"shop-{next(self.numbers)}"
        menu = [
            {"ref": f"{ref}-{i}", "name": name, "price_fen": fen, "stock": stock}
            for i, (name, fen, stock) in enumerate(dishes or (("宫保鸡丁", 2000, 100),))
        ]
        body = {"ref": ref, "name": f"店 {ref}", "lat": 30.0, "lng": 120.0, "dishes": menu, **fields}
        made = await self.admin.post("/admin/merchants:bulk", [body])
        assert made.status_code == 201, made.text
        merchant = made.json()["merchants"][0]
        owner = await self.actor("merchant", merchant_ref=ref)
        return Shop(merchant["id"], ref, owner, [dish["id"] for dish in merchant["dishes"]])

    async def place(
        self, user: Actor, shop: Shop, key: str | None = None, *, qty: int = 1, **fields: Any
    ) -> httpx.Response:
        """POST /orders for the shop's first dish; fields override."""
        body = {
            "merchant_id": shop.id,
            "items": [{"dish_id": shop.dishes[0], "qty": qty}],
            "drop": {"lat": 30.01, "lng": 120.0, "address": "文一路 1 号", "phone": "13812345678"},
            **fields,
        }
        return await user.post("/orders", body, headers={"Idempotency-Key": key or f"key-{next(self.numbers)}"})

    async def pay_at_provider(self, placed: httpx.Response, **how: Any) -> httpx.Response:
        """Confirm the payment of a placed order; returns when the provider has told the platform (if it does)."""
        assert placed.status_code == 201, placed.text
        payment = placed.json()["payment"]
        answer = await self.pay_client.post(payment["pay_url"], json=how)
        if answer.status_code == 202 and not how.get("silent") and not how.get("callback_s"):

            async def told() -> bool:
                return self.provider.charges[payment["payment_id"]].callbacks > how.get("duplicates", 0)

            await eventually(told)
        return answer

    async def paid(self, user: Actor, shop: Shop, **fields: Any) -> int:
        """The id of a new order that is paid."""
        placed = await self.place(user, shop, **fields)
        await self.pay_at_provider(placed)
        return int(placed.json()["order_id"])

    async def order_now(self, order_id: int) -> dict[str, Any]:
        """The order as staff see it."""
        found: dict[str, Any] = (await self.admin.get(f"/orders/{order_id}")).json()
        return found

    async def export(self, table: str) -> list[dict[str, Any]]:
        """All rows of an exported table."""
        answer = await self.admin.get(f"/admin/export/{table}")
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]

    async def db(self, unit: Any) -> Any:
        """What `unit(conn)` reads."""
        return await self.app.state.ctx.db.read(unit)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


def settings_in(folder: Path, **more: Any) -> Settings:
    """Settings of a platform whose database is in this folder, or where `more` says."""
    return Settings(
        **{
            "database_url": f"sqlite:///{folder}/o2o.db",
            "durable": False,
            "jwt_secret": "0" * 64,
            "admin_password": ADMIN_PASSWORD,
            "provider_secret": "1" * 64,
            "enforce_hours": False,
            "token_ttl_s": 9999 * DAY,
            "reconcile_interval_s": 1e9,  # a test that is about it asks for it
            **more,
        }
    )


@contextmanager
def place_of(deployment: str) -> Iterator[dict[str, str]]:
    """The settings that put a platform on this kind of database, in a corner of its own."""
    if deployment == "embedded":
        yield {}
        return
    with servers.postgres_database() as database, servers.redis_prefix() as (redis_url, prefix):
        yield {"database_url": database, "redis_url": redis_url, "redis_prefix": prefix}


@pytest.fixture(scope="session", params=["embedded", "scaled"])
def deployment(request: pytest.FixtureRequest) -> str:
    """Every test of the platform runs on SQLite and on PostgreSQL with Redis; one that is about one of them marks
    itself `@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)`."""
    return str(request.param)


@pytest.fixture(scope="session")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with all tables and no row: copying it is faster than making the tables in every test."""
    path = tmp_path_factory.mktemp("new") / "o2o.db"
    SqliteDatabase(f"sqlite:///{path}", durable=False).close()
    return path


@pytest.fixture
def settings(tmp_path: Path, deployment: str, new_file: Path) -> Iterator[Settings]:
    with place_of(deployment) as place:
        if deployment == "embedded":
            shutil.copy(new_file, tmp_path / "o2o.db")
        yield settings_in(tmp_path, **place)


@pytest.fixture(scope="module")
def shared_settings(tmp_path_factory: pytest.TempPathFactory, deployment: str) -> Iterator[Settings]:
    """Of one database for a module whose tests open platforms on it one after the other."""
    with place_of(deployment) as place:
        yield settings_in(tmp_path_factory.mktemp("shared"), **place)


@pytest.fixture(scope="module")
async def shared_world(
    tmp_path_factory: pytest.TempPathFactory, anyio_backend: str, deployment: str
) -> AsyncIterator[World]:
    """One platform for a module whose tests look only at what they have made themselves (a platform costs 0.3 s).

    Such a module says so by a fixture `world` of its own that returns this one.
    """
    with place_of(deployment) as place:
        async with open_world(settings_in(tmp_path_factory.mktemp("shared"), **place), ManualClock()) as opened:
            yield opened


@pytest.fixture
async def world(settings: Settings, anyio_backend: str) -> AsyncIterator[World]:
    async with open_world(settings, ManualClock()) as opened:
        yield opened


@asynccontextmanager
async def open_world(settings: Settings, clock: ManualClock) -> AsyncIterator[World]:
    """A platform and its payment provider, each reached by the other in process, from start to end of both."""

    async def to_sandbox(scope: Any, receive: Any, send: Any) -> None:
        await sandbox(scope, receive, send)

    app = create_app(settings, clock=clock, provider_transport=httpx.ASGITransport(to_sandbox))
    transport = httpx.ASGITransport(app)
    sandbox = create_sandbox("http://platform", settings.provider_secret, clock=clock, transport=transport)
    provider: Provider = sandbox.state.provider
    async with (
        app.router.lifespan_context(app),
        provider.lifespan(sandbox),
        httpx.AsyncClient(transport=transport, base_url="http://platform") as client,
        httpx.AsyncClient(transport=httpx.ASGITransport(sandbox)) as pay_client,
    ):
        # Signed here, not asked for with the password: hashing it again would be a third of a test's time.
        admin = CurrentUser(1, Role.ADMIN, "admin")
        token = issue_token(settings.jwt_secret, admin, now=clock.now(), ttl_s=settings.token_ttl_s)
        yield World(app, clock, client, Actor(client, 1, "admin", token), provider, pay_client)


@pytest.fixture(name="open_world")
def _open_world() -> Callable[[Settings, ManualClock], Any]:
    """For tests that open a platform twice on one database."""
    return open_world


@pytest.fixture(name="eventually")
def _eventually() -> Callable[..., Awaitable[Any]]:
    return eventually
