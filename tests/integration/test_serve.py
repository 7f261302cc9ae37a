"""`o2o serve` as a process: it answers, an order goes from log-in to paper, it ends cleanly, and it can be loaded."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from o2o_cli.jobs.platform import settings_for
from o2o_devices.fleet import Fleet, PrinterSpec
from o2o_devices.receipt import Receipt
from o2o_domain.ticket_layout import parse
from o2o_results.run import RunReader

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_from_registration_to_paper_and_a_clean_end(
    served: Any, town_of: Any, password: str, anyio_backend: str
) -> None:
    platform = served()
    await asyncio.to_thread(platform.start)
    papers: asyncio.Queue[Receipt] = asyncio.Queue()
    async with Fleet([PrinterSpec(0)], on_paper=lambda _, receipt, at: papers.put_nowait(receipt)) as fleet:
        town = town_of(platform.base_url, password)
        pages = (("/readyz", "ready"), ("/healthz", "ok"), ("/docs", "openapi.json"), ("/openapi.json", "paths"))
        for path, says in pages:
            answer = await town.client.get(path)
            assert answer.status_code == 200, path
            assert says in answer.text, path
        await town.log_in()
        shop = await town.merchant("corner", fleet.address(0))
        known = {"ref": "lin", "password": "a-long-password", "name": "林"}
        registered = await town.client.post("/auth/register", json=known)
        assert registered.status_code == 201, registered.text
        form = {"username": "lin", "password": "a-long-password"}
        token = (await town.client.post("/auth/token", data=form)).json()["access_token"]
        placed = await town.order(token, shop)
        assert placed["state"] == "pending_payment"
        await town.pay(placed)
        async with asyncio.timeout(30):
            ticket = parse((await papers.get()).text_lines)
        assert (ticket.order_no, ticket.total_fen) == (placed["order_no"], placed["total_fen"])
        await town.client.aclose()
    assert platform.end(signal.SIGTERM) == 0
    with sqlite3.connect(platform.database) as conn:
        assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert conn.execute("SELECT count(*) FROM orders WHERE paid IS NOT NULL").fetchone() == (1,)
    await asyncio.to_thread(platform.start)  # and opens again
    async with httpx.AsyncClient(base_url=platform.base_url, trust_env=False) as client:
        assert (await client.get("/readyz")).status_code == 200
    assert platform.end(signal.SIGINT) == 0


def test_a_served_platform_can_be_loaded_from_outside(served: Any, small: Any, password: str, tmp_path: Path) -> None:
    settings = settings_for(small)
    platform = served(dispatch_patience_s=settings.dispatch_patience_s, enforce_hours=False)
    platform.start()
    scenario = tmp_path / "small.yaml"
    scenario.write_text(small.model_copy(update={"printing": type(small.printing)()}).model_dump_json(), "utf-8")
    argv = [sys.executable, "-m", "o2o_cli.main", "load", str(scenario), "--target", platform.base_url]
    argv += ["--speed", "180", "--duration", "2", "--no-twin", "--quiet", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        argv,
        env={**os.environ, "O2O_ADMIN_PASSWORD": password},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    run = RunReader(tmp_path / "run")
    assert run.manifest.status == "finished"
    assert run.manifest.notes["target"] == platform.base_url
    assert [verdict for verdict in run.manifest.verdicts if not verdict.ok] == []
    assert run.table("receipts").num_rows > 10
    assert platform.end(signal.SIGTERM) == 0
