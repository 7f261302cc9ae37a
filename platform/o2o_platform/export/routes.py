"""GET /admin/export/{table}: one JSON object a line, for the run tables and for whoever wants to check the books.

Decides the wire: NDJSON, one snapshot a table, times in unix seconds, ids and refs both. Each feature says what its
rows are (`ctx.exports`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import islice

import msgspec
from fastapi import FastAPI
from sqlalchemy import Connection
from starlette.responses import Response, StreamingResponse

from o2o_domain.roles import Permission
from o2o_platform.accounts.dependencies import require
from o2o_platform.accounts.tokens import CurrentUser
from o2o_platform.errors import NotFound
from o2o_platform.kit.context import Context
from o2o_platform.orders.export import rows as order_rows

LINES_PER_CHUNK = 1000


def register(app: FastAPI, ctx: Context) -> None:
    """Add the route."""
    ctx.exports["orders"] = order_rows

    @app.get("/admin/export/{table}", tags=["export"])
    async def export(table: str, user: CurrentUser = require(Permission.EXPORT)) -> Response:
        """All rows of one table as NDJSON."""
        rows = ctx.exports.get(table)
        if rows is None:
            raise NotFound("no_such_table", f"{table}: must be one of {', '.join(sorted(ctx.exports))}")

        def unit(conn: Connection) -> list[bytes]:
            # Encoded within the snapshot: a table is read as it was at one instant, however slowly it is fetched.
            lines = (msgspec.json.encode(row) + b"\n" for row in rows(conn))
            return list(_chunks(lines))

        chunks = await ctx.db.read(unit)

        async def send() -> AsyncIterator[bytes]:
            for chunk in chunks:
                yield chunk

        return StreamingResponse(send(), media_type="application/x-ndjson")


def _chunks(lines: Iterator[bytes]) -> Iterator[bytes]:
    while chunk := b"".join(islice(lines, LINES_PER_CHUNK)):
        yield chunk
