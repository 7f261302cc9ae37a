"""A printer on TCP that does what the test says: a real peer, small enough to be read in one go."""

from __future__ import annotations

import asyncio
import collections
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import Connection, Table, insert, select

from o2o_platform import app as _all_tables  # noqa: F401  (its imports hang up every table)
from o2o_platform.kit.database import Database, open_database
from o2o_platform.merchants.tables import merchants
from o2o_platform.orders.tables import orders
from o2o_platform.printing.repository import enqueue
from o2o_platform.printing.tables import tickets as tickets_table

_PROCESS_ID = b"\x1d\x28\x48\x06\x00\x30\x30"


class Peer:
    """Answers DLE EOT 2 and 4 with `cause` and `paper`, and a ticket's process id if `answers`.

    With `auto` it knows GS a as well: it tells its state at once, and changes of it by `tell`.
    """

    def __init__(self) -> None:
        self.cause, self.paper = 0x12, 0x12
        self.answers = True
        self.speaks = True  # False: connected but silent
        self.delay_s = 0.0  # before a ticket is answered
        self.auto: bytes | None = None  # automatic status, if it knows that
        self.asked = 0  # status questions
        self.tickets: list[bytes] = []
        """What was between one process id and the next, without status questions."""
        self.unanswered: list[bytes] = []
        self.connections = 0
        self.open = 0  # of them, now
        self._server: asyncio.Server | None = None
        self._writers: list[asyncio.StreamWriter] = []
        self.port = 0

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.hang_up()

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def answer_late(self) -> None:
        """Send the answers that were kept back."""
        for reply in self.unanswered:
            self._writers[-1].write(reply)
        self.unanswered.clear()

    def tell(self, auto: bytes) -> None:
        """The state has changed."""
        self.auto = auto
        self._writers[-1].write(auto)

    def texts(self) -> list[str]:
        return [ticket.decode("gb18030", "replace") for ticket in self.tickets]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.open += 1
        self._writers.append(writer)
        data = b""
        try:
            while chunk := await reader.read(4096):
                data += chunk
                data = self._take(data, writer)
        except OSError:
            pass
        finally:
            self.open -= 1
            writer.close()

    def _take(self, data: bytes, writer: asyncio.StreamWriter) -> bytes:
        while data[:2] in (b"\x10\x04", b"\x1da") and len(data) >= 3:
            if data[:2] == b"\x1da":
                if self.auto is not None:
                    writer.write(self.auto)
                data = data[3:]
                continue
            self.asked += 1
            if self.speaks:
                writer.write(bytes([{2: self.cause, 4: self.paper}[data[2]]]))
            data = data[3:]
        at = data.find(_PROCESS_ID)
        if at >= 0 and len(data) >= at + 11:
            self.tickets.append(data[:at])
            reply = b"\x37\x22" + data[at + 7 : at + 11] + b"\x00"
            if self.answers and self.delay_s:
                asyncio.get_running_loop().call_later(self.delay_s, _say, writer, reply)
            elif self.answers:
                writer.write(reply)
            else:
                self.unanswered.append(reply)
            return self._take(data[at + 11 :], writer)
        return data


def _say(writer: asyncio.StreamWriter, reply: bytes) -> None:
    if not writer.is_closing():
        writer.write(reply)


class Office:
    """A database with merchants, whose printers are peers, and paid orders with tickets; no platform around it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self._numbers = itertools.count(1)

    async def merchant(self, number: int, port: int, host: str | None = "127.0.0.1") -> None:
        values = {
            "id": number, "ref": f"m{number}", "name": f"店{number}", "lat": 30.0, "lng": 120.0, "open_min": 0,
            "close_min": 1440, "printer_url": None if host is None else f"tcp://{host}:{port}", "printer_cols": 48,
        }  # fmt: skip
        await self.db.write(lambda conn: conn.execute(insert(merchants).values(**values)))

    async def tickets(self, *merchant_ids: int, at: float | None = None) -> list[int]:
        """Paid orders at these merchants, one after another in one transaction; their numbers."""
        now = time.time() if at is None else at

        def unit(conn: Connection) -> list[int]:
            made = []
            for merchant_id in merchant_ids:
                number = next(self._numbers)
                made.append(number)
                row = {
                    "id": number, "kind": "order", "ref": f"r{number}", "order_no": f"W{number:07d}",
                    "fingerprint": "", "user_id": 7, "user_ref": "u7", "merchant_id": merchant_id, "state": "paid",
                    "lines": '[[1,"面",2,1000]]', "items_fen": 2000, "discount_fen": 0, "delivery_fee_fen": 300,
                    "total_fen": 2300, "commission_share": 0.1, "accepted": now, "paid": now, "address": "文一路 1 号",
                    "phone": "13812345678",
                }  # fmt: skip
                conn.execute(insert(orders).values(**row))
                order = conn.execute(select(orders).where(orders.c.id == number)).one()
                enqueue(conn, order, now)
            return made

        made: list[int] = await self.db.write(unit)
        return made

    async def rows(self, table: Table = tickets_table) -> list[Any]:
        return await self.db.read(lambda conn: list(conn.execute(select(table).order_by(*table.primary_key))))

    async def states(self) -> dict[str, int]:
        return dict(collections.Counter(row.state for row in await self.rows()))


def numbers_on(peer: Peer) -> list[int]:
    """The orders whose tickets came out of this printer, in that order."""
    return [int(text.split("#W")[1][:7]) for text in peer.texts()]


@pytest.fixture(name="numbers_on")
def _numbers_on() -> Any:
    return numbers_on


@pytest.fixture
async def office(postgres_url: str, anyio_backend: str) -> AsyncIterator[Office]:
    db = open_database(postgres_url, durable=False)
    await db.start()
    yield Office(db)
    await db.stop()


@pytest.fixture
async def peers(anyio_backend: str) -> AsyncIterator[Any]:
    """A function that opens so many printers."""
    opened: list[Peer] = []

    async def make(count: int) -> list[Peer]:
        made = [Peer() for _ in range(count)]
        for one in made:
            await one.start()
        opened.extend(made)
        return made

    yield make
    for one in opened:
        await one.stop()


@pytest.fixture
async def peer(anyio_backend: str) -> AsyncIterator[Peer]:
    printer = Peer()
    await printer.start()
    yield printer
    await printer.stop()


@pytest.fixture
def printer_at() -> Any:
    """Where a peer listens, as the API wants it."""

    def where(peer: Peer, width_cols: int = 48) -> dict[str, Any]:
        return {"host": "127.0.0.1", "port": peer.port, "width_cols": width_cols}

    return where


@pytest.fixture
def tickets(world: Any) -> Any:
    """The tickets of the platform that have reached a state, by condition on the exported rows."""

    async def rows() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await world.export("tickets")
        return found

    return rows
