"""`o2o serve --workers 2` on PostgreSQL: both answer on one port, one that is killed is replaced, requests under way
come to their end when all is told to end."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

PATIENCE_S = 120.0


def _servers() -> Any:
    spec = importlib.util.spec_from_file_location("test_servers", Path(__file__).parents[1] / "servers.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Workers:
    def __init__(self, folder: Path, database: str, redis: str, prefix: str, password: str) -> None:
        self.log = folder / "workers.log"
        argv = [sys.executable, "-m", "o2o_cli.main", "serve", "--workers", "2", "--port", "0", "--announce"]
        settings = {
            "database_url": database,
            "redis_url": redis,
            "redis_prefix": prefix,
            "jwt_secret": "j" * 32,
            "provider_secret": "p" * 32,
            "admin_password": password,
        }
        environment = {**os.environ, **{f"O2O_{name.upper()}": value for name, value in settings.items()}}
        with self.log.open("w") as log:
            self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        stuck = threading.Timer(PATIENCE_S, self.process.kill)
        stuck.start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        stuck.cancel()
        assert line, self.log.read_text()
        self.url = str(json.loads(line)["base_url"])

    def children(self) -> list[int]:
        return [
            int(pid) for pid in Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        ]

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def answered_by(self) -> set[str]:
        return {line["process"] for line in self.lines() if line["event"] == "request"}


@pytest.fixture
def workers(tmp_path: Path, password: str) -> Iterator[Workers]:
    servers = _servers()
    with servers.postgres_database() as database, servers.redis_prefix() as (redis, prefix):
        made = Workers(tmp_path, database, redis, prefix, password)
        try:
            yield made
        finally:
            if made.process.poll() is None:
                made.process.terminate()
                made.process.wait(PATIENCE_S)
            assert made.process.stdout is not None
            made.process.stdout.close()


def test_two_answer_on_one_port_and_a_killed_one_is_replaced(workers: Workers, wait_until: Callable[..., Any]) -> None:
    pids = workers.children()
    assert len(pids) == 2

    def ask(_: int) -> int:  # a connection each
        return httpx.get(f"{workers.url}/readyz", timeout=PATIENCE_S).status_code

    def both_have_answered() -> bool:
        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(ask, range(32))) == {200}
        return workers.answered_by() == {"worker-1", "worker-2"}

    wait_until(both_have_answered, "both workers have answered")
    os.kill(pids[0], signal.SIGKILL)
    wait_until(lambda: len(set(workers.children()) - set(pids)) == 1, "another worker is there", PATIENCE_S)
    assert pids[1] in workers.children()
    # While it starts, and afterwards, the port answers.
    assert {ask(number) for number in range(20)} == {200}


def test_what_is_under_way_comes_to_its_end(workers: Workers, password: str, wait_until: Callable[..., Any]) -> None:
    codes: list[int] = []
    refused = 0
    stop = threading.Event()

    def log_in() -> None:  # takes a tenth of a second of the worker's time
        nonlocal refused
        while not stop.is_set():
            try:
                form = {"username": "admin", "password": password}
                codes.append(httpx.post(f"{workers.url}/auth/token", data=form, timeout=PATIENCE_S).status_code)
            except httpx.TransportError:  # nobody listens, or nobody took it any more
                refused += 1
                time.sleep(0.05)

    threads = [threading.Thread(target=log_in) for _ in range(6)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(codes) > 10, "requests are under way")
    pids = workers.children()
    workers.process.send_signal(signal.SIGTERM)
    assert workers.process.wait(PATIENCE_S) == 0
    wait_until(lambda: refused > 0, "nobody listens any more")
    stop.set()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert set(codes) == {200}
    taken = [line for line in workers.lines() if line.get("route") == "/auth/token"]
    assert len(taken) == len(codes)  # whatever a worker took was answered
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    assert "Traceback" not in workers.log.read_text()
