"""What the helper services share: their routes, a file of their own, and a way to make them ill.

Decides the wire (see `wire`) and the modes of a fault, set by POST /control as the sandbox provider's are by payment:
`latency_s`, `errors` (every answer is a 500), `silent` (no answer, ever). What a service knows and says is its own.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

import msgspec
from msgspec import Meta, Struct
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from o2o_platform.errors import PlatformError, error_response
from o2o_platform.helpers.wire import Newest
from o2o_platform.kit.web import body, reply


class Mode(Struct, frozen=True, forbid_unknown_fields=True):
    """How a service behaves; of /healthz and /control nothing changes."""

    latency_s: Annotated[float, Meta(ge=0, le=3600)] = 0.0
    errors: bool = False
    silent: bool = False


class Knowledge(Protocol):
    """One service: what it is called and what it answers, by what `wire` says."""

    name: str
    questions: msgspec.json.Decoder[Any]

    def answer(self, question: Any) -> Any:
        """What it says to one question."""
        ...

    def commit(self) -> None:
        """Keep what came of the last request."""
        ...

    def close(self) -> None:
        """Nothing more is asked."""
        ...


@runtime_checkable
class Learner(Knowledge, Protocol):
    """A service that has to be told things."""

    events: msgspec.json.Decoder[Any]

    def learn(self, event: Any) -> None:
        """Take in one event, unless it is known."""
        ...

    def newest(self) -> float:
        """See `wire.Newest`."""
        ...


def open_file(path: Path | None, schema: str) -> sqlite3.Connection:
    """A service's own database; in memory if no file is named. A crash of the machine may cost the last second."""
    conn = sqlite3.connect(path or ":memory:")
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("PRAGMA synchronous=OFF")
    conn.executescript(schema)
    return conn


class _Service:
    def __init__(self, knowledge: Knowledge) -> None:
        self.knowledge = knowledge
        self.mode = Mode()
        self._stopped = asyncio.Event()

    def routes(self) -> list[Route]:
        name = self.knowledge.name
        routes = [
            Route(f"/{name}/ask", self._ask, methods=["POST"]),
            Route("/control", self._control, methods=["POST"]),
            Route("/healthz", self._healthz, methods=["GET"]),
        ]
        if isinstance(self.knowledge, Learner):
            routes.append(Route(f"/{name}/events", self._events, methods=["POST"]))
        return routes

    @asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            self.knowledge.close()

    async def _ask(self, request: Request) -> Response:
        questions = await body(request, self.knowledge.questions)
        if (ill := await self._ill()) is not None:
            return ill
        answers = [self.knowledge.answer(question) for question in questions]
        self.knowledge.commit()
        return reply(answers)

    async def _events(self, request: Request) -> Response:
        learner = self.knowledge
        assert isinstance(learner, Learner)
        events = await body(request, learner.events)
        if (ill := await self._ill()) is not None:
            return ill
        for event in events:
            learner.learn(event)
        learner.commit()
        return reply(Newest(learner.newest()))

    async def _control(self, request: Request) -> Response:
        self.mode = await body(request, _MODE)
        return reply(self.mode)

    async def _healthz(self, request: Request) -> Response:
        return reply({"status": "ok", "helper": self.knowledge.name})

    async def _ill(self) -> Response | None:
        mode = self.mode
        if mode.silent:
            await self._stopped.wait()  # until whoever asks hangs up, or the process ends
        if mode.latency_s:
            await asyncio.sleep(mode.latency_s)
        return error_response(500, "made_ill", "by /control") if mode.errors else None


_MODE = msgspec.json.Decoder(Mode)


def create_service(knowledge: Knowledge) -> Starlette:
    """The service as an ASGI app."""
    service = _Service(knowledge)

    async def platform_error(_: Request, exc: Exception) -> Response:
        assert isinstance(exc, PlatformError)
        return error_response(exc.status, exc.code, exc.detail)

    app = Starlette(
        routes=service.routes(), lifespan=service.lifespan, exception_handlers={PlatformError: platform_error}
    )
    app.state.service = service
    return app
