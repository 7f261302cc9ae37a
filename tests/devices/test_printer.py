"""The whole printer on a given clock (A14): what comes out when, and what a fault leaves on paper."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_devices.errors import ControlError
from o2o_devices.escpos.status import Status
from o2o_devices.faults import KINDS, TicketFault
from o2o_devices.mechanism import Mechanism, Printed, Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

SLOW = Profile(mm_s=10.0, cut_s=0.5, roll_mm=1000.0, near_end_mm=100.0, cut_feed_mm=0.0, line_dots=40)  # 5 mm a line
ACK = b"\x37\x22A001\x00"


def ticket(lines: int = 4, ack: bytes = b"A001") -> bytes:
    """Lines of 5 mm, a cut, and a request to be told."""
    body = b"".join(b"line %d\n" % n for n in range(1, lines + 1))
    return body + b"\x1dV\x00" + b"\x1d(H\x06\x0000" + ack


class Bench:
    """A printer, the paper that came out of it, and a clock that runs through all that is due."""

    def __init__(self, profile: Profile = SLOW, **more: object) -> None:
        self.paper: list[tuple[float, Receipt]] = []
        self.printer = VirtualPrinter(profile, on_paper=lambda receipt, at: self.paper.append((at, receipt)), **more)  # type: ignore[arg-type]
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
    def texts(self) -> list[str]:
        return [receipt.text.replace("\n", "|") for _, receipt in self.paper]


def test_the_answer_comes_when_the_paper_is_out_and_cut() -> None:
    bench = Bench()
    bench.send(ticket(4), 1.0)
    bench.run(3.49)
    assert (bench.paper, bench.sent) == ([], [])
    bench.run(60.0)
    assert bench.sent == [(3.5, ACK)]  # 20 mm at 10 mm/s and a cut of 0.5 s
    assert [(at, receipt.complete) for at, receipt in bench.paper] == [(3.5, True)]
    assert bench.texts == ["line 1|line 2|line 3|line 4"]


@pytest.mark.parametrize("up_s", [0.0, 8192.0, 1e5, 1e7, 1e9])
def test_where_a_ticket_is_torn_does_not_depend_on_how_long_the_machine_is_up(up_s: float) -> None:
    """A clock's steps grow with it: at the very end of a line, two lines are two lines on any of them."""
    for after_mm, lines in ((10.0, 2), (15.0, 3)):
        fault = TicketFault("power_off", after_mm, 1.0)
        bench = Bench(replace(SLOW, mm_s=200.0), plan={0: fault}.get)
        bench.send(ticket(4), up_s + 1.0)
        bench.run(up_s + 60.0)
        ((_, receipt),) = bench.paper
        assert receipt.text_lines == tuple(f"line {n}" for n in range(1, lines + 1))


def test_the_model_and_the_printer_agree_on_the_time() -> None:
    for lines in (1, 7, 40):
        bench = Bench()
        bench.send(ticket(lines), 2.0)
        bench.run(1e6)
        outcome = Mechanism(SLOW).start(Mechanism(SLOW).length_mm(lines), 2.0)
        assert isinstance(outcome, Printed)
        assert bench.paper[0][0] == pytest.approx(outcome.done_at)


def test_tickets_queue_and_are_answered_in_order() -> None:
    bench = Bench()
    bench.send(ticket(2, b"A001") + ticket(2, b"A002"), 0.0)
    bench.run(60.0)
    assert bench.sent == [(1.5, b"\x37\x22A001\x00"), (3.0, b"\x37\x22A002\x00")]


def test_status_in_the_stream_is_of_its_time() -> None:
    bench = Bench(paper_mm=105.0)
    bench.send(b"\x1dr\x01" + b"a\n" * 2 + b"\x1dr\x01\x1dI\x43", 0.0)
    bench.run(10.0)
    assert bench.sent == [(0.0, b"\x00"), (1.0, b"\x03" + b"\x5fgeneric-80\x00")]


def test_realtime_status_does_not_wait_for_the_paper() -> None:
    bench = Bench()
    bench.send(ticket(100), 0.0)
    bench.send(b"\x10\x04\x01\x10\x04\x04", 0.1)
    assert bench.sent == [(0.1, b"\x12\x12")]


def test_lost_acknowledgement_leaves_the_paper() -> None:
    bench = Bench()
    bench.printer.acks_to_lose = 1
    bench.send(ticket(2) + ticket(2), 0.0)
    bench.run(60.0)
    assert len(bench.paper) == 2
    assert bench.sent == [(3.0, ACK)]
    assert (bench.printer.counters.acks, bench.printer.counters.acks_lost) == (1, 1)


def test_paper_end_on_a_printer_that_forgets() -> None:
    """DantSu/ESCPOS-ThermalPrinter-Android#415 without the garbage: the job is lost, the next one is printed."""
    bench = Bench(paper_mm=12.0)
    bench.send(ticket(4), 0.0)
    bench.run(1.1)
    assert bench.printer.status(1.1) == Status(near_end=True)
    bench.run(5.0)
    assert bench.printer.status(5.0).paper_end
    assert [(at, r.text, r.stopped_by, r.length_mm) for at, r in bench.paper] == [
        (1.2, "line 1\nline 2", "paper_end", 12.0)
    ]
    bench.printer.set_paper(7.0)
    bench.send(ticket(1, b"A002"), 7.0)  # the same sender, the same connection
    bench.run(60.0)
    assert bench.texts == ["line 1|line 2", "line 1"]
    assert bench.sent == [(8.0, b"\x37\x22A002\x00")]


