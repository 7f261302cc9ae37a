"""Ctrl-C ends work in good order: what was done is kept and is never taken for a finished run.

And what is finished is the same again: one seed, one set of tables.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BIG = """\
name: big
clock: {start_min: 540, duration_s: 28800}
city: {nodes: 100, extent_km: 2, zones: 4, merchants: {count: 20}, users: {count: 100}, riders: {count: 100}}
demand: {orders_per_hour: 1500}
"""
PATIENCE_S = 60.0
SIMULATE = ("simulate", "tiny.yaml", "--no-report", "--quiet")


@pytest.fixture(autouse=True)
def ctrl_c_as_in_a_new_process() -> Iterator[None]:
    """What earlier tests of this worker left as the handler of SIGINT is not what a user's command starts with."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def manifest(run: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    return read


def test_ctrl_c_leaves_a_run_marked_interrupted(folder: Path, o2o: Any) -> None:
    (folder / "big.yaml").write_text(BIG, encoding="utf-8")
    args = [sys.executable, "-m", "o2o_cli.main", "simulate", "big.yaml", "--no-report", "--out", "runs/big"]
    with subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder) as child:
        deadline = time.monotonic() + PATIENCE_S
        while not (folder / "runs/big/trace.parquet").exists():  # the run has begun
            assert child.poll() is None, child.stderr and child.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=PATIENCE_S)
    assert child.returncode == 130
    assert err.splitlines()[-1] == "o2o: interrupted: the run so far is in runs/big"
    assert "Traceback" not in err
    assert out == ""
    kept = manifest(folder / "runs/big")
    assert kept["status"] == "interrupted"
    assert kept["ended_at"]
    assert not list((folder / "runs/big").glob(".*"))
    assert "interrupted" in o2o("runs", "--root", "runs").out
    assert o2o("report", "latest", "--root", "runs").code == 2


def test_ctrl_c_before_the_run_begins_leaves_nothing(folder: Path, o2o: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from o2o_cli.jobs import world

    def pressed(*_: Any) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(world, "build_trace", pressed)
    said = o2o(*SIMULATE)
    assert (said.code, said.err) == (130, "o2o: interrupted\n")
    assert [path.name for path in folder.iterdir()] == ["tiny.yaml"]


def test_an_interrupted_comparison_goes_on_where_it_stopped(
    folder: Path, o2o: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from o2o_cli import console

    command = ("compare", "tiny.yaml", "--vary", "city.riders.count=5,10", "-n", "2", "--workers", "1", "--out", "kept")
    seen: list[float] = []

    @contextmanager
    def pressed_after_the_first(what: str, *, quiet: bool = False) -> Iterator[Callable[[float], None]]:
        def report(share: float) -> None:
            seen.append(share)
            if 0 < share < 0.3:
                signal.raise_signal(signal.SIGINT)

        yield report

    monkeypatch.setattr(console, "progress", pressed_after_the_first)
    said = o2o(*command)
    assert said.code == 130
    assert said.err == "o2o: interrupted: stopped after 1 of 4 runs; the same command goes on from kept\n"
    assert not (folder / "kept/compare.html").exists()
    seen.clear()
    monkeypatch.undo()
    os.chdir(folder)
    assert o2o(*command, "--quiet").code == 0
    assert len((folder / "kept/replications.jsonl").read_text().splitlines()) == 4
    assert (folder / "kept/compare.html").exists()


def test_one_seed_gives_the_same_tables_in_any_process_and_another_seed_others(folder: Path, o2o: Any) -> None:
    assert o2o(*SIMULATE, "--out", "here").code == 0
    assert o2o(*SIMULATE, "--out", "other", "--seed", "8").code == 0
    subprocess.run(
        [sys.executable, "-m", "o2o_cli.main", *SIMULATE, "--out", "there"],
        cwd=folder,
        env={**os.environ, "PYTHONHASHSEED": "4242"},
        check=True,
        capture_output=True,
    )
    here, there, other = (manifest(folder / name) for name in ("here", "there", "other"))
    assert here["status"] == there["status"] == "finished"
    assert here["table_hash"] == there["table_hash"]
    assert here["scenario_hash"] == there["scenario_hash"]
    assert other["table_hash"] != here["table_hash"]
    assert (here["seed"], other["seed"]) == (7, 8)
