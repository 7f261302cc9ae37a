"""The whole platform killed (SIGKILL) under orders, and started again on its files (A13, A14, W9).

A process of its own serves platform and payment provider on loopback; the printer is this test's.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio

SERVER = """
import asyncio, sys
from pathlib import Path
import uvicorn
from o2o_platform.app import create_app
from o2o_platform.payments.sandbox import create_sandbox
from o2o_platform.settings import Settings

async def main(folder, platform_port, provider_port):
    settings = Settings(
        database_url=f"sqlite:///{folder}/o2o.db", jwt_secret="j" * 64, admin_password="password",
        provider_secret="p" * 64, public_url=f"http://127.0.0.1:{platform_port}",
        provider_url=f"http://127.0.0.1:{provider_port}", enforce_hours=False,
    )
    provider = create_sandbox(settings.public_url, settings.provider_secret, journal=Path(folder) / "provider.jsonl")
    await asyncio.gather(*(
        uvicorn.Server(uvicorn.Config(app, port=int(port), log_level="error")).serve()
        for app, port in ((create_app(settings), platform_port), (provider, provider_port))
    ))

asyncio.run(main(*sys.argv[1:]))
"""
ORDERS, KILLED_AT = 60, (20, 40)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Service:
    """The process, its client, and requests that are sent again until they are answered."""

    def __init__(self, folder: Path) -> None:
        self._ports = free_port(), free_port()
        self._command = [sys.executable, "-c", SERVER, str(folder), *map(str, self._ports)]
        self._process = subprocess.Popen(self._command)
        self.provider_url = f"http://127.0.0.1:{self._ports[1]}"
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self._ports[0]}", timeout=30.0, trust_env=False)

    async def insist(self, method: str, url: str, **kwargs: Any) -> Any:
        """Until somebody answers: whoever asks cannot know whether the first request came through."""
        for _ in range(2000):
            with contextlib.suppress(httpx.TransportError):
                answer = await self.client.request(method, url, **kwargs)
                assert answer.is_success, answer.text
                return answer
            await asyncio.sleep(0.01)
        raise AssertionError(f"{method} {url}: nobody answers")

    async def rows(self, table: str, **kwargs: Any) -> list[dict[str, Any]]:
        answer = await self.insist("GET", f"/admin/export/{table}", **kwargs)
        return [json.loads(line) for line in answer.text.splitlines()]

    def kill_and_start(self) -> None:
        self.kill()
        self._process = subprocess.Popen(self._command)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
async def service(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Service]:
    running = Service(tmp_path)
    yield running
    await running.client.aclose()
    running.kill()


async def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(
    service: Service, peer: Any, printer_at: Any, eventually: Any
) -> None:
    form = {"username": "admin", "password": "password"}
    token = (await service.insist("POST", "/auth/token", data=form)).json()["access_token"]
    admin = {"headers": {"Authorization": f"Bearer {token}"}}
    dishes = [{"ref": "d", "name": "面", "price_fen": 1000, "stock": 1000}]
    shops = [{"ref": f"m{i}", "name": "店", "lat": 30, "lng": 120, "dishes": dishes, "printer": printer_at(peer)}
             for i in range(5)]  # fmt: skip
    merchants = (await service.insist("POST", "/admin/merchants:bulk", json=shops, **admin)).json()["merchants"]
    accounts = [{"ref": "u", "role": "consumer"}]
    made = (await service.insist("POST", "/admin/accounts:bulk", json=accounts, **admin)).json()["accounts"]
    acknowledged: dict[str, int] = {}

    async def buy(number: int) -> None:
        merchant = merchants[number % 5]
        body = {"merchant_id": merchant["id"], "items": [{"dish_id": merchant["dishes"][0]["id"], "qty": 1}],
                "drop": {"lat": 30, "lng": 120}}  # fmt: skip
        headers = {"Authorization": f"Bearer {made[0]['token']}", "Idempotency-Key": f"k{number}"}
        placed = (await service.insist("POST", "/orders", json=body, headers=headers)).json()
        acknowledged[f"k{number}"] = placed["order_id"]
        await service.insist("POST", placed["payment"]["pay_url"], json={"callback_s": 0.05})

    tasks = []
    for number in range(ORDERS):
        tasks.append(asyncio.create_task(buy(number)))
        await asyncio.sleep(0.01)  # orders keep coming
        if number in KILLED_AT:
            service.kill_and_start()
    await asyncio.gather(*tasks)

    async def settled() -> Any:
        orders, tickets = await service.rows("orders", **admin), await service.rows("tickets", **admin)
        over = [row["state"] for row in orders] == ["paid"] * ORDERS
        return over and all(row["state"] in ("printed", "unconfirmed") for row in tickets) and (orders, tickets)

    orders, tickets = await eventually(settled, 60.0)
    assert {row["order_ref"]: row["order_id"] for row in orders} == acknowledged
    assert sorted(row["order_id"] for row in tickets) == sorted(acknowledged.values())
    papers = collections.Counter(re.findall(r"END.*#(W\d+)", "\n".join(peer.texts())))
    assert set(papers.values()) == {1}  # no order is on paper twice
    on_paper = {row["order_no"] for row in orders if row["printed"] is not None}
    assert on_paper <= papers.keys()
    ledger, stock = await service.rows("ledger", **admin), await service.rows("stock", **admin)
    money = sum(row["amount_fen"] for row in ledger if row["account"] == "provider_clearing")
    charges = (await service.insist("GET", f"{service.provider_url}/statement")).json()["charges"]
    assert sum(row["charged_fen"] for row in charges) == money
    assert money == sum(row["paid_fen"] for row in orders) == ORDERS * 1300
    assert sum(row["amount_fen"] for row in ledger) == 0
    assert sum(row["initial"] - row["level"] for row in stock) == ORDERS
