"""All sockets of a loop in one epoll: mistakes and shortages of one printer are not the others' (A14)."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import pytest

from o2o_devices import tcp9100
from o2o_devices.mechanism import Profile
from o2o_devices.poll import READ, poller_of
from o2o_devices.printer import VirtualPrinter
from o2o_devices.tcp9100 import PrinterServer

STATUS = b"\x10\x04\x01"


class Reader:
    def __init__(self, fd: int, then: Callable[[bytes], None]) -> None:
        self.fd = fd
        self.then = then

    def on_ready(self, events: int) -> None:
        self.then(os.read(self.fd, 100))


def test_a_mistake_of_one_is_told_and_the_others_are_served() -> None:
    async def main() -> None:
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        mistakes: list[Any] = []
        loop.set_exception_handler(lambda loop, context: mistakes.append(context["exception"]))
        poller = poller_of(loop)
        pipes = [os.pipe() for _ in range(2)]

        def wrong(data: bytes) -> None:
            raise ValueError("wrong")

        poller.add(pipes[0][0], Reader(pipes[0][0], wrong), READ)
        poller.add(pipes[1][0], Reader(pipes[1][0], lambda data: told.set()), READ)
        for _, end in pipes:
            os.write(end, b"x")
        assert poller_of(loop) is poller
        await asyncio.wait_for(told.wait(), 10.0)
        assert [str(mistake) for mistake in mistakes] == ["wrong"]
        for here, there in pipes:
            poller.remove(here)
            os.close(here)
            os.close(there)
        assert poller_of(loop) is not poller  # it is left when there is nothing to watch

    asyncio.run(main())


def test_a_descriptor_closed_by_another_in_the_same_round_is_left_alone() -> None:
    async def main() -> None:
        poller, seen = poller_of(asyncio.get_running_loop()), []
        pipes = [os.pipe() for _ in range(2)]

        def close_all(data: bytes) -> None:
            seen.append(data)
            for here, _ in pipes:
                poller.remove(here)
                os.close(here)

        for here, there in pipes:
            poller.add(here, Reader(here, close_all), READ)
            os.write(there, b"x")
        for _ in range(20):
            await asyncio.sleep(0)
        assert seen == [b"x"]
        for _, there in pipes:
            os.close(there)

    asyncio.run(main())


def test_without_descriptors_nobody_is_accepted_for_a_while_and_then_again(monkeypatch: pytest.MonkeyPatch) -> None:
    borrowed, failures = tcp9100._borrowed, [errno.EMFILE, errno.ENFILE]

    class Short(borrowed):
        def __enter__(self) -> socket.socket:
            if failures:
                self._sock.detach()
                raise OSError(failures.pop(), "too many open files")
            return super().__enter__()

    async def main() -> None:
        server = PrinterServer(VirtualPrinter(Profile(), on_paper=lambda receipt, at: None))
        await server.start()
        monkeypatch.setattr(tcp9100, "_borrowed", Short)
        monkeypatch.setattr(tcp9100, "_NO_FILES_S", 0.01)
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(STATUS)
        assert await asyncio.wait_for(reader.readexactly(1), 10.0) == b"\x12"
        assert failures == []
        writer.close()
        await server.stop()

    asyncio.run(main())


def test_answers_wait_for_a_peer_that_reads_late() -> None:
    async def main() -> None:
        printer = VirtualPrinter(Profile(buffer_bytes=1 << 20), on_paper=lambda receipt, at: None)
        server = PrinterServer(printer)
        await server.start()
        loop = asyncio.get_running_loop()
        with socket.socket() as peer:
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.setblocking(False)
            await loop.sock_connect(peer, ("127.0.0.1", server.port))
            for _ in range(1000):
                if server.connections:
                    break
                await asyncio.sleep(0)
            connection = server._active
            assert connection is not None
            sent = 0
            while not connection._unsent:
                connection.send(b"a" * 10_000)
                sent += 10_000
            connection.send(b"z" * 100)
            got = b""
            while len(got) < sent + 100:
                got += await asyncio.wait_for(loop.sock_recv(peer, 1 << 16), 10.0)
            assert got == b"a" * sent + b"z" * 100
        await server.stop()

    asyncio.run(main())
