"""Pulling the provider's statement: page by page from a cursor in the database, each page signed.

Decides that a page and its cursor are written in one unit, so that a pull that ends anywhere goes on where it was, and
that a page whose signature does not hold is not believed.
"""

from __future__ import annotations

from typing import Annotated, Literal

import httpx
import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection, delete, insert, select, update

from o2o_platform.errors import Unavailable
from o2o_platform.kit.context import Context
from o2o_platform.payments.signing import HEADER, holds
from o2o_platform.payments.tables import cursors, statement

PAGE = 500
"""Entries pulled at once: what is written in one unit of work without anybody waiting for it."""
STATEMENT = "statement"


class Entry(Struct, frozen=True):
    """The provider's books of one payment; unknown fields are passed over."""

    seq: int
    payment_id: int
    state: Literal["pending", "ok", "refused"]
    charged_fen: Annotated[int, Meta(ge=0)]
    refunded_fen: Annotated[int, Meta(ge=0)]
    confirmed: float | None
    changed: float


class Page(Struct, frozen=True):
    """A piece of the statement, by growing `seq`; go on at `next` while there is `more`."""

    charges: list[Entry]
    next: int
    more: bool


_PAGE = msgspec.json.Decoder(Page)


async def pull(ctx: Context, client: httpx.AsyncClient) -> int:
    """Everything new on the provider's statement; returns how many entries. Raises Unavailable."""
    count = 0
    after = await ctx.db.read(lambda conn: read_cursor(conn, STATEMENT), quick=True)
    while True:
        page = await _page(ctx, client, after)
        if page.charges:
            await ctx.db.write(lambda conn, page=page: _keep(conn, page))  # type: ignore[misc]
        count += len(page.charges)
        after = page.next
        if not page.more:
            return count


async def _page(ctx: Context, client: httpx.AsyncClient, after: int) -> Page:
    url = f"{ctx.settings.provider_url.rstrip('/')}/statement"
    try:
        answer = await client.get(url, params={"after": after, "limit": PAGE})
    except httpx.HTTPError as exc:
        raise Unavailable("provider_unreachable", f"{url}: {exc or type(exc).__name__}") from exc
    if answer.status_code != 200:
        raise Unavailable("provider_unavailable", f"{url}: the provider answers {answer.status_code}")
    if not holds(ctx.settings.provider_secret, answer.content, answer.headers.get(HEADER, "")):
        raise Unavailable("bad_signature", f"{url}: the statement is not the provider's")
    try:
        return _PAGE.decode(answer.content)
    except msgspec.DecodeError as exc:
        raise Unavailable("bad_statement", f"{url}: {exc}") from exc


def _keep(conn: Connection, page: Page) -> None:
    """Write a page and its cursor; an entry that is older than what is known changes nothing."""
    ids = [entry.payment_id for entry in page.charges]
    query = select(statement.c.payment_id, statement.c.seq).where(statement.c.payment_id.in_(ids))
    known = {row.payment_id: row.seq for row in conn.execute(query)}
    fresh = [msgspec.structs.asdict(entry) for entry in page.charges if entry.seq > known.get(entry.payment_id, -1)]
    if old := [entry["payment_id"] for entry in fresh if entry["payment_id"] in known]:
        conn.execute(delete(statement).where(statement.c.payment_id.in_(old)))
    if fresh:
        conn.execute(insert(statement), [{**entry, "checked": None} for entry in fresh])
    move_cursor(conn, STATEMENT, page.next)


def read_cursor(conn: Connection, name: str) -> int:
    """Where a reader is; 0 at the beginning."""
    return conn.execute(select(cursors.c.value).where(cursors.c.name == name)).scalar() or 0


def move_cursor(conn: Connection, name: str, value: int) -> None:
    """Write down where a reader is."""
    if conn.execute(update(cursors).where(cursors.c.name == name).values(value=value)).rowcount == 0:
        conn.execute(insert(cursors).values(name=name, value=value))
