"""JSON in and out on the routes that the peak lives on.

Decides that a hot route takes `request: Request` only, decodes its body with msgspec into a Struct and returns the
encoded response itself: that costs a quarter of FastAPI's validation and serialisation. All other routes use pydantic.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from o2o_platform.errors import Unprocessable

T = TypeVar("T")
_encoder = msgspec.json.Encoder()


async def body(request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """The request's JSON body as the decoder's type. Raises Unprocessable naming the field that is wrong."""
    try:
        return decoder.decode(await request.body())
    except msgspec.DecodeError as exc:  # ValidationError is one of them
        raise Unprocessable("invalid", str(exc)) from None


def reply(value: Any, status: int = 200) -> Response:
    """`value` (dicts, lists, Structs, dataclasses) as a JSON response."""
    return Response(_encoder.encode(value), status, media_type="application/json")


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
