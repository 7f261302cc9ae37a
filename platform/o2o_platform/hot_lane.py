"""The hot lane: the few routes that the peak lives on, in front of the framework.

Decides that such a route is declared once and reachable in two ways with the same effect: FastAPI knows it (OpenAPI,
permission matrix, odd requests), and the lane answers the ordinary request before routing and dependency solving are
begun, which cost several times what the handler does. A handler is `async fn(request, user, *ids) -> Response`; `user`
is None on a route without log-in. Whole-number segments of the path are its ids.

The leanest routes (`add_lean`) do without request and response objects too: `async fn(user, headers, body) -> Answer`,
bytes to bytes. `front` puts the lane in front of the framework's middleware.

Tokens are checked once and remembered until they expire.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from fastapi import Depends, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope

from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import authenticate_until, authorize, current_user, require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import PlatformError, Unprocessable, error_response
from o2o_platform.kit.access import ROUTE, USER
from o2o_platform.kit.clock import Clock
from o2o_platform.kit.web import schema_of

Handler: TypeAlias = Callable[..., Awaitable[Response]]
Headers: TypeAlias = Mapping[bytes, bytes]
"""Of a request, by name in lower case."""
Answer: TypeAlias = tuple[int, bytes, tuple[tuple[bytes, bytes], ...]]
"""Status, JSON, further headers."""
Lean: TypeAlias = Callable[[Any, Headers, bytes], Awaitable[Answer]]
Entry: TypeAlias = Permission | None
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
        user, expires = authenticate_until(self._secret, token or None, now=now)
        if len(self._known) >= MAX_TOKENS:
            self._known.clear()
        self._known[token] = (user, expires)
        return user


class HotLane:
    """The table of hot routes; add routes, and put it in front of the app (`front`)."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._routes: dict[tuple[str, str], tuple[Handler, Entry | str, str]] = {}
        self._lean: dict[tuple[str, str], tuple[Lean, Entry | str]] = {}

    def add(
        self,
        app: FastAPI,
        method: str,
        path: str,
        handler: Handler,
        access: Entry | str,
        *,
        tag: str,
        body: type[Any] | None = None,
        status: int = 200,
    ) -> None:
        """Have `handler` answer `method path` ({name} in the path: a whole number)."""
        names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        shape = "/".join("{}" if part.startswith("{") else part for part in path.split("/"))
        self._routes[method, shape] = (handler, access, path)
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

    def add_lean(
        self,
        app: FastAPI,
        method: str,
        path: str,
        lean: Lean,
        access: Entry | str,
        *,
        tag: str,
        body: type[Any],
        status: int = 200,
    ) -> None:
        """Have `lean` answer `method path`, which has no ids in it."""

        async def handler(request: Request, user: CurrentUser | None) -> Response:
            status, said, more = await lean(user, dict(request.headers.raw), await request.body())
            response = Response(said, status, media_type="application/json")
            response.raw_headers.extend(more)
            return response

        handler.__name__, handler.__doc__ = lean.__name__, lean.__doc__
        self.add(app, method, path, handler, access, tag=tag, body=body, status=status)
        self._lean[method, path] = (lean, access)

    def lean(self, method: str, path: str) -> tuple[Lean, Entry | str] | None:
        """The lean route of this request, if it is one."""
        return self._lean.get((method, path))

    def find(self, method: str, path: str) -> tuple[Handler, Entry | str, str, list[int]] | None:
        """The route of this request, its template and its ids, None if it is not on the lane."""
        ids, shape = [], []
        for part in path.split("/"):
            if part.isdecimal() and len(part) < 19:
                ids.append(int(part))
                shape.append("{}")
            else:
                shape.append(part)
        found = self._routes.get((method, "/".join(shape)))
        return None if found is None else (*found, ids)

    async def answer_lean(self, scope: Scope, receive: Receive, lean: Lean, access: Entry | str) -> Answer | None:
        """What the route says, or the error it raises; None if the client has gone before it was asked."""
        headers = dict(scope["headers"])
        try:
            user = None
            if access != PUBLIC:
                told = headers.get(b"authorization")
                user = scope[USER] = self._tokens.user(None if told is None else told.decode("latin-1"))
                if isinstance(access, Permission):
                    authorize(user, access)
            message = await receive()
            body = message.get("body", b"")
            while message.get("more_body"):
                message = await receive()
                body += message.get("body", b"")
            if message["type"] == "http.disconnect":
                return None
            return await lean(user, headers, body)
        except PlatformError as exc:
            return _error(exc)

    async def answer(
        self, request: Request, handler: Handler, access: Entry | str, path: str, ids: list[int]
    ) -> Response:
        """What the handler says, or the error it raises, as a response."""
        request.scope[ROUTE] = path
        try:
            user = None
            if access != PUBLIC:
                user = request.scope[USER] = self._tokens.user(request.headers.get("authorization"))
                if isinstance(access, Permission):
                    authorize(user, access)
            return await handler(request, user, *ids)
        except PlatformError as exc:
            return error_response(exc.status, exc.code, exc.detail, exc.headers)


def _error(exc: PlatformError) -> Answer:
    response = error_response(exc.status, exc.code, exc.detail, exc.headers)
    more = tuple(pair for pair in response.raw_headers if pair[0] not in (b"content-type", b"content-length"))
    return response.status_code, bytes(response.body), more


def _documented(handler: Handler, names: list[str], access: Entry | str) -> Callable[..., Awaitable[Response]]:
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
