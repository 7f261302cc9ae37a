"""The reference: how pgbench is called and read; against the test server where there is one."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from o2o_cli.bench import pgbench
from o2o_cli.errors import UsageError

REPORT = """pgbench (15.14)
transaction type: order.sql
scaling factor: 1
query mode: prepared
number of clients: 8
number of threads: 2
maximum number of tries: 1
duration: 10 s
number of transactions actually processed: 18342
number of failed transactions: 12 (0.065%)
latency average = 4.361 ms
initial connection time = 12.345 ms
tps = 1834.219873 (without initial connection time)
"""


def test_the_report_is_read() -> None:
    told = pgbench.read(REPORT, clients=8, seconds=10.0)
    assert told == pgbench.Pgbench(8, 10.0, 18342, 1834.219873, 4.361, 12)
    assert told.to_json()["per_s"] == pytest.approx(1834.22, abs=0.01)


def test_a_report_that_is_not_one_is_told() -> None:
    with pytest.raises(UsageError, match="not understood"):
        pgbench.read("usage: ...", clients=1, seconds=1.0)


def test_libpqs_variables_come_from_the_url() -> None:
    assert pgbench.connection("postgresql://me:p%40ss@127.0.0.1:5433/shop") == {
        "PGHOST": "127.0.0.1",
        "PGPORT": "5433",
        "PGUSER": "me",
        "PGPASSWORD": "p@ss",
        "PGDATABASE": "shop",
    }
    assert pgbench.connection("postgresql://h/d") == {"PGHOST": "h", "PGPORT": "5432", "PGDATABASE": "d"}


def test_without_pgbench_the_command_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgbench, "found", lambda: None)
    with pytest.raises(UsageError, match="pgbench is not installed"):
        pgbench.run("postgresql://127.0.0.1/test", "SELECT 1;", tmp_path, clients=1, seconds=1)


@pytest.fixture
def server() -> str:
    url = os.environ.get("O2O_TEST_DATABASE_URL", "postgresql://root@127.0.0.1:5432/test")
    if pgbench.found() is None:
        pytest.skip("pgbench is not installed: the reference of the order path is NOT TESTED")
    address = pgbench.connection(url)
    try:
        socket.create_connection((address["PGHOST"], int(address["PGPORT"])), timeout=5).close()
    except OSError:
        pytest.skip("no PostgreSQL at O2O_TEST_DATABASE_URL: the reference of the order path is NOT TESTED")
    return url


def test_pgbench_runs_a_script_and_tells_its_errors(server: str, tmp_path: Path) -> None:
    pids: list[int] = []
    script = "\\set x random(1, 9)\nSELECT :x::int + 1;\n"
    told = pgbench.run(server, script, tmp_path, clients=2, seconds=1, started=pids.append)
    assert len(pids) == 1
    assert told.transactions > 0
    assert told.per_s > 0
    assert told.failed == 0
    with pytest.raises(UsageError, match="no_such_table"):
        pgbench.run(server, "SELECT * FROM no_such_table;\n", tmp_path, clients=1, seconds=1)
