"""JSON in and out on the routes that the peak lives on, and what no route takes.

Decides that a hot route takes `request: Request` only, decodes its body with msgspec into a Struct and returns the
encoded response itself: that costs a quarter of FastAPI's validation and serialisation. All other routes use pydantic.

Decides that no text may hold the character NUL, which SQLite would store and PostgreSQL refuses: JSON can say it in one
way only, so a body without that way, which is nearly every body, is not looked at twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import msgspec
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from o2o_platform.errors import Unprocessable

T = TypeVar("T")
_encoder = msgspec.json.Encoder()
_NUL = b"\\u0000"
_REALLY_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""After an odd number of backslashes; after an even one it is a text about it."""
_NO_NUL = "the character NUL may not be in a text"


async def body(request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """The request's JSON body as the decoder's type. Raises Unprocessable naming the field that is wrong."""
    return decoded(await request.body(), decoder)


def decoded(raw: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """JSON as the decoder's type. Raises Unprocessable naming the field that is wrong."""
    if _NUL in raw and _REALLY_NUL.search(raw):
        raise Unprocessable("invalid", _NO_NUL)
    try:
        return decoder.decode(raw)
    except msgspec.DecodeError as exc:  # ValidationError is one of them
        raise Unprocessable("invalid", str(exc)) from None


def encoded(value: Any) -> bytes:
    """`value` (dicts, lists, Structs, dataclasses) as JSON."""
    return _encoder.encode(value)


def reply(value: Any, status: int = 200) -> Response:
    """`value` (dicts, lists, Structs, dataclasses) as a JSON response."""
    return Response(_encoder.encode(value), status, media_type="application/json")


class Route(APIRoute):
    """A route of pydantic's; for the app's router."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(_Request(request.scope, request.receive))

        return strictly


class _Request(Request):
    async def json(self) -> Any:
        raw = await self.body()
        if _NUL in raw and _REALLY_NUL.search(raw):
            raise json.JSONDecodeError(_NO_NUL, "", 0)  # the one error that the framework takes for the body's fault
        return await super().json()


def schema_of(kind: type[Any]) -> dict[str, Any]:
    """`openapi_extra` that documents the body of a hot route."""
    (schema,), parts = msgspec.json.schema_components([kind], ref_template="#/components/schemas/{name}")
    resolved = parts.get(kind.__name__, schema)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _inline(resolved, parts)}}}}


def _inline(schema: Any, parts: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return _inline(parts[schema["$ref"].rsplit("/", 1)[1]], parts)
        return {key: _inline(value, parts) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inline(value, parts) for value in schema]
    return schema
