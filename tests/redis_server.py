"""A redis-server of a test's own, with an append-only file, to be killed and started again."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

import redis

import servers


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class OwnRedis:
    """`start`, `kill`, `start` again: what it wrote down is there; `wipe` while it is down: nothing is."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("redis-server") is None:
            servers.missing("no redis-server on the path")
        self._folder = folder
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"redis://127.0.0.1:{self._port}/0"

    def start(self) -> None:
        options = {
            "port": self._port, "bind": "127.0.0.1", "dir": self._folder, "save": "", "appendonly": "yes",
            "appendfsync": "everysec", "daemonize": "no",
        }  # fmt: skip
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        self._process = subprocess.Popen(["redis-server", *words], stdout=subprocess.DEVNULL)
        client = redis.Redis(port=self._port)
        for _ in range(500):
            with contextlib.suppress(redis.RedisError):
                client.ping()
                client.close()
                return
            time.sleep(0.01)
        raise AssertionError("the redis-server of this test does not answer")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        shutil.rmtree(self._folder)
        self._folder.mkdir()
