"""Whole jobs through the print engine, and what is said of each when something breaks (A14)."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest

from o2o_devices.cloud.machine import Machine, Outcome
from o2o_devices.control import Control
from o2o_devices.errors import DeviceError, JobError, NoAnswer, PowerLost
from o2o_devices.faults import KINDS, Kind, TicketFault
from o2o_devices.mechanism import Profile
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

FAST = Profile(mm_s=2_000.0, cut_s=0.0, cut_feed_mm=0.0, line_dots=40)  # 5 mm a line, 2.5 ms
KEEPS = replace(FAST, on_paper_end="resume")
NEVER_S = 3600.0
"""Repairs are made by hand, so that no test hangs on how fast this machine is."""
DISHES = ("宫保鸡丁 x1", "手撕包菜 x2", "米饭 x3", "酸梅汤 x1")


def ticket(*lines: str) -> bytes:
    """Four lines: 20 mm of paper."""
    return "".join(f"{line}\n" for line in lines or DISHES).encode("gb18030") + b"\x1dV\x00"


class Kitchen:
    """A machine and the paper that came out of it."""

    def __init__(self, profile: Profile = FAST, *faults: TicketFault, keeps: bool | None = None) -> None:
        self.paper: list[Receipt] = []
        self.changes = 0
        self.printer = VirtualPrinter(
            profile, on_paper=lambda receipt, at: self.paper.append(receipt), plan=dict(enumerate(faults)).get
        )
        self.machine = Machine(self.printer, keeps=keeps, on_change=self._changed)

    def _changed(self) -> None:
        self.changes += 1

    @property
    def texts(self) -> list[tuple[str, ...]]:
        return [receipt.text_lines for receipt in self.paper]


def run(kitchen: Kitchen, test: Callable[[Kitchen], Awaitable[None]]) -> None:
    async def main() -> None:
        kitchen.machine.start()
        try:
            await asyncio.wait_for(test(kitchen), 20.0)
        finally:
            kitchen.machine.stop()

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until something is so; `run` limits the wait."""
    for _ in itertools.count():
        if condition():
            return
        await asyncio.sleep(0.001)


def test_jobs_one_after_the_other() -> None:
    async def test(kitchen: Kitchen) -> None:
        for number in range(3):
            assert await kitchen.machine.print(ticket(f"菜 {number}")) == Outcome(ok=True)
            assert kitchen.texts[-1] == (f"菜 {number}",), "answered when the paper is out, not before"
        assert kitchen.printer.idle
        assert not kitchen.machine.busy

    run(Kitchen(), test)


def test_one_job_at_a_time() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.machine.act(VirtualPrinter.pause)
        first = asyncio.create_task(kitchen.machine.print(ticket()))
        await until(lambda: kitchen.machine.busy)
        with pytest.raises(DeviceError, match="under way"):
            await kitchen.machine.print(ticket())
        kitchen.machine.act(VirtualPrinter.go_on)
        assert (await first).ok

    run(Kitchen(), test)


@pytest.mark.parametrize("overrun", ["stall", "drop"])
def test_a_job_larger_than_the_buffer_is_fed_as_it_prints(overrun: Any) -> None:
    async def test(kitchen: Kitchen) -> None:
        lines = [f"菜 {number:03d} " + "x" * 20 for number in range(60)]
        assert (await kitchen.machine.print(ticket(*lines))).ok
        assert kitchen.texts == [tuple(lines)]
        assert kitchen.printer.counters.bytes_dropped == 0

    run(Kitchen(replace(FAST, buffer_bytes=300, overrun=overrun)), test)


@pytest.mark.parametrize("end", [b"\x1dv0\x00\x30\x00\x00\x10", b"\x1b", b"\x1d(k\xff\xff", b"no cut"])
def test_a_job_that_breaks_off_does_not_swallow_the_answer_or_the_next_job(end: bytes) -> None:
    async def test(kitchen: Kitchen) -> None:
        assert (await kitchen.machine.print("半张\n".encode("gb18030") + end)).ok
        assert (await kitchen.machine.print(ticket())).ok
        assert kitchen.texts[-1] == DISHES
        assert kitchen.texts[0][0] == "半张"

    run(Kitchen(), test)


