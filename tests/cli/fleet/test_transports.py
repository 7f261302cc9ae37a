"""A fleet whose printers fetch their jobs, or are told of them: they come to the server that was named (A14)."""

from __future__ import annotations

import json
import re
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

ENOUGH_S = 20.0


class Polls:
    """A server that has no job for anybody, and who has asked it."""

    def __init__(self) -> None:
        self.who: Counter[str] = Counter()
        self.all = threading.Event()
        self.wanted = 0

    def note(self, who: str) -> None:
        self.who[who] += 1
        if len(self.who) >= self.wanted:
            self.all.set()


@pytest.fixture
def server() -> Iterator[tuple[str, Polls]]:
    polls = Polls()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.startswith("/cloudprnt"):
                polls.note("cloudprnt://" + re.sub("[^0-9a-f]", "", json.loads(body)["printerMAC"].lower()))
                answer = b'{"jobReady": false}'
            else:
                polls.note("epson://" + re.search(rb"ID=([\w-]+)", body)[1].decode())  # type: ignore[index]
                answer = b""
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *told: object) -> None:
            pass

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,))
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}", polls
    httpd.shutdown()
    thread.join()
    httpd.server_close()


def test_printers_poll_and_are_listed_by_their_addresses(start: Any, server: tuple[str, Polls]) -> None:
    url, polls = server
    polls.wanted = 6
    mix = "tcp9100=0.4,cloudprnt=0.3,epson=0.3"
    fleet = start("--count", "10", "--processes", "2", "--transport", mix, "--server", url, "--poll", "0.2")
    places = fleet.places()
    listening = [place for place in places.values() if isinstance(place, list)]
    fetching = {place for place in places.values() if isinstance(place, str)}
    assert len(listening) + len(fetching) == 10
    assert {place.partition(":")[0] for place in fetching} == {"cloudprnt", "epson"}
    polls.wanted = len(fetching)
    assert polls.all.wait(ENOUGH_S), polls.who
    assert set(polls.who) == fetching
    for host, port in listening:
        with socket.create_connection((host, port), timeout=5.0) as printer:
            printer.sendall(b"\x10\x04\x01")
            assert printer.recv(1) == b"\x12"


def test_printers_come_to_the_broker(start: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        broker.settimeout(ENOUGH_S)
        port = broker.getsockname()[1]
        fleet = start("--count", "1", "--transport", "cloudprnt-mqtt", "--mqtt-url", f"mqtt://127.0.0.1:{port}")
        assert fleet.places() == {0: "cloudprnt-mqtt://001162000000"}
        connection, _ = broker.accept()
        with connection:
            connection.settimeout(ENOUGH_S)
            hello = connection.recv(1024)
        assert hello[:1] == b"\x10"  # CONNECT
        assert b"MQTT" in hello
        assert b"00:11:62:00:00:00" in hello