def test_the_rest_of_a_ticket_that_the_paper_end_cut_off_is_swallowed_with_its_answer() -> None:
    bench = Bench(paper_mm=12.0)
    whole = b"1\n2\n3\n4\n" + b"\x1dv0\x00\x01\x00\x08\x00" + b"\x1dV\x00\n\n\n\n\n" + ticket(2)
    bench.send(whole[:17], 0.0)  # into the image, whose data look like a cut
    bench.run(5.0)
    bench.printer.set_paper(6.0)
    bench.send(whole[17:] + b"\x1dr\x01" + ticket(1, b"A002"), 6.0)
    bench.run(60.0)
    assert bench.texts == ["1|2", "line 1"]
    assert bench.sent == [(6.0, b"\x00"), (7.0, b"\x37\x22A002\x00")]


def test_without_paper_nothing_is_printed_and_nothing_acknowledged() -> None:
    bench = Bench(paper_mm=0.0)
    for n in range(3):
        bench.send(ticket(2), float(n))
    bench.printer.end_job(5.0)
    bench.printer.set_paper(6.0)
    bench.run(60.0)
    assert (bench.paper, bench.sent) == ([], [])


def test_paper_end_on_a_printer_that_goes_on() -> None:
    """mike42/escpos-php#411: what waited is printed on recovery."""
    bench = Bench(Profile(mm_s=10.0, cut_s=0.5, cut_feed_mm=0.0, line_dots=40, on_paper_end="resume"), paper_mm=12.0)
    bench.send(ticket(4) + ticket(1), 0.0)
    bench.run(100.0)
    assert bench.paper == []
    bench.printer.set_paper(100.0)
    bench.run(200.0)
    assert [at for at, _ in bench.paper] == pytest.approx([101.3, 102.3])
    assert [at for at, _ in bench.sent] == pytest.approx([101.3, 102.3])
    assert all(receipt.complete for _, receipt in bench.paper)


def test_cover_opened_in_mid_ticket() -> None:
    bench = Bench()
    bench.send(ticket(4), 0.0)
    bench.run(1.0)
    bench.printer.open_cover(1.0)
    bench.send(b"\x10\x04\x02", 2.0)
    bench.run(50.0)
    assert (bench.paper, bench.sent) == ([], [(2.0, b"\x16")])
    bench.printer.close_cover(50.0)
    bench.run(60.0)
    assert bench.sent[1:] == [(51.5, ACK)]
    assert bench.texts == ["line 1|line 2|line 3|line 4"]


def test_power_cut_in_mid_ticket_loses_the_rest() -> None:
    """python-escpos#253: data are lost without an exception."""
    bench = Bench()
    bench.printer.trip("power_off", 12.0, 0.0)
    bench.send(ticket(4) + ticket(4), 0.0)
    bench.run(30.0)
    assert not bench.printer.mechanism.powered
    assert [(at, r.text, r.stopped_by) for at, r in bench.paper] == [(1.2, "line 1\nline 2", "power_off")]
    bench.send(ticket(1), 31.0)
    bench.printer.power_on()
    bench.printer.end_job(32.0)
    bench.send(ticket(1), 32.0)
    bench.run(60.0)
    assert bench.texts == ["line 1|line 2", "line 1"]
    assert bench.sent == [(33.0, ACK)]


