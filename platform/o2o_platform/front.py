"""What a request meets first: the hot lane, before the framework's middleware.

Decides that the lane's requests are counted and logged as all others are (`kit.access`), without the framework.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from o2o_platform.hot_lane import Entry, HotLane, Lean
from o2o_platform.kit.access import ROUTE, Access, answered
from o2o_platform.kit.logs import RequestLines
from o2o_platform.kit.meters import Meters

_JSON = (b"content-type", b"application/json")


class Platform(FastAPI):
    """An app that may have something in front of all of its middleware."""

    _front: ASGIApp | None = None

    def put_in_front(self, make: Callable[[ASGIApp], ASGIApp]) -> None:
        """Have requests answered by `make(this app)`."""
        self._front = make(super().__call__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["app"] = self
        await (self._front or super().__call__)(scope, receive, send)


class Front:
    """The hot lane before an app; requests that it does not know go on to the app."""

    def __init__(self, app: ASGIApp, lane: HotLane, meters: Meters, lines: RequestLines) -> None:
        self._app = app
        self._lane = lane
        self._meters = meters
        self._lines = lines
        self._hot = Access(self._ordinary, meters, lines)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif (lean := self._lane.lean(scope["method"], scope["path"])) is not None:
            await self._leanly(scope, receive, send, *lean)
        else:
            await self._hot(scope, receive, send)

    async def _leanly(self, scope: Scope, receive: Receive, send: Send, lean: Lean, access: Entry | str) -> None:
        began, status = time.perf_counter(), 500
        scope[ROUTE] = scope["path"]
        try:
            answer = await self._lane.answer_lean(scope, receive, lean, access)
            if answer is None:
                return
            status, body, more = answer
            headers = [_JSON, (b"content-length", b"%d" % len(body)), *more]
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
        finally:
            answered(self._meters, self._lines, scope, status, time.perf_counter() - began)

    async def _ordinary(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._lane.find(scope["method"], scope["path"])
        if found is not None:
            response = await self._lane.answer(Request(scope, receive), *found)
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)
