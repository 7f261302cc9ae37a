"""HTTP/1.1 as a printer's firmware speaks it: one connection to one server, one exchange at a time (A14).

Decides when a connection is opened, kept and given up. Thousands of clients fit in one process: an idle one is an open
socket and a protocol object; the parser (h11) lives only as long as an exchange. Everything that goes wrong before a
whole answer is there is one exception, HttpError with a reason.

    client = HttpClient("http://127.0.0.1:8000", auth=Basic("printer", "secret"))
    status, headers, body = await client.request("POST", "/cloudprnt", {"content-type": "application/json"}, b"{}")
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from typing import NamedTuple, cast
from urllib.parse import urljoin, urlsplit

import h11

from o2o_devices.cloud.auth import Auth
from o2o_devices.errors import HttpError

TIMEOUT_S = 15.0
MAX_BODY_BYTES = 2_000_000
"""Longer answers are given up (too_large), as a device does whose memory ends."""
_SLOW_PIECE_BYTES = 64
_IDEMPOTENT = frozenset(("GET", "HEAD", "PUT", "DELETE"))


class Response(NamedTuple):
    """A whole answer. Header names are in lower case, repeated ones are joined by commas."""

    status: int
    headers: dict[str, str]
    body: bytes


class HttpClient:
    """A client of `url`'s server. Paths are taken from that URL on; whole URLs may lead to another server.

    timeout_s: for a whole exchange, connecting included. keep_alive False: a new connection for each request.
    bytes_s: what the link carries now, None for as much as comes; obeyed in both directions.
    """

    __slots__ = (
        "_auth",
        "_bytes_s",
        "_keep",
        "_line",
        "_lock",
        "_max_body",
        "timeout_s",
        "url",
    )

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        auth: Auth | None = None,
        keep_alive: bool = True,
        max_body: int = MAX_BODY_BYTES,
        bytes_s: Callable[[], float | None] = lambda: None,
    ) -> None:
        self.url = url
        self.timeout_s = timeout_s
        self._auth = auth
        self._keep = keep_alive
        self._max_body = max_body
        self._bytes_s = bytes_s
        self._line: _Line | None = None
        self._lock: asyncio.Lock | None = None

    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        timeout_s: float | None = None,
        again: bool | None = None,
    ) -> Response:
        """One exchange. again: whether the request may be sent a second time when a kept connection turns out to be
        dead before any answer came (None: when the method is idempotent, RFC 9110 section 9.2.2).

        Raises HttpError.
        """
        target = urljoin(self.url, path)
        limit = self.timeout_s if timeout_s is None else timeout_s
        if self._lock is None:
            self._lock = asyncio.Lock()
        async with self._lock:
            try:
                async with asyncio.timeout(limit):
                    answer = await self._ask(method, target, headers or {}, body, again)
                    if answer.status == 401 and self._auth is not None:
                        asked = [answer.headers.get("www-authenticate", "")]
                        if self._auth.challenged(asked):
                            answer = await self._ask(method, target, headers or {}, body, again)
                    return answer
            except TimeoutError:
                self.drop()
                raise HttpError("timeout", f"no answer within {limit:g} s") from None

    def drop(self) -> None:
        """Reset the connection: the device's power or link is gone. A request under way fails with "link"."""
        line, self._line = self._line, None
        if line is not None:
            line.abort()

    def close(self) -> None:
        """Close the connection politely."""
        line, self._line = self._line, None
        if line is not None:
            line.close()

    @property
    def connected(self) -> bool:
        """A connection is open."""
        return self._line is not None and self._line.open

    async def _ask(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, again: bool | None
    ) -> Response:
        repeatable = method in _IDEMPOTENT if again is None else again
        at = _Address.of(target)
        kept = self._line
        if kept is not None and kept.ready and kept.address == at.where:
            try:
                return await self._exchange(kept, at, method, headers, body)
            except HttpError as error:
                if error.reason != "closed" or kept.answered or not repeatable:
                    raise
        elif kept is not None and kept.ready and at.where != _Address.of(self.url).where:
            stray = await self._connect(at)  # the answer led elsewhere: not the place to stay
            try:
                return await self._exchange(stray, at, method, headers, body)
            finally:
                stray.close()
        if self._line is not None:
            self._line.close()
        self._line = await self._connect(at)
        return await self._exchange(self._line, at, method, headers, body)

    async def _connect(self, at: _Address) -> _Line:
        loop = asyncio.get_running_loop()
        context = ssl.create_default_context() if at.tls else None
        try:
            _, line = await loop.create_connection(lambda: _Line(at.where), at.host, at.port, ssl=context)
        except OSError as error:
            raise HttpError("connect", f"{at.host}:{at.port}: {error}") from None
        return line

    async def _exchange(
        self, line: _Line, at: _Address, method: str, headers: Mapping[str, str], body: bytes
    ) -> Response:
        lines = [("host", at.netloc), *((name.lower(), value) for name, value in headers.items())]
        if body or method in ("POST", "PUT"):
            lines.append(("content-length", str(len(body))))
        if not self._keep:
            lines.append(("connection", "close"))
        shown = None if self._auth is None else self._auth.header(method, at.target)
        if shown is not None:
            lines.append(("authorization", shown))
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=65_536)
        try:
            request = h11.Request(method=method, target=at.target, headers=lines)
            out = parser.send(request) or b""
            if body:
                out += parser.send(h11.Data(data=body)) or b""
            out += parser.send(h11.EndOfMessage()) or b""
            await self._send(line, out)
            answer = await self._read(line, parser)
        except h11.RemoteProtocolError as error:
            line.close()
            if line.ended and not line.answered:
                raise HttpError("closed", "the server closed the connection") from None
            raise HttpError("protocol", str(error)) from None
        except h11.LocalProtocolError as error:
            line.close()
            raise HttpError("protocol", str(error)) from None
        except BaseException:
            line.abort()
            raise
        if not self._keep or parser.our_state is not h11.DONE or parser.their_state is not h11.DONE or line.early:
            line.close()
        return answer

    async def _send(self, line: _Line, data: bytes) -> None:
        line.begin()
        while data:
            rate = self._bytes_s()
            if rate is None:
                line.send(data)
                return
            line.send(data[:_SLOW_PIECE_BYTES])
            data = data[_SLOW_PIECE_BYTES:]
            await asyncio.sleep(_SLOW_PIECE_BYTES / rate)

    async def _read(self, line: _Line, parser: h11.Connection) -> Response:
        status = 0
        headers: dict[str, str] = {}
        body = bytearray()
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = await line.receive()
                rate = self._bytes_s()
                if rate is not None:
                    line.pause()
                    await asyncio.sleep(len(data) / rate)
                    line.resume()
                parser.receive_data(data)
            elif isinstance(event, h11.Response):
                status = event.status_code
                for name, value in event.headers:
                    key, text = name.decode("ascii"), value.decode("latin-1")
                    headers[key] = f"{headers[key]}, {text}" if key in headers else text
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._max_body:
                    raise HttpError("too_large", f"an answer of more than {self._max_body} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return Response(status, headers, bytes(body))
            elif isinstance(event, h11.ConnectionClosed):
                raise HttpError("closed", "the server closed the connection")


class _Address(NamedTuple):
    """Where a URL leads."""

    host: str
    port: int
    tls: bool
    netloc: str
    target: str

    @property
    def where(self) -> tuple[str, int, bool]:
        return self.host, self.port, self.tls

    @classmethod
    def of(cls, url: str) -> _Address:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise HttpError("connect", f"not an address of a server: {url!r}")
        tls = parts.scheme == "https"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.hostname, port or (443 if tls else 80), tls, parts.netloc.rpartition("@")[2], target)


