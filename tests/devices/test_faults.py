"""Every fault that a ticket can meet, on the device's side: what is on paper, and what the sender is told (A14).

The reports that they reproduce are named in `o2o_devices.faults.REPORTS`.
"""

import itertools
from dataclasses import replace
from pathlib import Path

import pytest

from o2o_devices.chances import Chances
from o2o_devices.counters import Counters
from o2o_devices.faults import KINDS, REPORTS, Kind, TicketFault
from o2o_devices.mechanism import Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

SLOW = Profile(mm_s=10.0, cut_s=0.5, roll_mm=1000.0, near_end_mm=100.0, cut_feed_mm=0.0, line_dots=40)  # 5 mm a line
CHEAP = replace(SLOW, on_paper_end="garbage")
DISHES = ("宫保鸡丁 x1", "手撕包菜 x2", "米饭 x3", "酸梅汤 x1")


def ticket(number: int = 1, dishes: tuple[str, ...] = DISHES) -> bytes:
    """20 mm and a cut: 2.5 s."""
    text = "".join(f"{dish}\n" for dish in dishes)
    return text.encode("gb18030") + b"\x1dV\x00" + b"\x1d(H\x06\x0000A%03d" % number


def ack(number: int = 1) -> bytes:
    return b"\x37\x22A%03d\x00" % number


class Bench:
    def __init__(self, *faults: TicketFault | None, profile: Profile = SLOW) -> None:
        self.paper: list[tuple[float, Receipt]] = []
        plan = dict(enumerate(faults))
        self.printer = VirtualPrinter(
            profile, on_paper=lambda receipt, at: self.paper.append((at, receipt)), plan=plan.get
        )
        self.sent: list[tuple[float, bytes]] = []

    def send(self, data: bytes, now: float) -> None:
        self._keep(now, self.printer.receive(data, now))

    def run(self, until: float) -> None:
        while (at := self.printer.next_at()) is not None and at <= until:
            self._keep(at, self.printer.advance(at))
        self._keep(until, self.printer.advance(until))

    def _keep(self, at: float, data: bytes) -> None:
        if data:
            self.sent.append((at, data))

    @property
    def told(self) -> bytes:
        return b"".join(data for _, data in self.sent)

    @property
    def texts(self) -> list[tuple[str, ...]]:
        return [receipt.text_lines for _, receipt in self.paper]


def after(kind: Kind, *, after_mm: float = 0.0, tickets: int = 2) -> Bench:
    """The first ticket meets the fault and is repaired after 10 s; the others come at 30 s."""
    bench = Bench(TicketFault(kind, after_mm, 10.0))
    bench.send(ticket(1), 0.0)
    bench.run(30.0)
    for number in range(2, tickets + 1):
        bench.send(ticket(number), 30.0)
    bench.run(90.0)
    return bench


def test_every_kind_names_its_report() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "escpos.md").read_text(encoding="utf-8")
    assert [kind for kind, report in REPORTS.items() if f"| {kind} | {report} |" not in page] == []
    assert set(REPORTS) == set(KINDS)
    assert all("#" in report or "PR " in report for report in REPORTS.values())


@pytest.mark.parametrize("kind", KINDS)
def test_after_any_fault_the_next_ticket_is_printed_and_told(kind: Kind) -> None:
    bench = after(kind, after_mm=7.0)
    assert bench.texts[-1] == DISHES
    assert bench.told.endswith(ack(2))
    assert bench.printer.idle
    assert bench.printer.link_up
    assert bench.printer.counters.met == {kind: 1}


def test_power_cut_before_during_and_after() -> None:
    assert (after("power_before").texts, after("power_before").told) == ([DISHES], ack(2))
    during = after("power_off", after_mm=12.0)
    assert (during.texts, during.told) == ([DISHES[:2], DISHES], ack(2))
    done = after("power_after")
    assert (done.texts, done.told) == ([DISHES, DISHES], ack(2))
    assert [receipt.complete for _, receipt in done.paper] == [True, True]
    assert done.printer.outages == 1


def test_acknowledgement_lost_after_the_paper() -> None:
    bench = after("lost_ack")
    assert (bench.texts, bench.told) == ([DISHES, DISHES], ack(2))


