"""The outbox: events written in the same transaction as the change they tell of.

Decides that an event exists exactly if its change was committed (W9). `publish(conn, ...)` inside a unit of work only
collects; the database's writer numbers the collected events, inserts them before it commits, and hands them to the
stream after. A unit that fails takes its events with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from o2o_platform.kit.tables import outbox

_COLLECTED = "o2o_outbox"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened. `id` is the cursor; `committed` is when its transaction was (0 if read back later)."""

    id: int
    at: float
    topic: str
    name: str
    payload: dict[str, Any]
    committed: float = 0.0


def publish(conn: Connection, topic: str, name: str, at: float, **payload: Any) -> None:
    """Tell the stream, when (and only if) this unit of work is committed. Payload values must be JSON."""
    conn.info.setdefault(_COLLECTED, []).append((at, topic, name, payload))


def collected(conn: Connection) -> list[tuple[float, str, str, dict[str, Any]]]:
    """Events collected on this connection since the last `clear` (for the database's writer)."""
    return conn.info.setdefault(_COLLECTED, [])  # type: ignore[no-any-return]


def last_id(conn: Connection) -> int:
    """Id of the newest committed event, 0 if there is none."""
    return int(conn.execute(select(func.max(outbox.c.id))).scalar() or 0)


def insert(conn: Connection, events: Sequence[Event]) -> None:
    """Write numbered events (for the database's writer)."""
    encode = msgspec.json.encode
    conn.exec_driver_sql(
        "INSERT INTO outbox (id, at, topic, name, payload) VALUES (?, ?, ?, ?, ?)",
        [(e.id, e.at, e.topic, e.name, encode(e.payload).decode()) for e in events],
    )


def read_after(conn: Connection, cursor: int, limit: int, topics: Sequence[str] = ()) -> list[Event]:
    """Committed events with an id above `cursor`, oldest first; all topics if none is named."""
    query = select(outbox).where(outbox.c.id > cursor).order_by(outbox.c.id).limit(limit)
    if topics:
        query = query.where(outbox.c.topic.in_(topics))
    decode = msgspec.json.decode
    return [Event(r.id, r.at, r.topic, r.name, decode(r.payload)) for r in conn.execute(query)]
