"""The order path's benchmarks run from end to end, for a second each; what they measure here counts for nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from o2o_cli.bench import pgbench
from o2o_cli.bench.end_to_end import run_end_to_end
from o2o_cli.bench.order_path import run_order_path
from o2o_cli.errors import UsageError
from o2o_cli.up.postgres import find_programs
from servers import missing


@pytest.fixture(autouse=True)
def programs() -> None:
    """They start servers of their own."""
    try:
        find_programs()
    except UsageError as error:
        missing(f"the order path's benchmarks ({error})")
    for program, there in (("pgbench", pgbench.found()), ("redis-server", shutil.which("redis-server"))):
        if there is None:
            missing(f"the order path's benchmarks ({program} is not installed)")


def test_order_path_against_pgbench(tmp_path: Path) -> None:
    path = tmp_path / "order-path.json"
    assert run_order_path(smoke=True, json_path=path, quiet=True) == 0
    told = json.loads(path.read_text())
    figures = told["figures"]
    rows = {row["name"]: row for row in figures["rows"]}
    assert list(rows) == ["orders_off", "orders_on", "p99_off", "p99_on"]
    for mode in ("off", "on"):
        assert rows[f"orders_{mode}"]["verdict"] in ("PASS", "SHORT")
        assert rows[f"orders_{mode}"]["ours"] > 0
        assert rows[f"orders_{mode}"]["reference"] > 0
        (pair,) = figures["synchronous_commit"][mode]["pairs"]
        assert set(pair["ours"]["statuses"]) == {"201"}
        assert [run["clients"] for run in pair["pgbench"]] == list(pgbench.CLIENTS)
        assert {"worker", "load"} <= set(figures["synchronous_commit"][mode]["cores"]["ours"])
    assert figures["server"]["own"] == "yes"
    assert {"machine", "versions", "argv"} <= set(told)


def test_end_to_end(tmp_path: Path) -> None:
    path = tmp_path / "end-to-end.json"
    assert run_end_to_end(smoke=True, json_path=path, quiet=True) == 0
    figures = json.loads(path.read_text())["figures"]
    assert [row["name"] for row in figures["rows"]] == ["end_to_end_balance", "end_to_end_provider"]
    for way in ("balance", "provider"):
        (one,) = figures["tries"][way]
        assert one["placed_per_s"] > 0
        assert one["drained_s"] is not None  # every ticket of every order came to its printer
        assert {"worker", "relay", "dispatcher", "provider", "printers", "load"} <= set(one["cores"])
