"""A printer on TCP that does what the test says: a real peer, small enough to be read in one go."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

_PROCESS_ID = b"\x1d\x28\x48\x06\x00\x30\x30"


class Peer:
    """Answers DLE EOT 2 and 4 with `cause` and `paper`, and a ticket's process id if `answers`."""

    def __init__(self) -> None:
        self.cause, self.paper = 0x12, 0x12
        self.answers = True
        self.speaks = True  # False: connected but silent
        self.tickets: list[bytes] = []
        """What was between one process id and the next, without status questions."""
        self.unanswered: list[bytes] = []
        self.connections = 0
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

    def texts(self) -> list[str]:
        return [ticket.decode("gb18030", "replace") for ticket in self.tickets]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        data = b""
        try:
            while chunk := await reader.read(4096):
                data += chunk
                data = self._take(data, writer)
        except OSError:
            pass
        finally:
            writer.close()

    def _take(self, data: bytes, writer: asyncio.StreamWriter) -> bytes:
        while data[:2] == b"\x10\x04" and len(data) >= 3:
            if self.speaks:
                writer.write(bytes([{2: self.cause, 4: self.paper}[data[2]]]))
            data = data[3:]
        at = data.find(_PROCESS_ID)
        if at >= 0 and len(data) >= at + 11:
            self.tickets.append(data[:at])
            reply = b"\x37\x22" + data[at + 7 : at + 11] + b"\x00"
            if self.answers:
                writer.write(reply)
            else:
                self.unanswered.append(reply)
            return self._take(data[at + 11 :], writer)
        return data


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
