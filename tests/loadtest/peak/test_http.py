"""The lean HTTP client: whatever comes, and however it is cut, is told as what it was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from o2o_loadtest.peak.http import Pool

pytestmark = pytest.mark.anyio
GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


async def ask(pool: Pool, request: bytes = GET) -> tuple[int, bytes]:
    told: asyncio.Future[tuple[int, bytes]] = asyncio.get_running_loop().create_future()
    pool.ask(request, lambda status, body: told.set_result((status, body)))
    return await asyncio.wait_for(told, 10)


@pytest.mark.parametrize("piece", [1, 7, 1 << 20])
async def test_answers_are_cut_out_at_any_boundary(stub: Any, respond: Any, piece: int) -> None:
    bodies = [b"", b"x", b'{"a": "\r\n\r\n"}', b"z" * 5000]
    stub.piece = piece if piece > 1 else 3
    stub.answer = lambda _, n: respond(200 + n, bodies[n])
    pool = Pool(stub.url, limit=1)
    assert [await ask(pool) for _ in bodies] == [(200 + n, body) for n, body in enumerate(bodies)]
    assert stub.connections == 1
    pool.close()


async def test_no_more_connections_than_allowed_and_the_rest_waits(stub: Any, respond: Any) -> None:
    most = running = 0

    async def slowly(_: bytes, n: int) -> bytes:
        nonlocal most, running
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return bytes(respond(201))

    stub.answer = slowly
    pool = Pool(stub.url, limit=3)
    assert [status for status, _ in await asyncio.gather(*(ask(pool) for _ in range(20)))] == [201] * 20
    assert most == stub.connections == 3
    pool.close()


async def test_what_is_no_answer_is_status_0_and_the_next_request_gets_a_new_connection(
    stub: Any, respond: Any
) -> None:
    strange = [None, b"HTTP/1.1 200 OK\r\n\r\nno length", b"SMTP ready\r\n\r\n", respond(200), respond(204, b"")]
    stub.answer = lambda _, n: strange[n]
    pool = Pool(stub.url, limit=1)
    assert [(await ask(pool))[0] for _ in strange] == [0, 0, 0, 200, 204]
    assert stub.connections == 4
    pool.close()


async def test_a_server_that_is_not_there_or_comes_back(stub: Any) -> None:
    port = int(stub.url.rsplit(":", 1)[1])
    pool = Pool(stub.url, limit=2)
    assert (await ask(pool))[0] == 201
    stub.answer = lambda _, n: None
    assert (await ask(pool))[0] == 0
    await stub.stop()
    assert [status for status, _ in await asyncio.gather(*(ask(pool) for _ in range(5)))] == [0] * 5
    stub.answer = lambda _, n: b"HTTP/1.1 201 X\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    await stub.start(port)
    assert [(await ask(pool))[0] for _ in range(2)] == [201, 201]
    pool.close()


async def test_an_answer_that_never_comes_is_given_up(stub: Any) -> None:
    async def never(_: bytes, n: int) -> bytes:
        await asyncio.sleep(60)
        return b""

    stub.answer = never
    pool = Pool(stub.url, limit=1, timeout_s=0.2)
    assert (await ask(pool))[0] == 0
    pool.close()
