"""The kill campaign at a smaller size: ten kills each of five seeds, all kinds of processes, real servers of its own.

`o2o chaos order-path --kills 50 --seed 7` is the same at full size. Also: Ctrl-C leaves nobody running.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from o2o_cli.bench.house import figure
from o2o_cli.chaos.command import Wanted, run_order_path
from o2o_cli.chaos.plan import KINDS
from o2o_cli.errors import UsageError
from o2o_cli.up.folder import StateFolder
from o2o_cli.up.postgres import drop_cluster, find_programs
from o2o_results.run import RunReader
from servers import missing

KILLS, EVERY_S, RATE = 10, 0.8, 25.0
SEEDS = (1, 2, 3, 4, 5)


@pytest.fixture(autouse=True)
def programs() -> None:
    """The campaign kills servers, so it starts its own."""
    try:
        find_programs()
    except UsageError as error:
        missing(f"the kill campaign ({error})")
    if shutil.which("redis-server") is None:
        missing("the kill campaign (redis-server is not installed)")


@pytest.fixture
def state_folder(tmp_path: Path) -> Iterator[Path]:
    """For the set. PostgreSQL's user cannot get into pytest's folders, so the cluster lies elsewhere: it is removed."""
    yield tmp_path / "state"
    drop_cluster(StateFolder(tmp_path / "state"))


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_whoever_is_killed(seed: int, state_folder: Path, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "told.json"
    wanted = Wanted(
        kills=KILLS, seed=seed, rate=RATE, every=EVERY_S, workers=2, dispatchers=2, printers=6,
        state=state_folder, plan_only=False, json=path, quiet=True,
    )  # fmt: skip
    code = run_order_path(wanted)
    said = capsys.readouterr().out
    told = json.loads(path.read_text())["figures"]
    assert (code, told["problems"]) == (0, []), said
    assert {hit["kind"] for hit in told["kills"]} == set(KINDS)
    assert sum(hit["name"] is not None for hit in told["kills"]) >= KILLS - 3  # some were down already
    assert told["orders"]["acknowledged"] > 0.9 * told["orders"]["sent"], figure(told["orders"]["sent"])
    assert (
        told["orders"]["printed"] + told["orders"]["unconfirmed"] + told["orders"]["failed"] == told["orders"]["paid"]
    )
    manifest = RunReader(state_folder / "run").manifest
    assert manifest.status == "finished"
    names = {verdict.name for verdict in manifest.verdicts if verdict.checked}
    assert {"peak.acknowledged_kept", "peak.no_first_copy_twice", "money.ledger_balanced", "stock.orders"} <= names


def test_ctrl_c_leaves_nobody_running(state_folder: Path, processes_of: Any, wait_until: Any) -> None:
    argv = [sys.executable, "-m", "o2o_cli.main", "chaos", "order-path", "--kills", "500", "--rate", "10"]
    argv += ["--printers", "2", "--workers", "1", "--dispatchers", "1", "--state", str(state_folder), "--quiet"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        try:
            wait_until((state_folder / "load.log").exists, "the load has begun")
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=90)
        finally:
            process.kill()
    assert process.returncode == 130
    assert said.strip().splitlines()[-1].startswith("o2o: interrupted")
    wait_until(lambda: not processes_of(state_folder), "everybody has ended", 30)
