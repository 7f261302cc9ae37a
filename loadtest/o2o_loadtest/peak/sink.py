"""The end of the path when the path is measured: printers that take paper at any speed and answer at once.

Decides nothing about paper: each status question is answered "fine", each request for a process id (GS ( H function 48)
with that id, and the time at which it came is kept: all bytes of that ticket have arrived. One process, one port a
printer: `python -m o2o_loadtest.peak.sink COUNT OUT`. It says {"printers": [[host, port], ...]}, then {"at", "tickets",
"bytes"} every half second. When its standard input ends it leaves two arrays, `ticket` and `at` (unix seconds), in OUT.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import sys
import time
from array import array
from pathlib import Path
from typing import cast

import numpy as np
import uvloop

REPORT_EVERY_S = 0.5
FINE = b"\x12"
"""Status byte without any trouble."""
AUTO = b"\x10\x00\x00\x00"
"""Automatic status (GS a) without any trouble."""
_ASKED = re.compile(rb"\x10\x04[\x01-\x04]|\x1da.|\x1d\(H\x06\x0000(....)", re.DOTALL)
_LONGEST = 11
_LOW, _BASE = 0x20, 95


def ticket_of(process_id: bytes) -> int:
    """The ticket that the four characters of a process id stand for (base 95, least significant first)."""
    number = 0
    for char in reversed(process_id):
        number = number * _BASE + (char - _LOW)
    return number


class Books:
    """What came in at all printers."""

    def __init__(self) -> None:
        self.tickets = array("q")
        self.at = array("d")
        self.bytes = 0

    def write(self, path: Path) -> None:
        """Leave the arrays."""
        np.savez(path, ticket=np.frombuffer(self.tickets, dtype=np.int64), at=np.frombuffer(self.at))


class Printer(asyncio.Protocol):
    """One connection to one printer."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._rest = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._books.bytes += len(data)
        data = self._rest + data if self._rest else data
        answers, end = [], 0
        for asked in _ASKED.finditer(data):
            end = asked.end()
            process_id = asked[1]
            if process_id is None:
                answers.append(AUTO if asked[0][1:2] == b"a" else FINE)
            else:
                answers.append(b"\x37\x22" + process_id + b"\x00")
                self._books.tickets.append(ticket_of(process_id))
                self._books.at.append(time.time())
        self._rest = data[max(end, len(data) - _LONGEST + 1) :]
        if answers and self._transport is not None:
            self._transport.write(b"".join(answers))


async def serve(count: int, out: Path) -> None:
    """The whole life of the process."""
    books = Books()
    loop = asyncio.get_running_loop()
    servers = [await loop.create_server(lambda: Printer(books), "127.0.0.1", 0) for _ in range(count)]
    print(json.dumps({"printers": [server.sockets[0].getsockname()[:2] for server in servers]}), flush=True)
    over = asyncio.Event()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    ended = asyncio.create_task(reader.read(1))
    ended.add_done_callback(lambda _: over.set())
    while not over.is_set():
        print(json.dumps({"at": time.time(), "tickets": len(books.tickets), "bytes": books.bytes}), flush=True)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), REPORT_EVERY_S)
    for server in servers:
        server.close()
    await asyncio.to_thread(books.write, out)
    print(json.dumps({"at": time.time(), "tickets": len(books.tickets), "done": True}), flush=True)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
