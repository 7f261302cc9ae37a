"""/healthz, /readyz and /metrics of workers and of processes without an API; a request's line says who and what."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import structlog

from o2o_platform.app import create_app
from o2o_platform.kit import logs
from o2o_platform.kit.duties import ALL, Duty
from o2o_platform.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def _json_lines(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    logs.configure("json")
    yield
    logs.configure("off")
    structlog.reset_defaults()
    root.handlers[:], root.level = handlers, level


class Process:
    """A platform app with these duties, and a client of it."""

    def __init__(self, settings: Settings, duties: frozenset[Duty]) -> None:
        self.app = create_app(settings, duties=duties)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=self.app), base_url="http://platform")

    async def __aenter__(self) -> httpx.AsyncClient:
        self._lifespan = self.app.router.lifespan_context(self.app)
        await self._lifespan.__aenter__()
        return self.client

    async def __aexit__(self, *error: Any) -> None:
        await self.client.aclose()
        await self._lifespan.__aexit__(None, None, None)


async def test_ready_only_between_start_and_end(settings: Settings, deployment: str) -> None:
    process = Process(settings, ALL)
    before = await process.client.get("/readyz")
    assert before.status_code == 503
    assert "startup" in before.json()["missing"]
    async with process as client:
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert (await client.get("/healthz")).json() == {"status": "ok"}
        process.app.state.ready = False
        assert (await client.get("/readyz")).status_code == 503
        assert (await client.get("/healthz")).status_code == 200


async def test_what_is_missing_is_named(settings: Settings, deployment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    process = Process(settings, ALL)
    async with process as client:
        ctx = process.app.state.ctx

        async def away(*_: Any, **__: Any) -> None:
            raise OSError("the server is away")

        ctx.background.failing["print"] = "OSError: no printer"
        monkeypatch.setattr(ctx.db, "read", away)
        wanted = {"database": "the server is away", "duties": "print failed: OSError: no printer"}
        if ctx.redis is not None:
            monkeypatch.setattr(ctx.redis.client, "ping", away)
            wanted["redis"] = "the server is away"
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["missing"] == wanted
        assert "database: the server is away" in answer.json()["error"]["detail"]
        monkeypatch.undo()


async def test_figures_of_a_worker(settings: Settings, deployment: str) -> None:
    async with Process(settings, ALL) as client:
        await client.get("/merchants/1/menu")
        await client.get("/merchants/2/menu")
        await client.get("/nowhere/in/particular")
        form = {"username": "admin", "password": settings.admin_password}
        assert (await client.post("/auth/token", data=form)).status_code == 200
        answer = await client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    assert 'o2o_requests_total{method="GET",route="/merchants/{merchant_id}/menu",status="404"} 2.0' in lines
    assert 'o2o_requests_total{method="GET",route="(none)",status="404"} 1.0' in lines
    assert 'o2o_requests_total{method="POST",route="/auth/token",status="200"} 1.0' in lines
    units = next(line for line in lines if line.startswith("o2o_db_units_total"))
    assert float(units.split()[1]) > 0
    assert 'o2o_duty{duty="http"} 1.0' in lines


@pytest.mark.parametrize("deployment", ["scaled"], indirect=True)
@pytest.mark.parametrize("duty", [Duty.RELAY, Duty.DISPATCH])
async def test_a_process_without_an_api_answers_for_its_health_only(
    settings: Settings, deployment: str, duty: Duty
) -> None:
    async with Process(settings, frozenset({duty})) as client:
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert f'o2o_duty{{duty="{duty}"}} 1.0' in (await client.get("/metrics")).text
        for path in ("/orders", "/merchants/1/menu", "/docs"):
            assert (await client.get(path)).status_code == 404, path


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
@pytest.mark.usefixtures("_json_lines")
async def test_a_request_has_one_line_that_says_who_asked_what(
    settings: Settings, deployment: str, capfd: pytest.CaptureFixture[str]
) -> None:
    async with Process(settings, ALL) as client:
        form = {"username": "admin", "password": settings.admin_password}
        token = (await client.post("/auth/token", data=form)).json()["access_token"]
        capfd.readouterr()
        await client.get("/orders/77", headers={"Authorization": f"Bearer {token}"})
        await client.get("/merchants/5/menu")
    one, other = (json.loads(line) for line in capfd.readouterr().err.splitlines())
    assert {name: one[name] for name in ("event", "method", "route", "status", "role", "order_id")} == {
        "event": "request",
        "method": "GET",
        "route": "/orders/{order_id}",
        "status": 404,
        "role": "admin",
        "order_id": 77,
    }
    assert one["ms"] > 0
    assert other["route"] == "/merchants/{merchant_id}/menu"
    assert "role" not in other


@pytest.mark.parametrize("deployment", ["embedded"], indirect=True)
@pytest.mark.usefixtures("_json_lines")
async def test_failures_only(settings: Settings, deployment: str, capfd: pytest.CaptureFixture[str]) -> None:
    async with Process(replace(settings, log_sample=0.0), ALL) as client:
        capfd.readouterr()
        await client.get("/merchants/5/menu")
    assert capfd.readouterr().err == ""
