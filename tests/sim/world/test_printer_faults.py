"""What each kind of printer fault does to a ticket in the model: paper, answer, state, and the printer's word (A14)."""

from __future__ import annotations

from typing import Any

import pytest

from o2o_results.audit import audit, clean
from o2o_scenarios.printer_faults import PrinterFaultsSpec
from o2o_sim.printers.faults import FaultDraws, PrinterFault

SOON = {"repair_mean_s": 4.0}
"""Before the platform gives up waiting (20 s), by far."""
LATE = {"repair_mean_s": 400.0}

OUTCOMES: list[tuple[str, dict[str, Any], str, int, int, bool]] = [
    # kind, repair, state, pieces of paper, whole ones, answered
    ("cover_open", SOON, "printed", 1, 1, True),
    ("cover_open", LATE, "printed", 1, 1, True),
    ("backlog", SOON, "printed", 1, 1, True),
    ("backlog", LATE, "printed", 1, 1, True),
    ("power_before", SOON, "unconfirmed", 0, 0, False),
    ("power_off", SOON, "unconfirmed", 1, 0, False),
    ("power_after", SOON, "unconfirmed", 1, 1, False),
    ("lost_ack", SOON, "unconfirmed", 1, 1, False),
    ("flapping", SOON, "unconfirmed", 1, 1, False),
    ("half_open", LATE, "unconfirmed", 1, 1, False),
    ("wrong_codepage", SOON, "printed", 1, 0, True),
    ("no_print", SOON, "printed", 1, 0, True),
    ("overrun", SOON, "printed", 1, 0, True),
    ("duplicate", SOON, "printed", 2, 2, True),
    ("slow", SOON, "printed", 1, 1, True),
]


@pytest.mark.parametrize(
    ("kind", "repair", "state", "papers", "whole", "answered"),
    OUTCOMES,
    ids=[f"{kind}-{'soon' if repair is SOON else 'late'}" for kind, repair, *_ in OUTCOMES],
)
def test_one_ticket_and_its_fault(
    play: Any, row: Any, kind: str, repair: Any, state: str, papers: int, whole: int, answered: bool
) -> None:
    run = play({}, printing={"faults": {kind: 1.0, **repair}})
    ticket, order = row(run, "tickets"), row(run, "orders")
    assert ticket["state"] == state
    receipts = run.tables["receipts"].to_pylist()
    assert (len(receipts), sum(receipt["complete"] for receipt in receipts)) == (papers, whole)
    (told,) = run.tables["printer_faults"].to_pylist()
    assert (told["kind"], told["order_no"], told["printer_id"]) == (kind, order["order_no"], ticket["printer_id"])
    assert (told["answered"] is not None) == answered
    assert (ticket["escalation"] is not None) == (state == "unconfirmed" or repair is LATE)
    assert order["state"] == "delivered"
    assert clean(audit(run.tables, live=False))


def test_what_waits_is_printed_in_its_order_when_the_printer_is_back(play: Any) -> None:
    """The first ticket stops the printer; the platform goes on sending, because a printer that is paused takes jobs."""
    rows = [{"intended_s": 5.0 * number} for number in range(5)]
    seed = next(seed for seed in range(500) if kinds(play, rows, seed) == ["backlog", None, None, None, None])
    run = play(*rows, seed=seed, printing={"ack_timeout_s": 3, "faults": {"backlog": 0.3, "repair_mean_s": 60}})
    tickets = run.tables["tickets"].to_pylist()
    assert [ticket["state"] for ticket in tickets] == ["printed"] * 5
    assert all(ticket["escalation"] == "app" for ticket in tickets[:3])
    receipts = run.tables["receipts"].to_pylist()
    assert [receipt["order_no"] for receipt in receipts] == [f"{number:08d}" for number in range(1, 6)]
    assert receipts[0]["printed"] > tickets[0]["delivered_to_printer"] + 10


def kinds(play: Any, rows: list[dict[str, Any]], seed: int) -> list[str | None]:
    draws = FaultDraws(PrinterFaultsSpec(backlog=0.3, repair_mean_s=60), seed, len(rows))
    return [None if (kind := draws.fault(number)) is None else kind.value for number in range(len(rows))]


def test_a_torn_paper_end_is_half_a_ticket_and_one_before_is_none(play: Any, row: Any) -> None:
    faults = {"paper_end": 1.0, "repair_mean_s": 10.0}
    torn = play({}, printing={"faults": {**faults, "torn_share": 1.0}})
    before = play({}, printing={"faults": faults, "max_attempts": 12})
    assert row(torn, "tickets")["state"] == "unconfirmed"
    assert not row(torn, "receipts")["complete"]
    assert 5.0 <= row(torn, "receipts")["length_mm"] <= 60.0
    assert (row(before, "tickets")["state"], row(before, "receipts")["complete"]) == ("printed", True)


def test_a_run_with_all_of_them_keeps_every_promise(play: Any) -> None:
    rows = [{"intended_s": 2.0 * number, "merchant_id": number % 6} for number in range(300)]
    every = {kind.value: 0.03 for kind in PrinterFault}
    printing = {"ack_timeout_s": 4, "max_attempts": 12, "faults": {**every, "repair_mean_s": 15, "torn_share": 0.5}}
    run = play(*rows, printing={**printing, "deadline_s": 600})
    met = {row["kind"] for row in run.tables["printer_faults"].to_pylist()}
    assert met == set(every)
    verdicts = audit(run.tables, live=False)
    assert [(v.name, v.examples) for v in verdicts if not v.ok] == []
    states = {row["state"] for row in run.tables["tickets"].to_pylist()}
    assert states >= {"printed", "unconfirmed"}
