"""A real process killed (SIGKILL) between two units of a reservation, and started again on its database (W10, A3).

The server kills itself at the point it is told, so that the point is hit and not guessed; nothing of it can catch that.
Started again it is told nothing, and takes up by itself what was left.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

SERVER = """
import os, signal, sys
import msgspec, uvicorn
from o2o_platform.app import create_app
from o2o_platform.reservation import apart, recovery
from o2o_platform.settings import Settings

settings, port, point = msgspec.json.decode(sys.argv[1], type=dict), int(sys.argv[2]), sys.argv[3]
recovery.TRY_LIMIT_S = 30.0 if point else 0.3  # who is to be killed gets there, on a slow machine as well

async def ask(ctx, branch, phase, unit):
    if point == f"{branch}-{phase}-before":
        os.kill(os.getpid(), signal.SIGKILL)
    value = await ctx.db.write(unit)
    if point == f"{branch}-{phase}-after":
        os.kill(os.getpid(), signal.SIGKILL)
    return value

apart.ask = ask
uvicorn.run(create_app(Settings(**settings)), port=port, log_level="error")
"""


class Server:
    """The platform in a process of its own."""

    def __init__(self, settings: Any) -> None:
        names = ("database_url", "redis_url", "redis_prefix", "jwt_secret", "admin_password", "provider_secret")
        given = {name: getattr(settings, name) for name in names}
        self._settings = json.dumps({**given, "enforce_hours": False, "reservation": "apart", "sweep_interval_s": 0.05})
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = int(probe.getsockname()[1])
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._port}", timeout=30.0, trust_env=False)
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self, point: str = "") -> None:
        self._begin(point)
        for _ in range(1000):
            with contextlib.suppress(httpx.TransportError):
                if (await self.client.get("/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.03)
        raise AssertionError("the platform does not start")

    def _begin(self, point: str) -> None:
        command = [sys.executable, "-c", SERVER, self._settings, str(self._port), point]
        self.process = subprocess.Popen(command)

    def wait(self) -> int:
        assert self.process is not None
        return self.process.wait(30)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def rows(self, table: str, admin: dict[str, str]) -> list[dict[str, Any]]:
        answer = await self.client.get(f"/admin/export/{table}", headers=admin)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.text.splitlines()]


@pytest.fixture
async def server(settings: Any, anyio_backend: str) -> AsyncIterator[Server]:
    one = Server(settings)
    yield one
    await one.client.aclose()
    one.end()


@pytest.mark.parametrize(
    ("point", "decided"),
    [
        ("stock-try-after", False),
        ("balance-try-before", False),
        ("balance-try-after", False),
        ("coupon-confirm-before", True),
        ("balance-confirm-after", True),
    ],
)
async def test_a_killed_process_leaves_every_sum_right(
    server: Server, settings: Any, eventually: Any, point: str, decided: bool
) -> None:
    await server.start(point)
    form = {"username": "admin", "password": settings.admin_password}
    token = (await server.client.post("/auth/token", data=form)).json()["access_token"]
    admin = {"Authorization": f"Bearer {token}"}

    async def made(path: str, body: Any) -> Any:
        answer = await server.client.post(path, json=body, headers=admin)
        assert answer.status_code == 201, answer.text
        return answer.json()

    dishes = [{"ref": "d", "name": "面", "price_fen": 2000, "stock": 10}]
    shops = await made("/admin/merchants:bulk", [{"ref": "m", "name": "店", "lat": 30, "lng": 120, "dishes": dishes}])
    (shop,), (user,) = (
        shops["merchants"],
        (await made("/admin/accounts:bulk", [{"ref": "u", "role": "consumer"}]))["accounts"],
    )
    await made("/admin/coupons", [{"code": "FIVE", "threshold_fen": 0, "off_fen": 500, "budget_fen": 5000}])
    await made("/admin/wallets:bulk", [{"user_id": user["id"], "amount_fen": 20_000, "key": "k"}])
    body = {"merchant_id": shop["id"], "items": [{"dish_id": shop["dishes"][0]["id"], "qty": 2}],
            "drop": {"lat": 30, "lng": 120}, "coupon_code": "FIVE", "pay_with": "balance"}  # fmt: skip
    headers = {"Authorization": f"Bearer {user['token']}", "Idempotency-Key": "k"}

    with pytest.raises(httpx.TransportError):
        await server.client.post("/orders", json=body, headers=headers)
    assert server.wait() == -9
    await server.start()

    async def at_rest() -> Any:
        states = {row["state"] for row in await server.rows("reservations", admin)}
        return len(states) == 1 and states != {"tried"} and states

    assert await eventually(at_rest, 30.0) == {"confirmed" if decided else "cancelled"}
    spent = 3800 if decided else 0
    (wallet,), (stock,), (coupon,) = [await server.rows(name, admin) for name in ("wallets", "stock", "coupons")]
    assert (wallet["balance_fen"], wallet["held_fen"]) == (20_000 - spent, 0)
    assert (stock["level"], coupon["committed_fen"]) == ((8, 500) if decided else (10, 0))
    assert len(await server.rows("orders", admin)) == int(decided)

    async def placed() -> Any:
        answer = await server.client.post("/orders", json=body, headers=headers)
        return answer.status_code == 201 and answer

    again = await eventually(placed)  # the user's application asks again with the same key: one order, paid once
    assert again.json()["state"] == "paid"
    assert ("Idempotent-Replayed" in again.headers) is decided
    assert len(await server.rows("orders", admin)) == 1
    (wallet,) = await server.rows("wallets", admin)
    assert (wallet["balance_fen"], wallet["held_fen"]) == (16_200, 0)
