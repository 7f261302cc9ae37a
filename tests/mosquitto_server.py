"""A mosquitto of a test's own, to be killed and started again; sessions and queued messages outlive it if asked to."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import servers
from redis_server import free_port

PROGRAM = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")


class OwnMosquitto:
    """`start`, `kill` (what was not saved is lost) or `stop` (all is saved), `start` again on the same port."""

    def __init__(self, folder: Path, *, persistent: bool = True) -> None:
        if PROGRAM is None:
            servers.missing("no mosquitto (Debian: mosquitto)")
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        data = folder / "mosquitto"
        data.mkdir(exist_ok=True)
        lines = [
            f"listener {self.port} 127.0.0.1",
            "allow_anonymous true",
            "set_tcp_nodelay true",
            "max_queued_messages 100000",
            "user root",  # else it changes to a user that cannot read this folder
        ]
        if persistent:
            lines += [
                "persistence true",
                f"persistence_location {data}/",
                "autosave_interval 1",
                "autosave_on_changes true",
            ]
        self._config = folder / "mosquitto.conf"
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def start(self) -> None:
        assert PROGRAM is not None
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._process = subprocess.Popen([PROGRAM, "-c", str(self._config)], stdout=log, stderr=log)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1.0).close()
            except OSError:
                assert self._process.poll() is None, (self._folder / "mosquitto.log").read_text("utf-8", "replace")
                time.sleep(0.01)
            else:
                return
        raise AssertionError("the mosquitto of this test does not answer")

    def stop(self) -> None:
        """Politely: it saves what it holds."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait(timeout=10)
            self._process = None
