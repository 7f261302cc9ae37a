"""Benchmarks of the platform's ASGI app, without a network: POST /orders, and printers that ask and find nothing."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from o2o_domain.roles import Role
from o2o_platform.accounts.tokens import CurrentUser, issue_token
from o2o_platform.app import create_app
from o2o_platform.settings import Settings

BATCH = 50
"""Orders that arrive together, so that the writer's group commit has a group."""


class Platform:
    """The app on its own event loop, called without HTTP bytes."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(
            database_url=f"sqlite:///{folder}/o2o.db",
            durable=False,  # what a disk's sync costs is not ours to measure here
            jwt_secret="0" * 64,
            admin_password="admin-password",
            provider_secret="1" * 64,
            enforce_hours=False,
        )
        self.runner = asyncio.Runner()
        self.app = create_app(self.settings)
        self._life = self.app.router.lifespan_context(self.app)
        self.runner.run(self._life.__aenter__())

    def close(self) -> None:
        self.runner.run(self._life.__aexit__(None, None, None))
        self.runner.close()

    def token(self, account_id: int, role: Role, name: str) -> str:
        user = CurrentUser(account_id, role, name)
        return issue_token(self.settings.jwt_secret, user, now=self.app.state.ctx.clock.now(), ttl_s=86_400.0)

    async def post(self, path: str, body: Any, token: str, key: str = "") -> tuple[int, Any]:
        """Status and JSON of a POST."""
        raw = json.dumps(body).encode()
        headers = [(b"content-type", b"application/json"), (b"authorization", f"Bearer {token}".encode())]
        if key:
            headers.append((b"idempotency-key", key.encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("platform", 80),
        }
        status, answer = 0, b""
        sent = False

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent:
                await asyncio.Event().wait()
            sent = True
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Any) -> None:
            nonlocal status, answer
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                answer += message.get("body", b"")

        await self.app(scope, receive, send)
        return status, json.loads(answer)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    running = Platform(tmp_path)
    yield running
    running.close()


def test_order_path(bench: Any, platform: Platform) -> None:
    """Platform: POST /orders (ASGI).

    On SQLite, 50 at a time, without fsync."""
    admin = platform.token(1, Role.ADMIN, "admin")
    menu = [{"ref": f"d{number}", "name": f"菜 {number}", "price_fen": 2000, "stock": 10**8} for number in range(3)]
    shop = {"ref": "s", "name": "店", "lat": 30.0, "lng": 120.0, "dishes": menu}
    status, made = platform.runner.run(platform.post("/admin/merchants:bulk", [shop], admin))
    assert status == 201, made
    merchant = made["merchants"][0]
    status, made = platform.runner.run(
        platform.post("/admin/accounts:bulk", [{"ref": "u", "role": "consumer", "name": "用户"}], admin)
    )
    assert status == 201, made
    user = made["accounts"][0]["token"]
    body = {
        "merchant_id": merchant["id"],
        "items": [{"dish_id": dish["id"], "qty": 1} for dish in merchant["dishes"]],
        "drop": {"lat": 30.01, "lng": 120.0, "address": "文一路 1 号", "phone": "13812345678"},
        "note": "少放辣",
    }
    numbers = itertools.count()

    async def batch() -> list[tuple[int, Any]]:
        return await asyncio.gather(
            *(platform.post("/orders", body, user, f"key-{next(numbers)}") for _ in range(BATCH))
        )

    answers = bench(lambda: platform.runner.run(batch()), units=BATCH, unit="orders")
    assert [status for status, _ in answers] == [201] * BATCH
    assert len({answer["order_id"] for _, answer in answers}) == BATCH


def test_printer_polls(bench: Any, platform: Platform) -> None:
    """Platform: POST /cloudprnt without a job (ASGI).

    1,000 printers in turn, on SQLite; signs of life are written by and by."""
    admin = platform.token(1, Role.ADMIN, "admin")
    shops = [
        {
            "ref": f"s{number}",
            "name": "店",
            "lat": 30.0,
            "lng": 120.0,
            "dishes": [{"ref": "d", "name": "菜", "price_fen": 2000, "stock": 1}],
            "printer": {"url": f"cloudprnt://001162{number:06x}", "width_cols": 48},
        }
        for number in range(1000)
    ]
    status, made = platform.runner.run(platform.post("/admin/merchants:bulk", shops, admin))
    assert status == 201, made
    polls = [
        {"statusCode": "200%20OK", "printerMAC": f"00:11:62:00:{number >> 8:02x}:{number & 255:02x}", "jobToken": None}
        for number in range(1000)
    ]

    async def round_of_all() -> list[tuple[int, Any]]:
        return [await platform.post("/cloudprnt", poll, "") for poll in polls]

    asked = platform.runner.run(round_of_all())
    assert all("clientAction" in answer for _, answer in asked)
    answers = bench(lambda: platform.runner.run(round_of_all()), units=len(polls), unit="polls")
    assert answers == [(200, {"jobReady": False})] * len(polls)