def test_power_cut_by_hand_and_by_plan() -> None:
    async def test(kitchen: Kitchen) -> None:
        with pytest.raises(PowerLost):
            await kitchen.machine.print(ticket())
        assert not kitchen.machine.powered
        assert not kitchen.machine.reachable
        assert kitchen.texts == [DISHES[:2]]
        with pytest.raises(PowerLost):
            await kitchen.machine.print(ticket())
        Control(kitchen.machine).power_on()
        kitchen.machine.act(VirtualPrinter.pause)
        job = asyncio.create_task(kitchen.machine.print(ticket()))
        await until(lambda: kitchen.machine.busy)
        kitchen.machine.act(VirtualPrinter.power_off)
        kitchen.machine.act(VirtualPrinter.go_on)
        with pytest.raises(PowerLost):
            await job
        Control(kitchen.machine).power_on()
        assert (await kitchen.machine.print(ticket())).ok

    run(Kitchen(FAST, TicketFault("power_off", 10.0, NEVER_S)), test)


def test_power_cut_after_the_paper_is_no_answer_either() -> None:
    async def test(kitchen: Kitchen) -> None:
        with pytest.raises(PowerLost):
            await kitchen.machine.print(ticket())
        assert kitchen.texts == [DISHES]

    run(Kitchen(FAST, TicketFault("power_after", 0.0, NEVER_S)), test)


def test_paper_end_forgets_or_resumes() -> None:
    async def forgets(kitchen: Kitchen) -> None:
        assert await kitchen.machine.print(ticket()) == Outcome(ok=False, code="paper_end", met="paper_end")
        assert kitchen.machine.status().paper_end
        assert await kitchen.machine.print(ticket()) == Outcome(ok=False, code="paper_end"), "nothing is even begun"
        Control(kitchen.machine).refill()
        assert (await kitchen.machine.print(ticket("下一单"))).ok
        assert kitchen.texts == [DISHES[:2], ("下一单",)]

    async def resumes(kitchen: Kitchen) -> None:
        job = asyncio.create_task(kitchen.machine.print(ticket()))
        await until(lambda: kitchen.machine.status().paper_end)
        assert not job.done()
        Control(kitchen.machine).refill()
        assert (await job).ok, "answered late, when somebody has put in a roll"
        assert kitchen.texts == [DISHES]

    run(Kitchen(FAST, TicketFault("paper_end", 10.0, NEVER_S)), forgets)
    run(Kitchen(KEEPS, TicketFault("paper_end", 10.0, NEVER_S)), resumes)


def test_a_roll_that_is_just_long_enough_is_no_failure() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.machine.act(lambda printer, now: printer.set_paper(now, 20.0))
        assert (await kitchen.machine.print(ticket())).ok
        assert kitchen.texts == [DISHES]

    run(Kitchen(replace(FAST, cut_s=0.02)), test)


def test_cover_fails_the_job_or_holds_it() -> None:
    async def fails(kitchen: Kitchen) -> None:
        assert await kitchen.machine.print(ticket()) == Outcome(ok=False, code="cover_open", met="cover_open")
        Control(kitchen.machine).close_cover()
        assert (await kitchen.machine.print(ticket("下一单"))).ok
        assert kitchen.texts == [DISHES[:2], ("下一单",)], "what failed does not come out later"

    async def holds(kitchen: Kitchen) -> None:
        job = asyncio.create_task(kitchen.machine.print(ticket()))
        await until(lambda: kitchen.machine.status().cover_open)
        assert not job.done()
        Control(kitchen.machine).close_cover()
        assert (await job).ok
        assert kitchen.texts == [DISHES]

    fault = TicketFault("cover_open", 10.0, NEVER_S)
    run(Kitchen(FAST, fault), fails)
    run(Kitchen(FAST, fault, keeps=True), holds)


def test_backlog_and_a_hot_head_wait() -> None:
    async def backlog(kitchen: Kitchen) -> None:
        job = asyncio.create_task(kitchen.machine.print(ticket()))
        await until(lambda: kitchen.machine.stopped_by() == "offline")
        assert not job.done()
        Control(kitchen.machine).go_on()
        assert (await job).ok
        assert kitchen.texts == [DISHES]

    async def hot(kitchen: Kitchen) -> None:
        job = asyncio.create_task(kitchen.machine.print(ticket()))
        await until(lambda: kitchen.machine.status().overheated)
        assert not job.done()
        assert (await job).ok

    run(Kitchen(FAST, TicketFault("backlog", 10.0, NEVER_S)), backlog)
    run(Kitchen(replace(FAST, heat_mm=12.0, cool_s=1.0)), hot)


