"""The outbox: events written in the same transaction as the change they tell of.

Decides that an event exists exactly if its change was committed (W9), and the order in which events are read.
`publish(conn, ...)` inside a unit of work only collects; the database writes the collected events down before it
commits. A unit that fails takes its events with it.

An event's `Position` is where it stands in the stream. SQLite has one writer, which numbers events without gaps in the
order of commit: (0, id). PostgreSQL has many, and a later number may be committed earlier; there the position is
(transaction, id), and events are read up to the oldest transaction that is still open (`BOUND`): nothing can be
inserted below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import asyncpg
import msgspec
from sqlalchemy import Connection, func, select
from sqlalchemy.util import await_only

from o2o_platform.kit.prepared import fetch_value
from o2o_platform.kit.tables import outbox

_COLLECTED = "o2o_outbox"
_decode = msgspec.json.Decoder(dict[str, Any]).decode
CHANNEL = "o2o_outbox"
"""What the relay listens to on PostgreSQL."""


class Position(NamedTuple):
    """Where an event stands in the stream; positions are compared as pairs. Text: "17" (xid 0) or "742-17"."""

    xid: int
    seq: int

    def __str__(self) -> str:
        return f"{self.xid}-{self.seq}" if self.xid else str(self.seq)

    @classmethod
    def parse(cls, text: str) -> Position:
        """The position that a text stands for. Raises ValueError."""
        xid, dash, seq = text.partition("-")
        numbers = (xid, seq) if dash else ("0", xid)
        if not all(number.isascii() and number.isdecimal() and len(number) < 20 for number in numbers):
            raise ValueError(f"{text!r} is no position of the stream")
        return cls(int(numbers[0]), int(numbers[1]))


START = Position(0, 0)
"""Before every event."""


Payload = dict[str, Any]


class Event:
    """One thing that happened. `id` is the cursor; `committed` is when its transaction was (0 if read back later).

    A payload given as JSON is decoded when it is first asked for: every process is told of every event, and most of
    them nobody there asks about.
    """

    __slots__ = ("_payload", "at", "committed", "id", "name", "topic")

    def __init__(
        self, id: Position, at: float, topic: str, name: str, payload: Payload | bytes | str, committed: float = 0.0
    ) -> None:
        self.id = id
        self.at = at
        self.topic = topic
        self.name = name
        self._payload = payload
        self.committed = committed

    @property
    def payload(self) -> Payload:
        """What it says. Raises msgspec.DecodeError if that was no JSON."""
        payload = self._payload
        if not isinstance(payload, dict):
            payload = self._payload = _decode(payload)
        return payload

    def __repr__(self) -> str:
        return f"Event({self.id}, {self.at}, {self.topic!r}, {self.name!r}, {self._payload!r}, {self.committed})"


Collected = list[tuple[float, str, str, dict[str, Any]]]


def publish(conn: Connection, topic: str, name: str, at: float, **payload: Any) -> None:
    """Tell the stream, when (and only if) this unit of work is committed. Payload values must be JSON."""
    conn.info.setdefault(_COLLECTED, []).append((at, topic, name, payload))


def collected(conn: Connection) -> Collected:
    """Events collected on this connection since the last `clear` (for the database)."""
    return cast(Collected, conn.info.setdefault(_COLLECTED, []))


def last(conn: Connection) -> Position:
    """Position of the newest event that may be read, START if there is none. On PostgreSQL in no transaction."""
    if conn.dialect.name == "sqlite":
        return Position(0, int(conn.execute(select(func.max(outbox.c.id))).scalar() or 0))
    bound = await_only(_driver(conn).fetchval(BOUND))
    row = await_only(_driver(conn).fetchrow(LAST, str(bound), 0))
    return START if row is None else Position(row["xid"], row["id"])


def insert(conn: Connection, events: Sequence[Event]) -> None:
    """Write numbered events (for the one writer of SQLite)."""
    encode = msgspec.json.encode
    conn.exec_driver_sql(
        "INSERT INTO outbox (id, at, topic, name, payload) VALUES (?, ?, ?, ?, ?)",
        [(e.id.seq, e.at, e.topic, e.name, encode(e.payload).decode()) for e in events],
    )


def append(conn: Connection, events: Collected) -> None:
    """Write events that the database numbers (PostgreSQL)."""
    encode = msgspec.json.encode
    at, topic, name, payload = zip(*((a, t, n, encode(p).decode()) for a, t, n, p in events), strict=True)
    fetch_value(conn, _APPEND, at, topic, name, payload)


def read_after(conn: Connection, cursor: Position, limit: int, topics: Sequence[str] = ()) -> list[Event]:
    """Events that may be read with a position above `cursor`, in order; all topics if none is named.

    On PostgreSQL in no transaction (a `quick` read): the bound must be found before the rows are looked at.
    """
    if conn.dialect.name == "sqlite":
        query = select(outbox).where(outbox.c.id > cursor.seq).order_by(outbox.c.id).limit(limit)
        if topics:
            query = query.where(outbox.c.topic.in_(topics))
        return [Event(Position(0, r.id), r.at, r.topic, r.name, r.payload) for r in conn.execute(query)]
    driver = _driver(conn)
    bound = await_only(driver.fetchval(BOUND))
    rows = await_only(driver.fetch(READ_AFTER, str(cursor.xid), cursor.seq, limit, list(topics), str(bound)))
    return [Event(Position(r["xid"], r["id"]), r["at"], r["topic"], r["name"], r["payload"]) for r in rows]


def _driver(conn: Connection) -> asyncpg.Connection:
    return cast(asyncpg.Connection, conn.connection.driver_connection)


_APPEND = """
    INSERT INTO outbox (at, topic, name, payload)
    SELECT * FROM unnest($1::float8[], $2::text[], $3::text[], $4::text[])"""

BOUND = """
    WITH me AS (
        SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint AS oldest_anywhere,
               pg_snapshot_xmax(pg_current_snapshot())::text::bigint AS next
    ), here AS (
        SELECT backend_xid::text::bigint AS xid,
               usename <> current_user AND NOT pg_has_role('pg_read_all_stats', 'USAGE') AS hidden
        FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'
    ), open AS (
        SELECT min(me.next + CASE WHEN here.ahead > 2147483647 THEN here.ahead - 4294967296
                                  WHEN here.ahead < -2147483648 THEN here.ahead + 4294967296
                                  ELSE here.ahead END) AS oldest,
               bool_or(here.hidden) AS hidden
        FROM me CROSS JOIN LATERAL (SELECT here.xid - (me.next & 4294967295) AS ahead, here.hidden FROM here) here
    )
    SELECT CASE WHEN open.hidden THEN me.oldest_anywhere ELSE least(me.next, coalesce(open.oldest, me.next)) END
    FROM me, open"""
"""Every transaction of this database below this one (xid) has ended; to be asked for in no transaction.

pg_snapshot_xmin alone would do, but it is the oldest of the whole server: a CREATE DATABASE or a long report next door
would hold up every event here. So: what is next when the statement begins, and then what is still open in this
database; whoever began in between has an xid above that and is not below (pg_stat_activity shows the lower half of an
xid: the nearest number to `next` is meant). A session of somebody whose transactions may not be seen, in this
database, brings back the server's oldest.
"""
READ_AFTER = """
    SELECT xid::text::bigint AS xid, id, at, topic, name, payload FROM outbox
    WHERE (xid, id) > ($1::text::xid8, $2::bigint) AND xid < $5::text::xid8
      AND (cardinality($4::text[]) = 0 OR topic = ANY($4::text[]))
    ORDER BY xid, id LIMIT $3"""
"""Of PostgreSQL: parameters xid as text, id, limit, topics, BOUND as text."""
LAST = """
    SELECT xid::text::bigint AS xid, id FROM outbox WHERE xid < $1::text::xid8
    ORDER BY xid DESC, id DESC OFFSET $2 LIMIT 1"""
"""The newest event but so many: parameters BOUND as text, how many."""
