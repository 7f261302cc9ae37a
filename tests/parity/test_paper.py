"""The model's tickets against the platform's bytes on a virtual printer: text, length, time, tear (A14).

One mechanism, two clocks: whatever a profile has (speed, cut, heat, near end, buffer, width), paper is out at the same
instant in both.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
from simpy import Environment

from o2o_devices.mechanism import PROFILES, Profile, profile_for
from o2o_devices.models import MODELS
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


EVERY = {profile.name: profile for profile in (*PROFILES.values(), *MODELS.values())}


def back_to_back(profile: Profile, cols: Any, count: int) -> list[tuple[float, str, Any]]:
    """Tickets of many sizes, each sent just when the one before is out: hot heads get no rest."""
    env = Environment()
    printer, at, acts = Printer(env, 0, profile), 1.0, []
    most = 5 if profile.overrun == "drop" else 12  # what such a buffer cannot hold is lost, which is not modelled
    for number in range(count):
        content = ticket(1 + number % most, "多放醋" * (number % 4))
        acts.append((at, "print", content))
        env.run(until=at)
        at = printer.put_out(ticket_mm(printer.mechanism, layout(content, cols)), 1e9, lambda mm, whole: None) + 0.01
    return acts


def cols_of(profile: Profile) -> int:
    return 48 if profile.columns >= 48 else 32


@pytest.mark.parametrize("name", EVERY)
def test_print_times_are_equal_on_every_profile(name: str) -> None:
    """Speed, dots, line spacing, cutter and the rests of a head that gets too hot."""
    profile = EVERY[name]
    acts = back_to_back(profile, cols_of(profile), 30)
    theirs, said = real(profile, cols_of(profile), acts)
    same(modelled(profile, cols_of(profile), acts), theirs)
    assert said == 30 * ANSWER
    rested = sum(b - a > profile.cool_s for (a, *_), (b, *_) in pairwise(acts))
    assert (rested > 0) == (profile.heat_mm < 1e9)


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("pause_s", [0.0, 0.3, 5.0])
def test_print_times_are_equal_however_tickets_queue(name: str, pause_s: float) -> None:
    """Tickets that come while others are printed; a buffer that drops is given no more than it holds."""
    profile = replace(EVERY[name], overrun="stall", buffer_bytes=65_536)
    acts: list[tuple[float, str, Any]] = [
        (1.0 + pause_s * number, "print", ticket(1 + 5 * number % 12)) for number in range(12)
    ]
    theirs, said = real(profile, cols_of(profile), acts)
    same(modelled(profile, cols_of(profile), acts), theirs)
    assert said == 12 * ANSWER


@pytest.mark.parametrize("buffer_bytes", [64, 512, 4096])
@pytest.mark.parametrize("name", ["generic-80", "epson-tm-t88iii", "sprt-sp-pos58iv"])
def test_a_small_buffer_costs_no_time(name: str, buffer_bytes: int) -> None:
    """The sender is held up, piece by piece; the head never waits for it."""
    profile = replace(EVERY[name], buffer_bytes=buffer_bytes)
    cols: Any = cols_of(profile)
    content = ticket(12, "少放盐" * 9)
    papers: list[tuple[Receipt, float]] = []
    printer = VirtualPrinter(profile, on_paper=lambda receipt, at: papers.append((receipt, at)))
    data, at, stalls = render(content, cols, LINK), 1.0, 0
    while data:
        if room := min(printer.room(), len(data)):
            printer.receive(data[:room], at)
            data = data[room:]
        else:
            following = printer.next_at()
            assert following is not None
            at, stalls = max(at, following), stalls + 1
            printer.advance(at)
    printer.advance(1e6)
    same(modelled(profile, cols, [(1.0, "print", content)]), papers)
    assert (stalls > 0) == (buffer_bytes < 2000)


@pytest.mark.parametrize("name", EVERY)
def test_the_near_end_is_seen_at_the_same_ticket(name: str) -> None:
    profile = replace(EVERY[name], roll_mm=2600.0, near_end_mm=min(EVERY[name].near_end_mm, 1500.0))
    cols: Any = cols_of(profile)
    env = Environment()
    model = Printer(env, 0, profile)
    device = VirtualPrinter(profile, on_paper=lambda receipt, at: None)
    seen = []
    for number in range(12):
        content, at = ticket(1 + number), 1.0 + 60.0 * number
        env.run(until=at)
        model.put_out(ticket_mm(model.mechanism, layout(content, cols)), 1e9, lambda mm, whole: None)
        device.receive(render(content, cols, LINK), at)
        device.advance(at)
        for moment in (at, at + 1.0, at + 59.0):
            env.run(until=moment) if moment > env.now else None
            device.advance(moment)
            mine, theirs = model.mechanism, device.mechanism
            assert mine.near_end(moment) == theirs.near_end(moment)
            assert mine.paper_end(moment) == theirs.paper_end(moment)
            assert mine.paper_left_mm(moment) == pytest.approx(theirs.paper_left_mm(moment), abs=TOLERANCE_MM)
            seen.append(mine.near_end(moment))
    assert not seen[0]
    assert any(seen) == (profile.near_end_mm > 0.0)


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
