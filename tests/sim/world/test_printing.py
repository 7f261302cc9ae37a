"""Tickets in the model: print time, retries, silence, escalation, and that nothing is printed twice (A14)."""

from __future__ import annotations

import pytest

ALWAYS = {"paper_end": 0.0, "offline": 0.0, "lost_ack": 0.0, "repair_mean_s": 120.0}


def test_order_to_print_depends_on_the_printers_speed_by_the_tickets_length(play, row):
    fast = play({}, printing={"speed_mm_s": 200})
    slow = play({}, printing={"speed_mm_s": 50})
    length_mm = row(fast, "receipts")["length_mm"]
    assert length_mm == row(slow, "receipts")["length_mm"] > 50
    longer = row(slow, "orders")["printed"] - row(fast, "orders")["printed"]
    assert longer == pytest.approx(length_mm / 50 - length_mm / 200, abs=1e-9)


def test_a_narrow_ticket_is_longer_or_equal(play, row):
    wide, narrow = (
        play({"note": "不要辣，多放醋，少放盐，谢谢老板"}),
        play({"note": "不要辣，多放醋，少放盐，谢谢老板"}, printing={"width": "58mm"}),
    )
    assert max(len(line) for line in row(narrow, "receipts")["text"].split("\n")) <= 32
    assert row(narrow, "receipts")["complete"]
    assert row(wide, "receipts")["complete"]


def test_a_lost_answer_leaves_paper_an_unconfirmed_ticket_and_no_second_print(play, row):
    run = play({}, printing={"faults": {**ALWAYS, "lost_ack": 1.0}})
    ticket, order = row(run, "tickets"), row(run, "orders")
    assert (ticket["state"], ticket["attempts"], ticket["escalation"]) == ("unconfirmed", 1, "app")
    assert ticket["printed"] is None
    assert order["printed"] is None
    assert run.tables["receipts"].num_rows == 1
    assert row(run, "receipts")["complete"]
    assert order["state"] == "delivered"
    assert order["cooking"] < ticket["delivered_to_printer"] + 20  # the kitchen cooks from the paper, not from the app


def test_paper_end_is_retried_with_growing_pauses_and_printed_once_after_the_repair(play, row):
    faults = {**ALWAYS, "paper_end": 1.0, "repair_mean_s": 20.0}
    run = play({}, printing={"faults": faults, "max_attempts": 12})
    ticket = row(run, "tickets")
    assert ticket["state"] == "printed"
    assert ticket["attempts"] > 1
    assert run.tables["receipts"].num_rows == 1


def test_an_offline_printer_makes_the_ticket_fail_visibly_and_the_app_tells_the_merchant(play, row):
    faults = {**ALWAYS, "offline": 1.0, "repair_mean_s": 100_000.0}
    run = play({}, {"merchant_id": 1}, printing={"faults": faults, "max_attempts": 3, "retry_backoff_s": 2.0})
    ticket, order = row(run, "tickets"), row(run, "orders")
    assert (ticket["state"], ticket["code"], ticket["attempts"], ticket["escalation"]) == (
        *("failed", "refused"),
        *(3, "app"),
    )
    assert run.tables["receipts"].num_rows == 0
    assert order["state"] == "delivered"
    assert order["cooking"] >= ticket["queued"] + 2.0 + 4.0  # told after the third attempt, two pauses later


def test_a_ticket_that_waits_past_its_deadline_escalates(play, row):
    faults = {**ALWAYS, "offline": 1.0, "repair_mean_s": 100_000.0}
    run = play({}, printing={"faults": faults, "max_attempts": 30, "deadline_s": 30})
    ticket = row(run, "tickets")
    assert ticket["escalation"] == "app"
    assert row(run, "orders")["cooking"] <= ticket["queued"] + 31


def test_one_dead_printer_delays_nobody_else(play, row):
    faults = {**ALWAYS, "offline": 0.5, "repair_mean_s": 100_000.0}
    rows = [{"merchant_id": merchant, "intended_s": merchant * 1.0} for merchant in range(6)]
    tickets = play(*rows, printing={"faults": faults}).tables["tickets"].to_pylist()
    healthy = play(*rows).tables["tickets"].to_pylist()
    printed = [ticket for ticket in tickets if ticket["state"] == "printed"]
    assert 0 < len(printed) < 6
    for ticket in printed:
        assert ticket["printed"] == pytest.approx(healthy[ticket["ticket_id"]]["printed"], abs=0.1)


def test_the_roll_ends_in_mid_ticket_half_a_ticket_is_no_ticket(play, row):
    run = play({}, {"intended_s": 30.0}, printing={"roll_mm": 60})
    first, waste = row(run, "tickets"), row(run, "receipts")
    assert (first["state"], first["code"]) == ("unconfirmed", "silent")
    assert not waste["complete"]
    assert waste["length_mm"] == 60
    assert row(run, "orders")["state"] == "delivered"  # the app told the merchant


def test_a_printer_too_slow_for_the_answer_is_unconfirmed_first_and_printed_late(play, row):
    run = play({}, printing={"speed_mm_s": 4, "ack_timeout_s": 5})
    ticket = row(run, "tickets")
    assert ticket["state"] == "printed"
    assert ticket["escalation"] == "app"
    assert ticket["printed"] > ticket["delivered_to_printer"] + 5
    assert run.tables["receipts"].num_rows == 1


def test_faults_hit_the_same_orders_under_another_policy(play):
    rows = [{"merchant_id": number % 6, "intended_s": number * 5.0} for number in range(60)]
    faults = {**ALWAYS, "lost_ack": 0.3}
    one = play(*rows, printing={"faults": faults})
    other = play(*rows, printing={"faults": faults, "speed_mm_s": 90}, platform={"dispatchers": 7})
    states = [[ticket["state"] for ticket in run.tables["tickets"].to_pylist()] for run in (one, other)]
    by_order = [
        dict(zip(run.tables["tickets"]["order_id"].to_pylist(), found, strict=True))
        for run, found in zip((one, other), states, strict=True)
    ]
    assert by_order[0] == by_order[1]
    assert set(by_order[0].values()) == {"printed", "unconfirmed"}
