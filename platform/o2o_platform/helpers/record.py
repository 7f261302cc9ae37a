"""The record of this process's breakers: every change of state becomes a row, in nobody's way (S11).

Decides that whoever asks a helper never waits for the record: changes are kept in memory until the database has taken
them, tried again if it does not, and written at the end of the process.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, insert, select

from o2o_platform.helpers.tables import breaker_events
from o2o_platform.kit.breaker import Change
from o2o_platform.kit.database import Database


def process_name() -> str:
    """What this process is called in the record."""
    return f"serve-{os.getpid()}"


class Record:
    """Changes on their way into the table."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._process = process_name()
        self._pending: list[Change] = []
        self._news = asyncio.Event()

    def note(self, change: Change) -> None:
        """Take down a change; returns at once."""
        self._pending.append(change)
        self._news.set()

    async def run(self) -> None:
        """Write what is noted, for as long as the platform runs."""
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self.flush()
            except Exception:
                self._news.set()  # the background starts this anew, and then it goes on where it was
                raise

    async def flush(self) -> None:
        """Write what is noted now."""
        taken = list(self._pending)
        if not taken:
            return
        rows = [
            {
                "process": self._process,
                "helper": change.helper,
                "at": change.at,
                "from_state": change.from_state.value,
                "to_state": change.to_state.value,
                "reason": change.reason,
            }
            for change in taken
        ]
        await self._db.write(lambda conn: conn.execute(insert(breaker_events), rows) and None)
        del self._pending[: len(taken)]


def rows(conn: Connection) -> Iterable[dict[str, Any]]:
    """Every change of every process, in order; the export behind the run table `breakers`."""
    columns = [column for column in breaker_events.c if column is not breaker_events.c.id]
    query = select(*columns).order_by(breaker_events.c.at, breaker_events.c.id)
    return (dict(row) for row in conn.execute(query).mappings())
