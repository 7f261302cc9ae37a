"""What the platform answers when it will not, or cannot, do what was asked.

Decides the one shape of an error on the wire, `{"error": {"code", "detail"}}`, and its HTTP status. Leaves the reasons
to the domain, whose refusals are values: `refusal(...)` turns one into an error at the edge of a request.

    PlatformError                500
     ├─ Unauthenticated          401
     ├─ Forbidden                403
     ├─ NotFound                 404
     ├─ Conflict                 409
     ├─ Unprocessable            422
     └─ Unavailable              503
"""

# ruff: noqa: N818  (the errors are named as HTTP names them)

from __future__ import annotations

from typing import Protocol

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

_CODES = {400: "bad_request", 401: "unauthenticated", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}


class PlatformError(Exception):
    """The platform failed."""

    status: int = 500

    def __init__(self, code: str, detail: str = "", *, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail or code)
        self.code = code
        self.detail = detail
        self.headers = headers


class Unauthenticated(PlatformError):
    """Nobody, or somebody whose token does not hold, asked for what needs a name."""

    status = 401


class Forbidden(PlatformError):
    """The role, or the owner, may not do this."""

    status = 403


class NotFound(PlatformError):
    """There is no such thing, or the asker may not know that there is."""

    status = 404


class Conflict(PlatformError):
    """The state of things does not allow it: an illegal transition, sold out, already taken."""

    status = 409


class Unprocessable(PlatformError):
    """The request is understood and makes no sense."""

    status = 422


class Unavailable(PlatformError):
    """Not now; try again."""

    status = 503


class _Refusal(Protocol):
    @property
    def code(self) -> str: ...
    @property
    def detail(self) -> str: ...


def refusal(refused: _Refusal, kind: type[PlatformError] = Conflict) -> PlatformError:
    """The error that carries a domain refusal (anything with `code` and `detail`) out of a request."""
    return kind(refused.code, refused.detail)


def error_response(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The one error body, as a response."""
    body = msgspec.json.encode({"error": {"code": code, "detail": detail}})
    return Response(body, status, headers, "application/json")


def install(app: FastAPI) -> None:
    """Make every error of the app, the framework's own included, leave in the one shape."""

    async def platform_error(_: Request, exc: Exception) -> Response:
        assert isinstance(exc, PlatformError)
        return error_response(exc.status, exc.code, exc.detail, exc.headers)

    async def invalid(_: Request, exc: Exception) -> Response:
        assert isinstance(exc, RequestValidationError)
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return error_response(422, "invalid", f"{where}: {first['msg']}")

    async def http(_: Request, exc: Exception) -> Response:
        assert isinstance(exc, HTTPException)
        headers = dict(exc.headers) if exc.headers else None
        code = _CODES.get(exc.status_code, f"http_{exc.status_code}")
        return error_response(exc.status_code, code, str(exc.detail), headers)

    app.add_exception_handler(PlatformError, platform_error)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
