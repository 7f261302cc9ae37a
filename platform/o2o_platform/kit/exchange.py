"""A lean HTTP client that asks one URL, thousands of times a second: POST a body, have the answer's body.

Decides to keep connections open and to begin anew, once, on one that the other side has closed meanwhile, so what is
asked must be safe to ask twice. Written on the loop's own protocols: streams cost twice as much, a general client
twenty times. Only http://, and only answers with a Content-Length; for anything richer use httpx.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

MAX_IDLE = 8
"""Connections kept open while nobody uses them."""
JSON = {"Content-Type": "application/json"}
MAX_ANSWER = 16 * 2**20
_END_OF_HEAD = b"\r\n\r\n"


class _Link(asyncio.Protocol):
    """One connection; one request at a time is under way on it."""

    def __init__(self) -> None:
        self.closed = False
        self.silent = True
        """Nothing has come since the last request was sent."""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._got = b""
        self._body_at = 0
        self._end = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def ask(self, message: bytes) -> asyncio.Future[tuple[int, bytes]]:
        self._got, self._end, self.silent = b"", 0, True
        if self._transport is None or self._transport.is_closing():
            raise ConnectionResetError("closed meanwhile")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(message)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self.silent = False
        self._got = self._got + data if self._got else data
        if not self._end:
            at = self._got.find(_END_OF_HEAD)
            if at < 0:
                return
            self._body_at = at + len(_END_OF_HEAD)
            length = _length(self._got[:at].lower())
            if not 0 <= length <= MAX_ANSWER:
                self._fail(ConnectionResetError("an answer without a usable Content-Length"))
                return
            self._end = self._body_at + length
        if len(self._got) >= self._end and self._answer is not None:
            answer, self._answer = self._answer, None
            if not answer.done():
                answer.set_result((int(self._got[9:12]), self._got[self._body_at : self._end]))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(ConnectionResetError(f"no answer: {exc or 'closed by the other side'}"))

    def close(self) -> None:
        self.closed = True
        if self._transport is not None:
            self._transport.close()

    def _fail(self, error: OSError) -> None:
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(error)
        self.close()


class Exchange:
    """POSTs to one URL."""

    def __init__(self, url: str, *, max_idle: int = MAX_IDLE) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url}: needs an http:// address")
        self._host, self._port = parts.hostname, parts.port or 80
        self._head = f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {parts.netloc}\r\n".encode()
        self._max_idle = max_idle
        self._idle: list[_Link] = []

    async def post(self, body: bytes, headers: Mapping[str, str] = JSON) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError if there is none; how long to wait is the caller's to say."""
        named = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        message = b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, named, len(body), body)
        while self._idle:
            link = self._idle.pop()
            if link.closed:
                continue
            try:
                return await self._ask(link, message)
            except ConnectionResetError:
                if not link.silent:  # it died in the middle of an answer: no reason to think that it had not begun
                    raise
        _, link = await asyncio.get_running_loop().create_connection(_Link, self._host, self._port)
        return await self._ask(link, message)

    def close(self) -> None:
        """Hang up everywhere."""
        while self._idle:
            self._idle.pop().close()

    async def _ask(self, link: _Link, message: bytes) -> tuple[int, bytes]:
        try:
            answer = await link.ask(message)
        except BaseException:  # the caller's time is over: what may still come belongs to nobody
            link.close()
            raise
        if link.closed or len(self._idle) >= self._max_idle:
            link.close()
        else:
            self._idle.append(link)
        return answer


def _length(head: bytes) -> int:
    """Content-Length in a head in lower case; -1 if there is none."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length":
            return int(value) if value.strip().isdigit() else -1
    return -1
