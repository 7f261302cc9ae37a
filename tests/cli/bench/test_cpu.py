"""CPU by process tree."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from o2o_cli.bench.cpu import cpu_s, watched

BUSY = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n"


def test_a_tree_is_counted_with_its_children_living_and_ended() -> None:
    code = (
        f"import subprocess, sys, time\nsubprocess.run([sys.executable, '-c', {BUSY!r}])\nprint(1, flush=True)\ninput()"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert parent.stdin is not None
        with watched({"tree": parent.pid, "nobody": 2**22 + 1}) as used:
            parent.stdout.readline()
        parent.stdin.write(b"\n")
    assert set(used.cores) == {"tree"}
    assert used.cores["tree"] * used.seconds >= 0.25


def test_this_process_is_counted_once_when_parent_and_child_have_names() -> None:
    before = cpu_s({"parent": os.getppid(), "self": os.getpid()})
    end = time.process_time() + 0.2
    while time.process_time() < end:
        pass
    after = cpu_s({"parent": os.getppid(), "self": os.getpid()})
    assert after["self"] - before["self"] >= 0.15
