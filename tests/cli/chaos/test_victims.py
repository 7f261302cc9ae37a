"""Victims: who is named in up.json, and who serves a client of the server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from o2o_cli.chaos.plan import Kill
from o2o_cli.chaos.victims import RunningSet, backends

NOWHERE = "postgresql://nobody@127.0.0.1:9/none"


@pytest.fixture
def dummies() -> Iterator[list[subprocess.Popen[bytes]]]:
    made = [subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) for _ in range(3)]
    yield made
    for one in made:
        one.kill()
        one.wait()


def write(folder: Path, *rows: tuple[str, str, int | None, str]) -> RunningSet:
    told = [{"name": name, "kind": kind, "pid": pid, "port": None, "state": state} for name, kind, pid, state in rows]
    (folder / "up.json").write_text(json.dumps({"pid": os.getpid(), "processes": told}))
    return RunningSet(folder, NOWHERE)


def test_the_plans_victim_is_killed_and_nobody_else(tmp_path: Path, dummies: Any) -> None:
    one, two, relay = (dummy.pid for dummy in dummies)
    running = write(
        tmp_path,
        ("worker-1", "worker", one, "ready"),
        ("worker-2", "worker", two, "ready"),
        ("relay", "relay", relay, "ready"),
    )
    victim = running.kill(Kill(0, 1.0, "worker", 0.9))
    assert victim is not None
    assert (victim.name, victim.pid) == ("worker-2", two)
    assert dummies[1].wait(10) == -signal.SIGKILL
    assert [dummy.poll() for dummy in (dummies[0], dummies[2])] == [None, None]


def test_who_is_down_already_is_not_killed_again(tmp_path: Path) -> None:
    running = write(tmp_path, ("redis", "redis", None, "waiting"), ("worker-1", "worker", 2**22 + 5, "ready"))
    assert running.kill(Kill(0, 1.0, "redis", 0.5)) is None
    assert running.kill(Kill(0, 1.0, "provider", 0.5)) is None
    assert running.kill(Kill(0, 1.0, "worker", 0.5)) is None  # gone, and nobody has noticed yet
    assert not running.all_ready()


def test_it_is_back_when_another_process_of_its_name_is_ready(tmp_path: Path, dummies: Any) -> None:
    running = write(tmp_path, ("relay", "relay", dummies[0].pid, "ready"))
    victim = running.kill(Kill(0, 1.0, "relay", 0.0))
    assert victim is not None
    states = []
    for pid, state in (
        (dummies[0].pid, "ready"),
        (None, "waiting"),
        (dummies[1].pid, "starting"),
        (dummies[1].pid, "ready"),
    ):
        write(tmp_path, ("relay", "relay", pid, state))
        states.append(asyncio.run(running.is_back(victim)))
    assert states == [False, False, False, True]


def test_a_server_that_is_away_does_not_answer(tmp_path: Path) -> None:
    assert asyncio.run(write(tmp_path).database_answers()) is False


def test_backends_are_the_servers_children_that_serve_clients() -> None:
    assert backends(os.getpid()) == []
    code = (
        "import subprocess, sys\n"
        "names = ['postgres: o2o o2o 127.0.0.1(4711) idle', 'postgres: checkpointer ', 'postgres: walwriter ']\n"
        "made = [subprocess.Popen([name, '60'], executable='/bin/sleep') for name in names]\n"
        "print(*(one.pid for one in made), flush=True)\n"
        "sys.stdin.read()\n"
        "[one.kill() for one in made]\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as master:
        assert master.stdout is not None
        pids = [int(word) for word in master.stdout.readline().split()]
        found = backends(master.pid)
        assert master.stdin is not None
        master.stdin.close()
    assert found == pids[:1]
