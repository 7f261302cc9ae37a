"""The hot lane: the few routes that the peak lives on, in front of the framework.

Decides that such a route is declared once and reachable in two ways with the same effect: FastAPI knows it (OpenAPI,
permission matrix, odd requests), and the lane answers the ordinary request before routing and dependency solving are
begun, which cost several times what the handler does. A handler is `async fn(request, user, *ids) -> Response`; `user`
is None on a route without log-in. Whole-number segments of the path are its ids.

Tokens are checked once and remembered until they expire.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import jwt
from fastapi import Depends, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import authenticate, authorize, current_user, require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import PlatformError, Unprocessable, error_response
from o2o_platform.kit.clock import Clock
from o2o_platform.kit.web import schema_of

Handler: TypeAlias = Callable[..., Awaitable[Response]]
Access: TypeAlias = Permission | None
"""A permission, or None: whoever has logged in."""

PUBLIC = "public"
MAX_TOKENS = 50_000
"""Remembered tokens; beyond that all are forgotten and checked anew."""


class Tokens:
    """Users by bearer token, until the token expires."""

    def __init__(self, secret: str, clock: Clock) -> None:
        self._secret = secret
        self._clock = clock
        self._known: dict[str, tuple[CurrentUser, float]] = {}

    def user(self, header: str | None) -> CurrentUser:
        """The user behind an Authorization header. Raises Unauthenticated."""
        scheme, _, token = (header or "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else ""
        known, now = self._known.get(token), self._clock.now()
        if known is not None and now < known[1]:
            return known[0]
        user = authenticate(self._secret, token or None, now=now)
        if len(self._known) >= MAX_TOKENS:
            self._known.clear()
        expires = float(jwt.decode(token, options={"verify_signature": False})["exp"])  # verified a line above
        self._known[token] = (user, expires)
        return user


class HotLane:
    """The table of hot routes; `install` it, then add routes."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._routes: dict[tuple[str, str], tuple[Handler, Access | str]] = {}

    def add(
        self,
        app: FastAPI,
        method: str,
        path: str,
        handler: Handler,
        access: Access | str,
        *,
        tag: str,
        body: type[Any] | None = None,
        status: int = 200,
    ) -> None:
        """Have `handler` answer `method path` ({name} in the path: a whole number)."""
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        shape = "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
        self._routes[method, shape] = (handler, access)
        extra: dict[str, Any] = schema_of(body) if body is not None else {}
        if names:
            extra["parameters"] = [
                {"name": name, "in": "path", "required": True, "schema": {"type": "integer"}} for name in names
            ]
        app.add_api_route(
            path,
            _documented(handler, names, access),
            methods=[method],
            status_code=status,
            tags=[tag],
            name=handler.__name__,
            description=handler.__doc__,
            openapi_extra=extra,
        )

    def install(self, app: FastAPI) -> None:
        """Put the lane in front of the app's routing."""
        app.add_middleware(_Front, lane=self)

    def find(self, method: str, path: str) -> tuple[Handler, Access | str, list[int]] | None:
        """The route of this request and its ids, None if it is not on the lane."""
        ids, shape = [], []
        for part in path.split("/"):
            if part.isdecimal() and len(part) < 19:
                ids.append(int(part))
                shape.append("{}")
            else:
                shape.append(part)
        found = self._routes.get((method, "/".join(shape)))
        return None if found is None else (*found, ids)

    async def answer(self, request: Request, handler: Handler, access: Access | str, ids: list[int]) -> Response:
        """What the handler says, or the error it raises, as a response."""
        try:
            user = None
            if access != PUBLIC:
                user = self._tokens.user(request.headers.get("authorization"))
                if isinstance(access, Permission):
                    authorize(user, access)
            return await handler(request, user, *ids)
        except PlatformError as exc:
            return error_response(exc.status, exc.code, exc.detail, exc.headers)


class _Front:
    def __init__(self, app: ASGIApp, lane: HotLane) -> None:
        self._app = app
        self._lane = lane

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (found := self._lane.find(scope["method"], scope["path"])) is not None:
            response = await self._lane.answer(Request(scope, receive), *found)
            await response(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _documented(handler: Handler, names: list[str], access: Access | str) -> Callable[..., Awaitable[Response]]:
    """The same handler as FastAPI wants it."""

    async def call(request: Request, user: CurrentUser | None) -> Response:
        try:
            ids = [int(request.path_params[name]) for name in names]
        except ValueError:
            raise Unprocessable("invalid", f"{', '.join(names)} must be a whole number") from None
        return await handler(request, user, *ids)

    if access == PUBLIC:

        async def public(request: Request) -> Response:
            return await call(request, None)

        return public

    asked: Any = require(access) if isinstance(access, Permission) else Depends(current_user)

    async def private(request: Request, user: CurrentUser = asked) -> Response:
        return await call(request, user)

    return private
