"""A server that answers as a test tells it to, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

Answer = Callable[[bytes, int], "bytes | Awaitable[bytes | None] | None"]
"""fn(request, n) -> the bytes to send to the n-th request; None: hang up."""


def answer(status: int, body: bytes = b"{}", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status, extra, len(body), body,
    )  # fmt: skip


class Stub:
    """What came in, and how it is answered."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.answer: Answer = lambda request, n: answer(201)
        self.piece = 1 << 20
        self.url = ""
        self._server: asyncio.Server | None = None

    async def start(self, port: int = 0) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
                body = await reader.readexactly(int(lengths[0].split(b":")[1])) if lengths else b""
                self.requests.append(head + body)
                said = self.answer(head + body, len(self.requests) - 1)
                if isinstance(said, Awaitable):
                    said = await said
                if said is None:
                    break
                for start in range(0, len(said), self.piece):
                    writer.write(said[start : start + self.piece])
                    await writer.drain()
                    if self.piece < len(said):
                        await asyncio.sleep(0)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def stub(anyio_backend: str) -> AsyncIterator[Stub]:
    one = Stub()
    await one.start()
    yield one
    await one.stop()


@pytest.fixture
def respond() -> Callable[..., bytes]:
    """A function: an answer's bytes from status, body and further header lines."""
    return answer
