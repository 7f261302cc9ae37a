"""The model's tickets against the platform's bytes on a virtual printer: text, length, time, tear (A14)."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from simpy import Environment

from o2o_devices.mechanism import PROFILES, Profile, profile_for
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt
from o2o_domain.pricing import Line
from o2o_domain.ticket_layout import TicketOrder, layout
from o2o_platform.printing.media.escpos import render
from o2o_scenarios.printer_faults import PrinterFaultsSpec
from o2o_sim.printers.faults import FaultDraws, PrinterFault
from o2o_sim.printers.paper import lines_within, ticket_mm
from o2o_sim.printers.printer import Printer

LINK = "http://127.0.0.1:8000/orders/123456"
TOLERANCE_MM = 1e-6
"""The model knows the length of the QR code for a link of 27 to 42 characters; then nothing is left to tolerate."""
ASK_DONE = b"\x1d\x28\x48\x06\x00\x30\x30abcd"
ANSWER = b"\x37\x22abcd\x00"
COLS: dict[str, Any] = {"80mm": 48, "58mm": 32}


def ticket(dishes: int, note: str = "") -> TicketOrder:
    lines = tuple(
        Line(number, f"宫保鸡丁第{number}号(微辣, 少放花生)", number, 1800) for number in range(1, dishes + 1)
    )
    total = sum(line.qty * line.unit_fen for line in lines)
    return TicketOrder(
        *("W0000042", "川味小厨(文一路店)", lines, total, 500, 300, total - 200),
        *(note, "138****0001", "3区40号", "11:00"),
    )


def real(profile: Profile, cols: Any, acts: list[tuple[float, str, Any]]) -> tuple[list[tuple[Receipt, float]], bytes]:
    """Pieces of paper and answers of a virtual printer to which `acts` happen; what is printed is the platform's."""
    papers: list[tuple[Receipt, float]] = []
    printer = VirtualPrinter(profile, on_paper=lambda receipt, at: papers.append((receipt, at)))
    said = b""
    for at, what, content in acts:
        if what == "print":
            said += printer.receive(render(content, cols, LINK) + ASK_DONE, at)
        elif what == "paper_end":
            printer.set_paper(at, 0.0)
        else:
            printer.set_paper(at)
    return papers, said + printer.advance(1e6)


def modelled(profile: Profile, cols: Any, acts: list[tuple[float, str, Any]]) -> list[tuple[Any, float, float, bool]]:
    """The same in the model: (text lines, mm, at, whole) of each piece of paper."""
    env, papers = Environment(), []
    printer = Printer(env, 0, profile)

    def out(lines: Any, mm: float, whole: bool) -> None:
        count = len(lines) if whole else lines_within(profile, lines, mm)
        if mm > 0.0:
            papers.append((tuple(line.text for line in lines[:count]), mm, env.now, whole))

    for at, what, content in acts:
        env.run(until=at) if at > env.now else None
        if what == "print":
            lines = layout(content, cols)
            printer.put_out(ticket_mm(printer.mechanism, lines), 1e9, partial(out, lines))
        elif what == "paper_end":
            printer.meet(PrinterFault.PAPER_END, 1e9)
        else:
            printer.mechanism.refill()
    env.run(until=1e6)
    return papers


def _without_foot(receipt: Receipt) -> tuple[str, ...]:
    lines = receipt.text_lines
    return lines[:-1] if receipt.qr and lines and not lines[-1] else lines


def same(mine: list[tuple[Any, float, float, bool]], theirs: list[tuple[Receipt, float]]) -> None:
    # The line feed behind the QR code is an empty line to a reader of the paper; the model's text ends before the code.
    assert [text for text, *_ in mine] == [_without_foot(receipt) for receipt, _ in theirs]
    assert [whole for *_, whole in mine] == [receipt.complete for receipt, _ in theirs]
    lengths = [receipt.length_mm for receipt, _ in theirs]
    assert [mm for _, mm, _, _ in mine] == pytest.approx(lengths, abs=TOLERANCE_MM)
    assert [at for _, _, at, _ in mine] == pytest.approx([at for _, at in theirs], abs=1e-6)


