"""Printers that break in every known way, over real processes: the campaign at a small size, and a live run (A14).

`o2o chaos printers --transport NAME --orders 1000 --seed 7` and `o2o load printer_faults` are the same at full size.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from o2o_cli.chaos.printers_command import run_printers
from o2o_cli.errors import UsageError
from o2o_cli.jobs import world
from o2o_cli.jobs.live import compressed, run_load
from o2o_devices.faults import KINDS
from o2o_scenarios.schema import Scenario

ORDERS, PRINTERS = 80, 16
OFTEN = {"lost_ack": 0.08, "duplicate": 0.08, "no_print": 0.08, "cover_open": 0.08, "power_off": 0.08, "flapping": 0.08}


@pytest.fixture(params=["embedded", "scaled"])
def place(request: pytest.FixtureRequest) -> dict[str, str]:
    """Where the platform of the campaign has its database."""
    if request.param == "embedded":
        return {}
    redis_url, _ = request.getfixturevalue("redis_place")
    return {"database": request.getfixturevalue("postgres_url"), "redis": redis_url}


def told(transport: str, folder: Path, capsys: Any, **place: str) -> tuple[dict[str, Any], str]:
    """The figures of a small campaign that found nothing, and what it printed."""
    out = folder / "told.json"
    code = run_printers(transport, ORDERS, 7, OFTEN, PRINTERS, **place, json=out, quiet=True)  # type: ignore[arg-type]
    said = capsys.readouterr().out
    figures: dict[str, Any] = json.loads(out.read_text())["figures"]
    assert (code, figures["problems"]) == (0, []), said
    return figures, said


def test_over_tcp_every_ticket_is_printed_or_visibly_not(place: dict[str, str], tmp_path: Path, capsys: Any) -> None:
    figures, said = told("tcp9100", tmp_path, capsys, **place)
    faults, tickets = figures["faults"], figures["tickets"]
    assert set(faults) == set(OFTEN)
    assert sum(tickets.values()) == figures["placed"] == ORDERS
    assert set(tickets) <= {"printed", "unconfirmed", "failed"}
    assert faults["lost_ack"]["unconfirmed"] == faults["lost_ack"]["met"]
    assert faults["power_off"]["unconfirmed"] == faults["power_off"]["in_print"]
    doubled, blank = faults["duplicate"]["printed"], faults["no_print"]["printed"]
    assert figures["whole_papers"] >= tickets["printed"] + doubled - blank
    for line in ("Faults over tcp9100", "lost_ack", "by the printers' own word", "PASS"):
        assert line in said


def test_a_printer_that_polls_tells_late_and_is_believed(tmp_path: Path, capsys: Any) -> None:
    figures, _ = told("cloudprnt", tmp_path, capsys)
    lost = figures["faults"]["lost_ack"]
    assert lost["late"] > 0
    assert lost["printed"] == lost["late"]


def test_garbage_after_a_picture_costs_tickets_and_no_order(tmp_path: Path, capsys: Any) -> None:
    """The paper ends in mid-raster on cheap printers: what comes after is garbage until somebody cycles the power."""
    out, faults = tmp_path / "told.json", {"paper_end": 0.3}
    code = run_printers("tcp9100", ORDERS, 7, faults, PRINTERS, pictures=True, json=out, quiet=True)  # type: ignore[arg-type]
    said = capsys.readouterr().out
    figures = json.loads(out.read_text())["figures"]
    assert (code, figures["problems"]) == (0, []), said
    assert figures["power_cycled"] > 0
    assert figures["tickets"]["unconfirmed"] >= figures["power_cycled"]
    assert "garbage" in said


def test_an_unknown_transport_is_a_mistake_of_the_command_line() -> None:
    with pytest.raises(UsageError, match="pigeon: there are tcp9100"):
        run_printers("pigeon", 1, 7, {}, 1, quiet=True)


def test_a_live_run_in_which_every_fault_is_met(small: Any, tmp_path: Path) -> None:
    """A14: the scenario's shares, played in the printers; what they confess is in the run's table."""
    faults = {**dict.fromkeys(KINDS, 0.03), "repair_mean_s": 60.0, "torn_share": 0.5}
    printing = small.printing.model_dump() | {"faults": faults, "deadline_s": 60.0}
    plan = small.model_dump() | {"printing": printing}
    plan["demand"] = plan["demand"] | {"orders_per_hour": 2500, "deals_per_hour": 0}
    scenario = compressed(Scenario.model_validate(plan), speed=None, duration_s=None, drain_s=None)
    run = run_load(scenario, built=world.build(scenario, quiet=True), out=tmp_path / "run", quiet=True)
    assert [verdict for verdict in run.manifest.verdicts if not verdict.ok] == []
    rows = run.table("printer_faults").to_pylist()
    assert len({row["kind"] for row in rows}) >= 10
    assert all(row["at"] >= 0.0 and (row["until"] is None or row["until"] >= row["at"]) for row in rows)
    named = [row for row in rows if row["order_no"] is not None]
    assert len(named) > len(rows) / 2
