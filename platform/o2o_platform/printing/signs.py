"""Signs of life of printers that come by themselves: many a second, written in batches (A14).

Decides that a poll writes nothing: who has polled is remembered here for `settings.printer_sign_s` and then written,
in a few statements, each printer once with its newest sign. What is written is the time of the poll, not that of the
writing, so a printer is taken for offline at the right moment, however late its row is, as long as rows are at most as
old as an interval of polling and five seconds (`o2o_domain.cloudprnt.offline_after_s`). A process that is killed takes
its last signs with it; the next poll gives another.
"""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, func
from sqlalchemy.dialects import postgresql, sqlite

from o2o_platform.errors import Unavailable
from o2o_platform.kit.context import Context
from o2o_platform.printing.tables import printer_signs

log = logging.getLogger("o2o.platform.printing")

CHUNK = 500
"""Printers in one unit of work."""
NOTHING_SAID = "{}"
"""The detail of a printer that was asked what it is; it never stands in the way of an answer."""


class Sign(NamedTuple):
    """A printer was heard of `at` this time and said `status`; `detail`: what is kept of it besides, JSON."""

    at: float
    status: str
    detail: str | None = None


class Signs:
    """Of one process. `run` in the background, `close` at the end."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._heard: dict[int, Sign] = {}
        self.written = 0
        """Rows so far."""

    def note(self, merchant_id: int, at: float, status: str, detail: str | None = None) -> None:
        """The merchant's printer has polled; costs a look-up. `detail`: what it said of itself, if it did."""
        if detail is None and (last := self._heard.get(merchant_id)) is not None:
            detail = last.detail
        self._heard[merchant_id] = Sign(at, status, detail)

    async def tell(self, merchant_id: int, at: float, status: str, detail: Any) -> None:
        """Write at once what a printer has said of itself."""
        self._heard.pop(merchant_id, None)
        sign = Sign(at, status, msgspec.json.encode(detail).decode())
        await self._ctx.db.write(lambda conn: write(conn, [(merchant_id, sign)]))

    async def run(self) -> None:
        """For ever."""
        while True:
            await self._ctx.clock.sleep(max(self._ctx.settings.printer_sign_s, 0.05))
            await self.flush()

    async def flush(self) -> None:
        """Write what was heard since the last time; what cannot be written now is kept."""
        heard, self._heard = self._heard, {}
        waiting = sorted(heard.items())  # in one order everywhere, or two processes wait for each other
        while waiting:
            some = waiting[:CHUNK]
            try:
                await self._ctx.db.write(lambda conn, some=some: write(conn, some))  # type: ignore[misc]
            except Unavailable as error:
                log.warning("printing: signs of %d printers cannot be written yet: %s", len(waiting), error)
                for merchant_id, sign in waiting:
                    newer = self._heard.get(merchant_id)
                    self._heard[merchant_id] = (
                        sign if newer is None else newer._replace(detail=newer.detail or sign.detail)
                    )
                return
            self.written += len(some)
            del waiting[:CHUNK]

    async def close(self) -> None:
        """The last ones."""
        await self.flush()


def write(conn: Connection, signs: list[tuple[int, Sign]]) -> None:
    """Write signs (merchant, sign); an older one than the row's changes nothing, none without a detail removes that."""
    make = sqlite.insert if conn.dialect.name == "sqlite" else postgresql.insert
    statement = make(printer_signs)
    new = statement.excluded
    upsert = statement.on_conflict_do_update(
        index_elements=[printer_signs.c.merchant_id],
        set_={
            "seen": new.seen,
            "status": new.status,
            "detail": func.coalesce(func.nullif(new.detail, NOTHING_SAID), printer_signs.c.detail, new.detail),
        },
        where=new.seen >= printer_signs.c.seen,
    )
    conn.execute(
        upsert,
        [
            {"merchant_id": merchant_id, "seen": sign.at, "status": sign.status[:64], "detail": sign.detail}
            for merchant_id, sign in signs
        ],
    )


def forget(conn: Connection, merchant_id: int, _now: float) -> None:
    """The merchant has another printer, which has said nothing yet."""
    conn.execute(delete(printer_signs).where(printer_signs.c.merchant_id == merchant_id))