def test_a_lost_answer_and_a_silence_say_whether_paper_came() -> None:
    async def lost(kitchen: Kitchen) -> None:
        with pytest.raises(NoAnswer) as told:
            await kitchen.machine.print(ticket())
        assert told.value.printed
        assert kitchen.texts == [DISHES]
        assert (await kitchen.machine.print(ticket())).ok

    async def silent(kitchen: Kitchen) -> None:
        with pytest.raises(NoAnswer) as told:
            await kitchen.machine.print(ticket())
        assert not told.value.printed
        assert not kitchen.machine.silent
        assert kitchen.printer.outages == 1, "the connection is reset when it ends"
        assert (await kitchen.machine.print(ticket("下一单"))).ok

    async def from_the_start(kitchen: Kitchen) -> None:
        Control(kitchen.machine).silent()
        with pytest.raises(NoAnswer):
            await kitchen.machine.print(ticket(), timeout_s=0.05)
        assert not kitchen.paper

    run(Kitchen(FAST, TicketFault("lost_ack")), lost)
    run(Kitchen(FAST, TicketFault("half_open", 5.0, 0.05)), silent)
    run(Kitchen(), from_the_start)


def test_giving_up_leaves_what_was_received_to_print() -> None:
    async def test(kitchen: Kitchen) -> None:
        kitchen.machine.act(VirtualPrinter.pause)
        job = asyncio.create_task(kitchen.machine.print(ticket()))
        await until(lambda: kitchen.machine.busy)
        kitchen.machine.give_up()
        with pytest.raises(NoAnswer):
            await job
        kitchen.machine.act(VirtualPrinter.go_on)
        await until(lambda: len(kitchen.paper) == 1)
        assert kitchen.texts == [DISHES]

    run(Kitchen(), test)


def test_a_printer_that_lost_its_place_says_nothing_until_its_power_is_cycled() -> None:
    image = b"\x1dv0\x00\x30\x00\x28\x00" + bytes(48 * 40)  # 5 mm

    async def test(kitchen: Kitchen) -> None:
        first = await kitchen.machine.print(image * 4 + ticket())
        assert first == Outcome(ok=False, code="paper_end", met="paper_end")
        Control(kitchen.machine).refill()
        with pytest.raises(NoAnswer):
            await kitchen.machine.print(ticket())
        kitchen.machine.act(VirtualPrinter.power_off)
        kitchen.machine.act(lambda printer, now: printer.power_on())
        assert (await kitchen.machine.print(ticket())).ok
        assert kitchen.texts[-1][-4:] == DISHES

    run(Kitchen(replace(FAST, on_paper_end="garbage"), TicketFault("paper_end", 12.0, NEVER_S)), test)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("profile", [FAST, KEEPS], ids=["forgets", "keeps"])
def test_after_every_fault_the_next_job_prints(kind: Kind, profile: Profile) -> None:
    async def test(kitchen: Kitchen) -> None:
        try:
            outcome = await kitchen.machine.print(ticket())
        except JobError:
            pass
        else:
            assert outcome.met == kind
        await until(lambda: kitchen.machine.reachable and kitchen.machine.stopped_by() is None)
        await until(lambda: not kitchen.machine.silent)
        assert await kitchen.machine.print(ticket("下一单")) == Outcome(ok=True)
        assert kitchen.texts[-1] == ("下一单",)
        copies = [text for text in kitchen.texts if text == DISHES]
        assert len(copies) <= (2 if kind == "duplicate" else 1)
        assert kitchen.printer.counters.met == {kind: 1}

    run(Kitchen(profile, TicketFault(kind, 10.0, 0.03)), test)


def test_front_ends_hear_of_changes() -> None:
    async def test(kitchen: Kitchen) -> None:
        before = kitchen.changes
        control = Control(kitchen.machine)
        control.offline()
        assert kitchen.changes == before + 1
        assert not kitchen.machine.reachable
        control.online()
        control.open_cover()
        assert kitchen.changes == before + 3
        await kitchen.machine.print(ticket())
        assert kitchen.changes == before + 3, "a job is no change"

    run(Kitchen(), test)


def test_an_idle_machine_has_no_timer_and_no_task() -> None:
    async def test(kitchen: Kitchen) -> None:
        assert kitchen.machine._timer is None
        await kitchen.machine.print(ticket())
        assert kitchen.machine._timer is None
        assert len(asyncio.all_tasks()) <= 2

    run(Kitchen(), test)
