"""The three helper services behind sockets in the test's own loop, and a platform that asks them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import uvicorn

from o2o_platform.helpers.recommendation import Recommender
from o2o_platform.helpers.reviews import Reviews
from o2o_platform.helpers.risk import Risk
from o2o_platform.helpers.service import Knowledge, create_service
from o2o_platform.kit.clock import ManualClock
from o2o_platform.settings import Settings


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Served:
    """One helper behind a socket."""

    url: str
    client: httpx.AsyncClient
    service: Any

    async def become(self, **mode: Any) -> None:
        """Set how it behaves; nothing: well again."""
        assert (await self.client.post(f"{self.url}/control", json=mode)).status_code == 200


@contextlib.asynccontextmanager
async def served(knowledge: Knowledge) -> AsyncIterator[Served]:
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_service(knowledge)
    config = uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=0)
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", client, app.state.service)
    finally:
        server.should_exit = True
        await task


@dataclass
class Services:
    """All three."""

    risk: Served
    recommendation: Served
    reviews: Served


@pytest.fixture
async def services(anyio_backend: str) -> AsyncIterator[Services]:
    async with served(Risk()) as risk, served(Recommender()) as recommendation, served(Reviews()) as reviews:
        yield Services(risk, recommendation, reviews)


@pytest.fixture
async def helped(settings: Settings, services: Services, open_world: Any) -> AsyncIterator[Any]:
    """A platform that asks the three; its time-outs are long, so that only what a test does makes a helper fail."""
    told = replace(
        settings,
        risk_url=services.risk.url,
        recommendation_url=services.recommendation.url,
        reviews_url=services.reviews.url,
        helper_timeout_s=10.0,
        breaker_failures=3,
        breaker_open_s=5.0,
    )
    async with open_world(told, ManualClock()) as world:
        yield world
