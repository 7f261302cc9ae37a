"""A fleet as a process of its own, as `o2o printers` starts it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

START_S = 60.0


@dataclass
class Running:
    """The process, and what it said when it was ready."""

    process: subprocess.Popen[str]
    folder: Path
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def room(self) -> str:
        """The control room's URL."""
        return str(self.said["control_url"])

    def places(self) -> dict[int, Any]:
        """Where each printer is."""
        return {int(name): place for name, place in json.loads((self.folder / "ports.json").read_text()).items()}

    def children(self) -> list[int]:
        """Process ids of its parts."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                text = (entry / "stat").read_text()
            except OSError:
                continue
            if int(text[text.rindex(")") + 2 :].split()[1]) == self.process.pid:
                found.append(int(entry.name))
        return sorted(found)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Tell it to end; its exit code and what it wrote to standard error."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        """Wait for its end."""
        _, err = self.process.communicate(timeout=30.0)
        return self.process.returncode, err


Start = Callable[..., Running]


def command(folder: Path, *options: str) -> subprocess.Popen[str]:
    """The process, which may not be ready yet."""
    argv = [sys.executable, "-m", "o2o_cli.main", "printers", "--announce"]
    argv += ["--ports-file", str(folder / "ports.json"), "--journal", str(folder / "paper.jsonl"), *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("O2O_")}
    return subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """start("--count", "4") -> a fleet that is ready (or begins to be); ended at the end of the test."""
    started: list[Running] = []

    def begin(*options: str, ready: bool = True) -> Running:
        process = command(tmp_path, *options)
        running = Running(process, tmp_path)
        started.append(running)
        if not ready:
            return running
        assert process.stdout is not None
        late = threading.Timer(START_S, process.kill)
        late.start()
        line = process.stdout.readline()
        late.cancel()
        if not line:
            raise AssertionError(f"it did not start: {process.communicate()[1]}")
        running.said = json.loads(line)
        return running

    yield begin
    for running in started:
        if running.process.poll() is None:
            running.process.terminate()
            try:
                running.process.communicate(timeout=20.0)
            except subprocess.TimeoutExpired:
                running.process.kill()
                running.process.communicate()
