"""What is known of a request when it has been answered: counted always, written down if somebody wants to read it.

Decides where a request's facts come from: its route's template from the hot lane or from the framework's routing, who
asked from whoever checked the token, the order from the path or from the handler (`about`). Costs a closure
and a few look-ups a request.
"""

from __future__ import annotations

import time
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from o2o_platform.kit import logs
from o2o_platform.kit.logs import RequestLines
from o2o_platform.kit.meters import Meters

ROUTE = "o2o.route"
USER = "o2o.user"
"""Keys of a request's scope: the route's template, where the framework does not know it; whom the token speaks for."""
_FACTS = "o2o.facts"
NO_ROUTE = "(none)"
"""Of requests that no route matches: anybody may make up paths."""


def about(scope: Scope, **facts: Any) -> None:
    """Add facts to the request's line, e.g. order_id=12; None is no fact."""
    scope.setdefault(_FACTS, {}).update(facts)


class Access:
    """ASGI middleware; it stands in front of everything else."""

    def __init__(self, app: ASGIApp, meters: Meters, lines: RequestLines) -> None:
        self._app = app
        self._meters = meters
        self._lines = lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = 500  # an exception that passes through here becomes one

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, tell)
        finally:
            answered(self._meters, self._lines, scope, status, time.perf_counter() - began)


def answered(meters: Meters, lines: RequestLines, scope: Scope, status: int, took_s: float) -> None:
    """Count a request that has been answered, and write its line if it has one."""
    route = route_of(scope)
    meters.request(scope["method"], route, status, took_s)
    if lines.wanted(status):
        _write(scope, route, status, took_s)


def route_of(scope: Scope) -> str:
    """The template of the request's path."""
    known: str | None = scope.get(ROUTE)
    if known is None:
        known = getattr(scope.get("route"), "path", None)
    return known or NO_ROUTE


def _write(scope: Scope, route: str, status: int, took_s: float) -> None:
    facts = {"order_id": _order_id(route, scope["path"]), **scope.get(_FACTS, {})}
    if (user := scope.get(USER)) is not None:
        facts |= {"role": user.role.value, "user_id": user.id}
    logs.line("request", method=scope["method"], route=route, status=status, ms=round(took_s * 1000, 2), **facts)


def _order_id(route: str, path: str) -> int | None:
    """The order that the path names, if its template has one."""
    if "{order_id}" not in route:
        return None
    text = path.split("/")[route.split("/").index("{order_id}")]
    return int(text) if text.isdecimal() else None