def test_success_without_printing() -> None:
    bench = after("no_print")
    assert (bench.texts, bench.told) == ([(), DISHES], ack(1) + ack(2))
    assert [(receipt.complete, receipt.stopped_by) for _, receipt in bench.paper] == [
        (False, "no_print"),
        (True, None),
    ]


def test_the_wrong_code_page_is_what_a_printer_without_chinese_prints() -> None:
    bench = after("wrong_codepage")
    western: list[Receipt] = []
    printer = VirtualPrinter(SLOW, on_paper=lambda receipt, at: western.append(receipt), kanji=False)
    printer.receive(ticket(1), 0.0)
    printer.advance(60.0)
    assert bench.paper[0][1].text == western[0].text
    assert bench.paper[0][1].length_mm == western[0].length_mm
    assert bench.told == ack(1) + ack(2)


def test_lost_bytes_leave_lines_out_and_run_two_together() -> None:
    bench = after("overrun")
    first = bench.paper[0][1]
    assert first.text_lines == (
        DISHES[0],
        DISHES[1][: len(DISHES[1]) // 2] + DISHES[2][len(DISHES[2]) // 2 :],
        DISHES[3],
    )
    assert first.unknown == 1
    assert bench.told == ack(1) + ack(2)


def test_a_duplicate_is_a_second_copy_before_all_that_is_still_to_come() -> None:
    bench = Bench(TicketFault("duplicate"))
    bench.send(ticket(1) + ticket(2, ("second",)), 0.0)
    bench.run(60.0)
    assert bench.texts == [DISHES, DISHES, ("second",)]
    assert [at for at, _ in bench.paper] == pytest.approx([2.5, 5.0, 6.0])
    assert [at for at, _ in bench.sent] == pytest.approx([5.0, 6.0])
    assert bench.told == ack(1) + ack(2)


def test_a_second_copy_meets_a_fault_of_its_own() -> None:
    bench = Bench(TicketFault("duplicate"))
    bench.send(ticket(1), 0.0)
    bench.run(3.0)
    bench.printer.set_paper(3.0, 7.0)  # 5 mm of the copy are out
    bench.run(10.0)
    bench.printer.set_paper(10.0)
    bench.send(ticket(2), 10.0)
    bench.run(60.0)
    assert bench.texts == [DISHES, DISHES[:2], DISHES]
    assert bench.told == ack(2)


def test_the_backlog_is_printed_on_recovery() -> None:
    bench = Bench(TicketFault("backlog", 7.0, 600.0))
    for number in range(1, 4):
        bench.send(ticket(number), 10.0 * number)
        bench.printer.end_job(10.0 * number + 5.0)
    bench.run(500.0)
    assert bench.paper == []
    assert bench.printer.status(500.0).offline
    bench.run(2000.0)
    assert bench.texts == [DISHES] * 3
    assert bench.paper[0][0] > 600.0
    assert bench.told == b""  # nobody waits for these answers any more


def test_a_half_open_link_is_silent_and_then_reset() -> None:
    bench = Bench(TicketFault("half_open", 0.0, 10.0))
    bench.send(ticket(1), 0.0)
    bench.run(5.0)
    bench.send(b"\x10\x04\x01" + ticket(2), 5.0)
    bench.run(9.0)
    assert (bench.told, bench.printer.outages, bench.printer.link_up) == (b"", 0, True)
    assert bench.texts == [DISHES]  # what had been received is printed
    bench.run(30.0)
    assert bench.printer.outages == 1
    bench.send(b"\x10\x04\x01", 31.0)
    assert bench.told == b"\x12"


def test_a_flapping_link_goes_down_three_times() -> None:
    bench = Bench(TicketFault("flapping", 0.0, 10.0))
    bench.send(ticket(1), 0.0)
    ups = []
    for tenth in range(150):
        bench.run(tenth / 10)
        ups.append(bench.printer.link_up)
    assert bench.printer.outages == 3
    assert sum(a != b for a, b in itertools.pairwise(ups)) == 5
    assert ups[-1]
    assert ups.index(True) == pytest.approx(20, abs=1)


@pytest.mark.parametrize("apart_s", [0.5, 1.0, 2.5, 3.0, 4.5, 6.9, 9.0])
def test_a_link_that_flaps_twice_at_once_is_up_in_the_end(apart_s: float) -> None:
    bench = Bench(TicketFault("flapping", 0.0, 10.0), TicketFault("flapping", 0.0, 10.0))
    bench.send(ticket(1), 0.0)
    bench.run(apart_s)
    bench.send(ticket(2), apart_s)
    bench.run(120.0)
    assert bench.printer.link_up
    assert bench.printer.next_at() is None


def test_a_slow_link_recovers() -> None:
    bench = Bench(TicketFault("slow", 0.0, 10.0))
    bench.send(ticket(1), 0.0)
    assert bench.printer.link_bytes_s == 200.0
    bench.run(11.0)
    assert bench.printer.link_bytes_s is None


IMAGE = b"\x1dv0\x00\x02\x00\xf0\x00" + b"Az" * 240  # 30 mm


def test_paper_end_in_mid_image_on_a_cheap_model_is_garbage_until_the_power_is_cycled() -> None:
    bench = Bench(TicketFault("paper_end", 10.0, 10.0), profile=CHEAP)
    whole = IMAGE + ticket(1)
    bench.send(whole[:300], 0.0)
    bench.run(12.0)  # there is paper again
    bench.send(whole[300:], 12.0)
    bench.printer.end_job(20.0)
    bench.run(30.0)
    assert any("AzAzAz" in line for line in bench.texts[-1])
    bench.send(ticket(2), 30.0)
    bench.printer.end_job(31.0)
    bench.run(60.0)
    assert bench.texts[-1] != DISHES
    assert not bench.paper[-1][1].complete
    assert bench.told == b""
    assert bench.printer.receive(b"\x10\x04\x01", 60.0) == b"\x12"  # and it says that all is well
    bench.printer.end_job(61.0)
    bench.printer.power_off(70.0)
    bench.printer.power_on()
    bench.send(ticket(3), 71.0)
    bench.run(90.0)
    assert (bench.texts[-1], bench.told) == (DISHES, ack(3))


def test_a_cheap_model_keeps_its_place_where_the_paper_ends_in_text() -> None:
    bench = Bench(TicketFault("paper_end", 10.0, 10.0), profile=CHEAP)
    bench.send(ticket(1), 0.0)
    bench.run(30.0)
    bench.send(ticket(2), 30.0)
    bench.run(60.0)
    assert (bench.texts, bench.told) == ([DISHES[:2], DISHES], ack(2))


def test_a_fault_ordered_by_hand_comes_before_the_plan() -> None:
    bench = Bench(None, TicketFault("lost_ack"))
    bench.printer.order_fault(TicketFault("duplicate"))
    bench.send(ticket(1), 0.0)
    bench.run(20.0)
    bench.send(ticket(2), 20.0)
    bench.run(60.0)
    assert (bench.texts, bench.told) == ([DISHES] * 3, ack(1))


def test_a_ticket_that_was_stopped_and_goes_on_is_still_one_ticket() -> None:
    bench = Bench(None, TicketFault("no_print"))
    bench.send(ticket(1), 0.0)
    bench.run(1.0)
    bench.printer.open_cover(1.0)
    bench.printer.close_cover(2.0)
    bench.run(20.0)
    bench.send(ticket(2), 20.0)
    bench.run(40.0)
    assert bench.texts == [DISHES, ()]


def test_all_kinds_by_chance_are_met_about_as_often_as_said() -> None:
    chances = Chances(dict.fromkeys(KINDS, 0.05), seed=7)
    drawn = [chances(printer, ticket) for printer in range(100) for ticket in range(100)]
    for kind in KINDS:
        assert 380 <= sum(fault is not None and fault.kind == kind for fault in drawn) <= 620


def test_what_was_met_is_counted_over_a_fleet() -> None:
    one, other = Counters(), Counters()
    one.meet("slow")
    other.meet("slow")
    other.meet("no_print")
    one.add(other)
    assert one.met == {"slow": 2, "no_print": 1}
