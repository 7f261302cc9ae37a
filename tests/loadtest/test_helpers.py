"""S11: helper processes of a live run, really killed and started again at the times of the scenario."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from o2o_loadtest.errors import ProcessError
from o2o_loadtest.helpers import HelperProcesses, HelperProgram
from o2o_scenarios.schema import HelperFaultSpec

LIVES = """
import os, sys
with open(sys.argv[1], "a") as file:
    print(os.getpid(), file=file)
print('{"ready": true}', flush=True)
sys.stdin.read()
"""
ENDS = "raise SystemExit('no such helper')"


def wait_until(check: Callable[[], Any], what: str) -> None:
    end = time.monotonic() + 30.0
    while not check():
        assert time.monotonic() < end, what
        time.sleep(0.01)


def program(name: str, pids: Path, code: str = LIVES) -> HelperProgram:
    return HelperProgram(name, [sys.executable, "-c", code, str(pids)])


def pids_in(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"


def test_a_helper_is_killed_and_comes_back_in_run_seconds(tmp_path: Path) -> None:
    """The scenario says 60 and 120 city seconds; at speed 10 that is run second 6 and 12. The other one lives on."""
    one, two = tmp_path / "one", tmp_path / "two"
    faults = [HelperFaultSpec(helper="risk", kill_s=60.0, back_s=120.0)]
    with HelperProcesses([program("risk", one), program("reviews", two)], faults, 10.0, tmp_path) as helpers:
        (first,), (other,) = pids_in(one), pids_in(two)
        helpers.attend(5.9)
        assert alive(first)
        helpers.attend(6.0)
        assert not alive(first)
        helpers.attend(11.9)
        assert helpers.done == [{"helper": "risk", "what": "killed", "at": 6.0}]
        helpers.attend(12.3)
        wait_until(lambda: len(pids_in(one)) == 2, "it is back")
        assert alive(pids_in(one)[1])
        assert alive(other)
        assert helpers.done[1:] == [{"helper": "risk", "what": "started", "at": 12.3}]
    assert not any(map(alive, [*pids_in(one), other]))


def test_a_helper_that_ends_by_itself_fails_the_run(tmp_path: Path) -> None:
    with HelperProcesses([program("risk", tmp_path / "pids")], [], 1.0, tmp_path) as helpers:
        (pid,) = pids_in(tmp_path / "pids")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not alive(pid), "it is dead")
        with pytest.raises(ProcessError, match="risk ended early"):
            helpers.attend(1.0)


def test_a_helper_that_never_answers_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    broken = program("reviews", tmp_path / "two", ENDS)
    with pytest.raises(ProcessError, match="reviews ended early with code 1: no such helper"):
        HelperProcesses([program("risk", tmp_path / "one"), broken], [], 1.0, tmp_path).__enter__()
    assert not any(map(alive, pids_in(tmp_path / "one")))


def test_faults_of_helpers_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    faults = [HelperFaultSpec(helper="risk", kill_s=1.0, back_s=2.0)]
    with HelperProcesses([], faults, 1.0, tmp_path) as helpers:
        helpers.attend(5.0)
        assert helpers.done == []