def test_buffers_can_be_cleared() -> None:
    bench = Bench()
    bench.send(ticket(4), 0.0)
    bench.run(0.6)
    bench.send(b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", 0.6)
    bench.send(ticket(1), 1.0)
    bench.run(60.0)
    assert bench.sent == [(0.6, b"\x37\x25\x00"), (2.0, ACK)]
    assert [(r.text, r.stopped_by) for _, r in bench.paper] == [("line 1", "cleared"), ("line 1", None)]


def test_automatic_status_tells_of_changes() -> None:
    bench = Bench()
    bench.send(b"\x1da\xff", 0.0)
    bench.printer.open_cover(1.0)
    bench.run(1.0)
    bench.printer.close_cover(2.0)
    bench.run(2.0)
    assert bench.sent == [(0.0, b"\x10\x00\x00\x00"), (1.0, b"\x38\x00\x00\x00"), (2.0, b"\x10\x00\x00\x00")]


def test_automatic_status_tells_of_the_paper_end_in_mid_ticket() -> None:
    bench = Bench(paper_mm=112.0)
    bench.send(b"\x1da\xff" + ticket(30), 0.0)
    bench.run(60.0)
    assert [data for _, data in bench.sent] == [b"\x10\x00\x00\x00", b"\x10\x00\x03\x00", b"\x18\x00\x0f\x00"]
    assert [at for at, _ in bench.sent] == pytest.approx([0.0, 1.2, 11.2])


def test_a_full_buffer_is_given_back_as_paper_comes_out() -> None:
    small = Profile(mm_s=10.0, line_dots=40, buffer_bytes=64)
    bench = Bench(small)
    bench.send(b"x" * 31 + b"\n", 0.0)
    assert bench.printer.room() == 32
    bench.send(b"x" * 31 + b"\n", 0.0)
    assert bench.printer.room() == 0
    assert bench.printer.next_at() == pytest.approx(0.5)
    bench.run(0.75)
    assert bench.printer.room() == 32
    bench.run(1.1)
    assert bench.printer.room() == 64


def test_silent_printer_takes_all_and_gives_nothing() -> None:
    """star-micronics/star-cloudprnt-for-woocommerce#13."""
    bench = Bench()
    bench.printer.silent = True
    bench.send(ticket(4) + b"\x10\x04\x01", 0.0)
    bench.run(60.0)
    assert (bench.paper, bench.sent) == ([], [])


def test_answers_do_not_reach_the_next_sender() -> None:
    bench = Bench()
    bench.send(ticket(4), 0.0)
    bench.printer.end_job(0.1)
    bench.send(b"\x10\x04\x01", 0.2)
    bench.run(60.0)
    assert len(bench.paper) == 1
    assert bench.sent == [(0.2, b"\x12")]


def test_planned_faults_meet_their_tickets_and_are_repaired() -> None:
    plan = {
        0: TicketFault("paper_end", 7.0, 10.0),
        1: TicketFault("lost_ack"),
        2: TicketFault("power_off", 12.0, 5.0),
        3: TicketFault("offline", 0.0, 5.0),
    }
    bench = Bench(plan=plan.get)
    for start in (0.0, 20.0, 40.0, 60.0, 80.0):
        bench.send(ticket(4), start)
        bench.run(start + 4.0)
        if start == 60.0:
            assert not bench.printer.link_up
        bench.printer.end_job(start + 4.0)
        bench.run(start + 19.0)
    assert bench.printer.link_up
    assert [(r.stopped_by, len(r.text_lines)) for _, r in bench.paper] == [
        ("paper_end", 1),
        (None, 4),
        ("power_off", 2),
        (None, 4),
        (None, 4),
    ]
    assert [at for at, _ in bench.sent] == [62.5, 82.5]


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(ControlError, match="paper_end"):
        TicketFault("earthquake")  # type: ignore[arg-type]


ACTION = st.sampled_from(["send", "junk", "poll", "cover", "shut", "paper", "end", "off", "on", "job", "clear", "trip"])
MEET = st.sampled_from(KINDS).map(lambda kind: f"meet {kind}")


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(ACTION | MEET, st.floats(0.0, 3.0)), max_size=30),
    st.sampled_from(["discard", "resume", "garbage"]),
    st.sampled_from([float("inf"), 30.0]),
)
def test_whatever_happens_paper_is_accounted_for(actions: list[tuple[str, float]], policy: str, heat_mm: float) -> None:
    profile = Profile(
        mm_s=10.0,
        cut_s=0.5,
        line_dots=40,
        on_paper_end=policy,  # type: ignore[arg-type]
        buffer_bytes=256,
        heat_mm=heat_mm,
        cool_s=5.0,
    )
    bench = Bench(profile, paper_mm=200.0)
    now, printer = 0.0, bench.printer
    for action, gap in actions:
        now += gap
        bench.run(now)
        if action == "send" and printer.room() > 60:
            bench.send(ticket(4), now)
        elif action == "junk":
            bench.send(b"\x1b\xff\x1dV\x1b@half", now)
        elif action == "poll":
            bench.send(b"\x10\x04\x01", now)
        elif action == "clear":
            bench.send(b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08", now)
        elif action == "cover":
            printer.open_cover(now)
        elif action == "shut":
            printer.close_cover(now)
        elif action == "paper":
            printer.set_paper(now)
        elif action == "end":
            printer.set_paper(now, 13.0)
        elif action == "off":
            printer.power_off(now)
        elif action == "on":
            printer.power_on()
        elif action == "job":
            printer.end_job(now)
        elif action.startswith("meet"):
            printer.order_fault(TicketFault(action.split()[1], 6.0, 4.0))  # type: ignore[arg-type]
        elif action == "trip":
            printer.trip("cover_open", 3.0, now)
        assert 0 <= printer.room() <= 256
    printer.power_on()
    printer.end_job(now)
    printer.go_on(now)
    for _ in range(3):  # what is planned may still happen after the first repair
        now += 1000.0
        bench.run(now)
        printer.close_cover(now)
        printer.set_paper(now)
    bench.run(now + 1000.0)
    assert printer.idle
    assert printer.room() == 256
    assert [at for at, _ in bench.paper] == sorted(at for at, _ in bench.paper)
    out = sum(receipt.length_mm for _, receipt in bench.paper)
    assert out <= printer.mechanism.odometer_mm(now + 1000.0) + 1e-6
    assert printer.counters.receipts == len(bench.paper)
