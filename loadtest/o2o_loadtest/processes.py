"""Child processes of a live run: start, talk in JSON lines, stop by id.

Decides how a child is watched: each line of its standard output is a JSON object handed to a callback (other lines are
kept as its log), standard error goes to a log file. A child that ends by itself too early is a ProcessError that quotes
the end of its log. Children get no signal of the terminal's: Ctrl-C is the orchestrator's to handle.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import msgspec

from o2o_loadtest.errors import ProcessError

STOP_S = 10.0
QUOTED_LINES = 3


class Child:
    """One child process. Use as a context manager: it is stopped at the end, whatever happened."""

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        log: Path,
        *,
        on_line: Callable[[dict[str, Any]], None] = lambda line: None,
        env: Mapping[str, str] | None = None,
        stop_s: float = STOP_S,
    ) -> None:
        """Start it. Raises ProcessError when the program cannot be started.

        `stop_s`: it is killed when it has not ended so long after it was asked to.
        """
        self.name = name
        self._stop_s = stop_s
        self._log_path = log
        self._log = log.open("ab")
        self._on_line = on_line
        try:
            self._process = subprocess.Popen(
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._log,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
                start_new_session=True,
            )
        except OSError as error:
            self._log.close()
            raise ProcessError(f"{name}: cannot be started ({error.strerror or error})") from error
        self._reader = threading.Thread(target=self._read, name=f"{name}-output", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it has ended by itself or was stopped."""
        return self._process.poll() is not None

    def say(self, line: dict[str, Any]) -> None:
        """Send one JSON line to its standard input. Raises ProcessError when it has gone."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(msgspec.json.encode(line) + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise self._gone() from error

    def wait(self, timeout_s: float) -> bool:
        """Wait for its end; False when it still runs after `timeout_s`. Its last lines have been handed on."""
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        self._reader.join(timeout_s)
        return True

    def check(self, *, may_have_ended: bool = False) -> None:
        """Raise ProcessError if it failed, or has ended although it should not have."""
        code = self._process.poll()
        if code is not None and (code != 0 or not may_have_ended):
            raise self._gone()

    def stop(self) -> None:
        """End it: politely, then by force."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            if not self.wait(self._stop_s):
                self._process.kill()
                self._process.wait()
        self._reader.join(STOP_S)
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # a line that could not be flushed to a child that is gone
                    stream.close()
        if not self._log.closed:
            self._log.close()

    def kill(self) -> None:
        """End it as a crash does: SIGKILL, by its id. `stop` afterwards cleans up."""
        self._process.kill()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for raw in self._process.stdout:
            try:
                line = msgspec.json.decode(raw)
            except msgspec.DecodeError:
                line = None
            if isinstance(line, dict):
                self._on_line(line)
            elif not self._log.closed:
                self._log.write(raw)

    def _gone(self) -> ProcessError:
        self._process.wait()
        self._reader.join(STOP_S)
        lines = [line for line in self._log_path.read_text("utf-8", "replace").splitlines() if line.strip()]
        told = " | ".join(line.strip() for line in lines[-QUOTED_LINES:]) or "it said nothing"
        return ProcessError(
            f"{self.name} ended early with code {self._process.returncode}: {told} (see {self._log_path})"
        )
