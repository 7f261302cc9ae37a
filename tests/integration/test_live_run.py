"""A whole live run, with real processes, sockets, printers that fail and Locust; and one that is interrupted."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from o2o_cli.jobs import world
from o2o_cli.jobs.live import compressed, run_load
from o2o_domain.orders import OrderState
from o2o_results.run import RunReader
from o2o_results.summary import summary_of
from o2o_results.tables import TABLES


@pytest.fixture(scope="module")
def run(small: Any, tmp_path_factory: pytest.TempPathFactory) -> RunReader:
    """The small scenario, played live."""
    scenario = compressed(small, speed=None, duration_s=None, drain_s=None)
    folder = tmp_path_factory.mktemp("live") / "run"
    return run_load(scenario, built=world.build(scenario, quiet=True), out=folder, quiet=True)


def test_it_is_finished_and_keeps_every_promise(run: RunReader) -> None:
    manifest = run.manifest
    assert (manifest.world, manifest.status) == ("live", "finished")
    assert manifest.verdicts
    assert [verdict for verdict in manifest.verdicts if not verdict.ok] == []
    assert manifest.notes["at_rest"] is True


def test_every_intent_was_sent_and_came_to_an_end_or_is_counted(run: RunReader) -> None:
    rows = run.table("orders").to_pylist()
    assert len(rows) > 50
    assert {row["state"] for row in rows} <= {str(state) for state in OrderState}
    assert sum(row["state"] == "delivered" for row in rows) > 0.7 * sum(row["kind"] == "order" for row in rows)
    assert summary_of(run).outcomes.unfinished == sum(not row["terminal"] for row in rows)


def test_tables_are_as_they_must_be(run: RunReader) -> None:
    for name, schema in TABLES.items():
        assert run.table(name).schema.equals(schema), name
    for name in ("orders", "requests", "tickets", "receipts", "payments", "ledger", "stock", "samples", "roads"):
        assert run.table(name).num_rows > 0, name


def test_paper_says_what_was_ordered_and_says_it_once(run: RunReader) -> None:
    orders = {row["order_no"]: row for row in run.table("orders").to_pylist() if row["order_no"]}
    whole = [row for row in run.table("receipts").to_pylist() if row["complete"]]
    assert len({(row["order_no"], row["copy_no"]) for row in whole}) == len(whole)
    for receipt in whole:
        order = orders[receipt["order_no"]]
        assert sorted((line["name"], line["qty"]) for line in receipt["lines"]) == sorted(
            (item["name"], item["qty"]) for item in order["items"]
        )
        assert receipt["total_fen"] == order["total_fen"]
        assert receipt["printer_id"] == order["merchant_id"]


def test_faults_were_met_and_what_became_of_each_ticket_can_be_seen(run: RunReader) -> None:
    tickets = run.table("tickets").to_pylist()
    states = Counter(row["state"] for row in tickets)
    assert set(states) <= {"printed", "unconfirmed", "failed"}
    assert states["unconfirmed"] > 0  # lost answers
    assert any(row["attempts"] > 1 for row in tickets)  # no paper, or no connection, at first
    whole = Counter(row["order_no"] for row in run.table("receipts").to_pylist() if row["complete"])
    orders = {row["order_id"]: row for row in run.table("orders").to_pylist()}
    for ticket in tickets:
        copies = whole[orders[ticket["order_id"]]["order_no"]]
        assert copies == 1 if ticket["state"] == "printed" else copies <= 1
        if ticket["state"] != "printed":
            assert ticket["code"]
            assert ticket["escalation"]


def test_deals_are_redeemed_and_bds_work_their_leads(run: RunReader) -> None:
    vouchers = run.table("vouchers").to_pylist()
    redeemed = [row for row in vouchers if row["state"] == "redeemed"]
    assert redeemed
    assert {row["redemptions"] for row in redeemed} == {1}
    events = Counter(row["what"] for row in run.table("lead_events").to_pylist())
    assert events["claimed"] > 0
    assert events["visited"] > 0


def test_no_working_file_and_no_secret_is_left_behind(run: RunReader, processes_of: Any) -> None:
    assert list(run.folder.glob("live-*")) == []
    assert list(run.folder.glob("*secret*")) == []
    for path in (path for path in run.folder.rglob("*") if path.is_file()):
        assert b"eyJ" not in path.read_bytes() or path.suffix in {".parquet", ".db"}, path  # how a token begins
    assert processes_of(run.folder) == []


def test_ctrl_c_leaves_an_interrupted_run_and_no_process(
    small: Any, tmp_path: Path, wait_until: Any, processes_of: Any
) -> None:
    folder, scenario = tmp_path / "run", tmp_path / "small.yaml"
    scenario.write_text(small.model_dump_json(), encoding="utf-8")  # JSON is YAML
    argv = [sys.executable, "-m", "o2o_cli.main", "load", str(scenario), "--duration", "60", "--no-twin", "--quiet"]
    process = subprocess.Popen(
        [*argv, "--out", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
    )
    try:
        wait_until(lambda: process.poll() is not None or _orders(folder / "platform.db") > 3, "orders arrive")
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert processes_of(folder) == []
    assert list(folder.glob("live-*")) == []
    assert json.loads((folder / "manifest.json").read_text())["status"] == "interrupted"
    run = RunReader(folder)
    assert {"not_sent"} < set(run.table("orders")["state"].to_pylist())
    assert [verdict for verdict in run.manifest.verdicts if not verdict.ok] == []


def _orders(database: Path) -> int:
    """How many orders a running platform has taken."""
    if not database.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as conn:
            return int(conn.execute("SELECT count(*) FROM orders").fetchone()[0])
    except sqlite3.OperationalError:  # not made yet
        return 0