class _Line(asyncio.Protocol):
    """One connection. Its address is remembered, so that it is used for that server only."""

    __slots__ = ("_dropped", "_early", "_transport", "_waiter", "address", "answered", "ended")

    def __init__(self, address: tuple[str, int, bool]) -> None:
        self.address = address
        self.ended = False
        self.answered = False
        """Bytes came since the request began."""
        self._dropped = False
        self._early = b""
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None

    @property
    def open(self) -> bool:
        return self._transport is not None and not self.ended and not self._transport.is_closing()

    @property
    def early(self) -> bool:
        """Bytes that nobody asked for."""
        return bool(self._early)

    @property
    def ready(self) -> bool:
        """Good for another exchange."""
        return self.open and not self.early

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._early += data
        self.answered = True
        self._wake()

    def eof_received(self) -> bool:
        self.ended = True
        self._wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self._transport = None
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def begin(self) -> None:
        self.answered = False

    def send(self, data: bytes) -> None:
        if not self.open:
            raise HttpError("link" if self._dropped else "closed", "the connection is gone")
        assert self._transport is not None
        self._transport.write(data)

    async def receive(self) -> bytes:
        """The next bytes; b"" at the end of the connection."""
        if not self._early and not self.ended:
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        if self._dropped:
            raise HttpError("link", "the connection was dropped")
        data, self._early = self._early, b""
        return data

    def pause(self) -> None:
        if self.open:
            assert self._transport is not None
            self._transport.pause_reading()

    def resume(self) -> None:
        if self.open:
            assert self._transport is not None
            self._transport.resume_reading()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        self._dropped = True
        self.ended = True
        self._wake()
        if self._transport is not None:
            self._transport.abort()
