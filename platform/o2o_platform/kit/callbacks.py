"""A lean HTTP client for telling another service something, thousands of times: POST, a status, and no more.

Decides to keep connections open and to begin anew, once, on one that the other side has closed meanwhile, so what is
told must be told safely twice. A general client costs two milliseconds of processor time a call, this a tenth. Only
http://; for anything richer use httpx.
"""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

MAX_IDLE = 64
"""Connections kept open while nobody uses them."""

_Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Callbacks:
    """POSTs to one URL."""

    def __init__(self, url: str, timeout_s: float = 10.0) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{url}: callbacks need an http:// address")
        self._host, self._port = parts.hostname, parts.port or 80
        self._head = f"POST {parts.path or '/'} HTTP/1.1\r\nHost: {self._host}:{self._port}\r\n".encode()
        self._timeout_s = timeout_s
        self._idle: list[_Link] = []

    async def post(self, body: bytes, headers: dict[str, str]) -> int:
        """The status of the answer. Raises OSError (TimeoutError is one) if there is none."""
        named = "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()
        message = b"%b%bContent-Length: %d\r\n\r\n%b" % (self._head, named, len(body), body)
        async with asyncio.timeout(self._timeout_s):
            while self._idle:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    return await self._exchange(self._idle.pop(), message)
            try:
                return await self._exchange(await asyncio.open_connection(self._host, self._port), message)
            except (asyncio.IncompleteReadError, ValueError) as exc:
                raise ConnectionResetError(f"no answer: {exc}") from exc

    async def close(self) -> None:
        """Hang up everywhere."""
        while self._idle:
            self._idle.pop()[1].close()

    async def _exchange(self, link: _Link, message: bytes) -> int:
        reader, writer = link
        try:
            if writer.is_closing():
                raise ConnectionResetError("closed meanwhile")
            writer.write(message)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = 0
            for line in head.split(b"\r\n")[1:]:
                name, _, value = line.partition(b":")
                if name == b"content-length":
                    length = int(value)
            if length:
                await reader.readexactly(length)
            status = int(head[9:12])
        except BaseException as exc:
            writer.close()
            if isinstance(exc, RuntimeError):  # what uvloop says of a transport that has closed meanwhile
                raise ConnectionResetError(str(exc)) from exc
            raise
        if b"connection: close" in head or len(self._idle) >= MAX_IDLE:
            writer.close()
        else:
            self._idle.append(link)
        return status