@pytest.mark.parametrize("width", COLS)
@pytest.mark.parametrize(
    ("dishes", "note"), [(1, ""), (3, "不要辣，多放醋，少放盐，谢谢老板，麻烦快一点"), (12, "x" * 100)]
)
def test_text_length_and_time_are_those_of_the_platforms_bytes(width: str, dishes: int, note: str) -> None:
    acts = [(1.0, "print", ticket(dishes, note)), (1.5, "print", ticket(dishes)), (60.0, "print", ticket(1, note))]
    theirs, said = real(PROFILES[width], COLS[width], acts)
    same(modelled(PROFILES[width], COLS[width], acts), theirs)
    assert said == 3 * ANSWER


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.3, 0.6, 2.0, 4.0, 9.9])
def test_the_paper_ends_while_a_ticket_is_being_printed(after_s: float) -> None:
    """The ticket in hand is torn where it is, and what is in the buffer is lost; the next roll prints the next."""
    profile = profile_for("80mm", mm_s=30.0)
    acts = [
        (1.0, "print", ticket(2)),
        (1.0, "print", ticket(3)),
        (1.0 + after_s, "paper_end", None),
        (60.0, "refill", None),
        (61.0, "print", ticket(1)),
    ]
    theirs, said = real(profile, 48, acts)
    same(modelled(profile, 48, acts), theirs)
    assert said.count(ANSWER) == sum(receipt.complete for receipt, _ in theirs)


@pytest.mark.parametrize("part", [0.01, 0.3, 0.5, 0.9, 0.99, 1.0])
def test_the_roll_ends_in_mid_ticket(part: float) -> None:
    length = ticket_mm(Printer(Environment(), 0, PROFILES["80mm"]).mechanism, layout(ticket(3), 48))
    profile = profile_for("80mm", roll_mm=length * part)
    acts: list[tuple[float, str, Any]] = [(1.0, "print", ticket(3))]
    theirs, said = real(profile, 48, acts)
    same(modelled(profile, 48, acts), theirs)
    assert (said == ANSWER) == (part == 1.0)


def test_every_receipt_of_a_run_is_what_the_layout_of_its_order_gives(lunch: Any) -> None:
    """The tables carry the same paper: as long, and out as late, as the mechanism says for the printed text."""
    profile = PROFILES["80mm"]
    orders = {row["order_no"]: row for row in lunch.rows("orders")}
    tickets = {row["order_id"]: row for row in lunch.rows("tickets")}
    receipts = lunch.rows("receipts")
    assert len(receipts) > 80
    for row in receipts:
        sent = tickets[orders[row["order_no"]]["order_id"]]["delivered_to_printer"]
        took_s = row["length_mm"] / profile.mm_s + profile.cut_s
        assert row["printed"] - sent == pytest.approx(took_s, abs=1e-6)


def test_in_a_run_a_slow_ticket_is_torn_by_the_paper_end_that_the_next_one_meets(
    town: Any, intents: Any, record_script: Any
) -> None:
    """The first ticket was given up as unconfirmed while it was still printed; later it is not believed printed."""
    printing = {"speed_mm_s": 4, "ack_timeout_s": 5, "faults": {"paper_end": 0.5, "repair_mean_s": 30}}
    only_the_second = next(
        seed
        for seed in range(100)
        if [FaultDraws(PrinterFaultsSpec(paper_end=0.5), seed, 2).fault(order) for order in range(2)]
        == [None, PrinterFault.PAPER_END]
    )
    scenario, city = town({"seed": only_the_second, "printing": printing})
    trace = intents(city, {}, {"intended_s": 1.0})
    run = record_script(scenario, city, trace, [(600.0, "rider_online", (0, 31.0, 121.0, 20.0))])
    first, second = run.rows("tickets")
    torn = run.rows("receipts")[0]
    assert second["attempts"] > 1
    assert not torn["complete"]
    assert 0 < torn["length_mm"] < 30
    assert (first["state"], first["code"], first["printed"]) == ("unconfirmed", "silent", None)
