"""The small HTTP client against a server that says what each test writes down, byte by byte."""

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from o2o_devices.cloud.auth import Basic, Digest
from o2o_devices.cloud.http import HttpClient
from o2o_devices.errors import HttpError

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NONCE = b'HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm="r", nonce="n", qop="auth"\r\nContent-Length: 0\r\n\r\n'


class Server:
    """Answers the n-th request of all connections with the n-th answer; "" hangs up, None says nothing for ever."""

    def __init__(self, *answers: bytes | None) -> None:
        self.answers = list(answers)
        self.heard: list[bytes] = []
        self.came = asyncio.Event()
        self.connections = 0
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = next(
                    (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
                )
                self.heard.append(head + await reader.readexactly(size))
                self.came.set()
                answer = self.answers.pop(0) if self.answers else OK
                if answer is None:
                    await asyncio.sleep(3600)
                elif not answer:
                    return
                else:
                    writer.write(answer)
                    if b"Connection: close" in answer or b"HTTP/1.0" in answer:
                        return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@pytest.fixture(params=["asyncio", "uvloop"], autouse=True)
def loop(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything below holds on both event loops."""
    if request.param == "uvloop":
        uvloop = pytest.importorskip("uvloop")

        def run(main: Coroutine[Any, Any, Any]) -> Any:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(main)

        monkeypatch.setattr(asyncio, "run", run)


def against(server: Server, test: Callable[[str], Awaitable[None]]) -> None:
    async def main() -> None:
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        try:
            host, port = listening.sockets[0].getsockname()
            await asyncio.wait_for(test(f"http://{host}:{port}"), 20.0)
        finally:
            listening.close()

    asyncio.run(main())


def test_one_connection_carries_many_exchanges() -> None:
    server = Server(OK, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")

    async def test(url: str) -> None:
        client = HttpClient(url + "/base?x=1")
        assert await client.request("POST", "/poll?a=b", {"Content-Type": "text/plain"}, b"hello") == (
            200,
            {"content-length": "2"},
            b"ok",
        )
        assert (await client.request("GET", "")).body == b"abcd"
        assert (await client.request("DELETE", "/x")).status == 200
        assert server.connections == 1
        assert server.heard[0].startswith(b"POST /poll?a=b HTTP/1.1\r\n")
        assert b"\r\ncontent-type: text/plain\r\n" in server.heard[0].lower()
        assert server.heard[0].endswith(b"\r\n\r\nhello")
        assert server.heard[1].startswith(b"GET /base?x=1 HTTP/1.1\r\n")
        client.close()
        assert not client.connected

    against(server, test)


def test_a_new_connection_for_each_exchange_if_told_so() -> None:
    server = Server()

    async def test(url: str) -> None:
        client = HttpClient(url, keep_alive=False)
        for _ in range(3):
            await client.request("GET", "/")
            assert not client.connected
        assert server.connections == 3
        assert b"connection: close" in server.heard[0].lower()

    against(server, test)


def test_a_server_that_closes_is_asked_over_a_new_connection() -> None:
    server = Server(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it")

    async def test(url: str) -> None:
        client = HttpClient(url)
        assert (await client.request("GET", "/")).body == b"all of it"
        assert (await client.request("GET", "/")).body == b"ok"
        assert server.connections == 2

    against(server, test)


def test_a_dead_kept_connection_is_tried_again_only_when_that_is_harmless() -> None:
    server = Server(OK, b"", OK, b"", OK)

    async def test(url: str) -> None:
        client = HttpClient(url)
        await client.request("GET", "/1")
        assert (await client.request("GET", "/2")).body == b"ok"  # hung up on, sent again
        with pytest.raises(HttpError) as told:
            await client.request("POST", "/3")
        assert told.value.reason == "closed"
        assert (await client.request("POST", "/4")).status == 200
        assert [line.split()[1] for line in server.heard] == [b"/1", b"/2", b"/2", b"/3", b"/4"]
        server.answers.insert(0, b"")
        await client.request("POST", "/5", again=True)
        assert [line.split()[1] for line in server.heard][-2:] == [b"/5", b"/5"]

    against(server, test)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nConnection: close\r\n\r\nshort", "protocol"),
        (b"220 mail.example ESMTP\r\n\r\n", "protocol"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n" + bytes(5000), "too_large"),
        (None, "timeout"),
    ],
)
def test_everything_that_goes_wrong_is_one_error_with_a_reason(answer: bytes | None, reason: str) -> None:
    async def test(url: str) -> None:
        client = HttpClient(url, timeout_s=5.0, max_body=4000)
        with pytest.raises(HttpError) as told:
            await client.request("GET", "/", timeout_s=0.05 if answer is None else None)
        assert told.value.reason == reason
        assert not client.connected
        assert (await client.request("GET", "/")).body == b"ok"

    against(Server(answer), test)


def test_nobody_listens_and_no_address() -> None:
    async def main() -> None:
        listening = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
        port = listening.sockets[0].getsockname()[1]
        listening.close()
        await listening.wait_closed()
        for url in (f"http://127.0.0.1:{port}", "ftp://127.0.0.1", "http://", "http://127.0.0.1:notaport/"):
            with pytest.raises(HttpError) as told:
                await HttpClient(url).request("GET", "")
            assert told.value.reason == "connect"

    asyncio.run(main())


def test_a_dropped_link_fails_the_request_under_way() -> None:
    async def test(url: str) -> None:
        client = HttpClient(url)
        request = asyncio.create_task(client.request("GET", "/"))
        await server.came.wait()
        client.drop()
        with pytest.raises(HttpError) as told:
            await request
        assert told.value.reason == "link"
        assert (await client.request("GET", "/")).body == b"ok"

    server = Server(None)
    against(server, test)


def test_an_answer_may_lead_to_another_server() -> None:
    other = Server()

    async def test(url: str) -> None:
        listening = await asyncio.start_server(other.serve, "127.0.0.1", 0)
        try:
            port = listening.sockets[0].getsockname()[1]
            client = HttpClient(url)
            await client.request("GET", "/here")
            await client.request("GET", f"http://127.0.0.1:{port}/there?job=1")
            await client.request("GET", "/here")
            assert server.connections == 1
            assert other.heard[0].startswith(b"GET /there?job=1 ")
            assert f"host: 127.0.0.1:{port}".encode() in other.heard[0].lower()
        finally:
            listening.close()

    server = Server()
    against(server, test)


def test_credentials() -> None:
    async def basic(url: str) -> None:
        assert (await HttpClient(url, auth=Basic("u", "p")).request("GET", "/")).status == 200
        assert b"authorization: Basic dTpw\r\n" in server.heard[0]

    async def digest(url: str) -> None:
        client = HttpClient(url, auth=Digest("u", "p"))
        assert (await client.request("POST", "/poll", {}, b"body")).status == 200
        assert b"authorization" not in server.heard[0]
        assert b"nc=00000001" in server.heard[1]
        assert server.heard[1].endswith(b"body")
        await client.request("POST", "/poll", {}, b"body")
        assert b"nc=00000002" in server.heard[2], "not asked again"

    async def refused(url: str) -> None:
        assert (await HttpClient(url, auth=Digest("u", "no")).request("GET", "/")).status == 401
        assert len(server.heard) == 2

    server = Server()
    against(server, basic)
    server = Server(NONCE, OK, OK)
    against(server, digest)
    server = Server(NONCE, NONCE)
    against(server, refused)


def test_a_slow_link_takes_its_time_in_both_directions() -> None:
    async def test(url: str) -> None:
        loop = asyncio.get_running_loop()
        slept: list[float] = []

        async def sleep(seconds: float) -> None:
            slept.append(seconds)

        rate: list[float | None] = [200.0]
        client = HttpClient(url, bytes_s=lambda: rate[0])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("o2o_devices.cloud.http.asyncio.sleep", sleep)
            answer = await client.request("POST", "/", {}, bytes(1000))
        sent = len(server.heard[0])
        assert answer.body == b"ok"
        assert sum(slept) >= (sent + len(OK)) / 200.0
        rate[0] = None
        assert (await client.request("GET", "/")).status == 200
        assert loop.time() > 0

    server = Server()
    against(server, test)


def test_an_idle_client_is_small() -> None:
    async def test(url: str) -> None:
        clients = [HttpClient(url) for _ in range(201)]
        await clients[0].request("GET", "/")
        gc.collect()
        tracemalloc.start()
        try:
            for client in clients[1:]:
                await client.request("GET", "/")
            gc.collect()
            filters = [tracemalloc.Filter(True, "*/o2o_devices/*"), tracemalloc.Filter(True, "*/h11/*")]
            held = tracemalloc.take_snapshot().filter_traces(filters)
        finally:
            tracemalloc.stop()
        assert sum(trace.size for trace in held.traces) / 200 < 1_500, "bytes a client that waits, its transport apart"
        for client in clients:
            client.close()

    against(Server(), test)
