"""The lean client: keeps connections, begins anew on a closed one, says when nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from o2o_platform.kit.callbacks import Callbacks

pytestmark = pytest.mark.anyio


class Server:
    """Answers each POST with `status`; hangs up after `per_connection` answers."""

    def __init__(self) -> None:
        self.status, self.per_connection, self.connections = 200, 10**9, 0
        self.bodies: list[bytes] = []
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            for _ in range(self.per_connection):
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.split(b"content-length: ")[1].split(b"\r\n")[0])
                self.bodies.append(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\nok" % self.status)
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def server(anyio_backend: str) -> AsyncIterator[Server]:
    one = Server()
    listening = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/told"
    yield one
    listening.close()


async def test_one_connection_for_many_and_several_at_once(server: Server) -> None:
    client = Callbacks(server.url)
    for n in range(5):
        assert await client.post(b"%d" % n, {"X-Signature": "s"}) == 200
    assert server.connections == 1
    server.status = 409
    assert await asyncio.gather(*(client.post(b"x", {}) for _ in range(4))) == [409] * 4
    assert server.connections <= 5
    assert server.bodies[:5] == [b"0", b"1", b"2", b"3", b"4"]
    await client.close()


async def test_a_connection_that_was_closed_meanwhile_is_replaced(server: Server) -> None:
    server.per_connection = 1
    client = Callbacks(server.url)
    for n in range(4):
        assert await client.post(b"%d" % n, {}) == 200
    assert server.connections == 4
    await client.close()


async def test_nobody_there_is_an_error(server: Server, anyio_backend: str) -> None:
    with pytest.raises(OSError, match=r"."):
        await Callbacks("http://127.0.0.1:1/").post(b"", {})
    server.per_connection = 0
    with pytest.raises(OSError, match=r"no answer|reset"):
        await Callbacks(server.url).post(b"", {})
    held: list[Any] = []  # a stream that nobody holds is closed by the collector, and that is an answer
    silent: Any = await asyncio.start_server(lambda *streams: held.append(streams), "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    with pytest.raises(TimeoutError):
        await Callbacks(f"http://127.0.0.1:{port}/", timeout_s=0.05).post(b"", {})
    silent.close()
    for _, writer in held:
        writer.close()
    with pytest.raises(ValueError, match="http://"):
        Callbacks("https://example.org/")
