"""Printers say themselves which ticket met which fault, what it would have said, and whether they answered (A14)."""

import asyncio
from typing import Any

import pytest

from o2o_devices.faults import KINDS, Kind, Met, TicketFault
from o2o_devices.fleet import Fleet, PrinterSpec
from o2o_devices.printer import VirtualPrinter
from o2o_devices.receipt import Receipt

TICKET = b"\x1b@" + b"".join(b"line %d\n" % number for number in range(16)) + b"\x1dVB\x03"
ASK = b"\x1d(H\x06\x000012%02d"

ANSWERED: dict[Kind, bool] = {
    **dict.fromkeys(("cover_open", "backlog", "slow", "duplicate", "wrong_codepage", "no_print", "overrun"), True),
    **dict.fromkeys(("paper_end", "power_before", "power_off", "power_after", "lost_ack", "half_open"), False),
}  # fmt: skip
"""Offline and flapping are the transport's: see below."""


def play(kind: Kind) -> tuple[list[Met], list[Receipt], bytes]:
    """Three tickets, five minutes apart; the second meets the fault."""
    mets: list[Met] = []
    papers: list[Receipt] = []

    def plan(number: int) -> TicketFault | None:
        return TicketFault(kind, 20.0, 30.0) if number == 1 else None

    printer = VirtualPrinter(on_paper=lambda receipt, at: papers.append(receipt), plan=plan)
    printer.on_met = mets.append
    said = b""
    for number in range(3):
        said += printer.receive(TICKET.replace(b"line 0\n", b"no %d\n" % number) + ASK % number, 300.0 * number)
        for step in range(120):
            said += printer.advance(300.0 * number + step)
        if printer.outages:
            printer.end_job(300.0 * number + 120)
    return mets, papers, said


@pytest.mark.parametrize("kind", ANSWERED)
def test_what_a_ticket_met_is_told_with_what_it_said(kind: Kind) -> None:
    mets, _, said = play(kind)
    (met,) = mets
    assert (met.kind, met.ticket) == (kind, 1)
    assert met.receipt is not None
    assert met.receipt.text_lines[0] == "no 1"
    assert 300.0 <= met.at < 302.0
    assert (met.answered_at is not None) == ANSWERED[kind]
    assert (b"1201" in said) == ANSWERED[kind]
    repaired = kind not in ("lost_ack", "wrong_codepage", "no_print", "overrun", "duplicate")
    assert met.until - met.at == pytest.approx(30.0 if repaired else 0.0)
    assert b"1200" in said
    assert b"1202" in said
    if met.answered_at is not None and kind in ("cover_open", "backlog"):
        assert met.answered_at >= 330.0


@pytest.mark.parametrize("kind", ["wrong_codepage", "no_print", "overrun", "duplicate"])
def test_what_is_told_is_what_the_paper_does_not_say(kind: Kind) -> None:
    (met,), papers, _ = play(kind)
    assert met.receipt is not None
    same = [paper.text for paper in papers].count(met.receipt.text)
    assert same == (2 if kind == "duplicate" else 1 if kind == "wrong_codepage" else 0)  # ASCII is read as it is
    assert len(papers) == (4 if kind == "duplicate" else 3)


def test_a_fault_without_a_ticket_names_none() -> None:
    mets: list[Met] = []
    printer = VirtualPrinter(on_paper=lambda receipt, at: None)
    printer.on_met = mets.append
    printer.receive(TICKET + ASK % 0, 0.0)
    printer.advance(60.0)
    printer.set_paper(60.0, 5.0)
    printer.receive(TICKET + ASK % 1, 61.0)
    printer.advance(90.0)
    assert [(met.kind, met.ticket, met.answered_at) for met in mets] == [("paper_end", 1, None)]


@pytest.mark.parametrize("kind", ["wrong_codepage", "no_print", "overrun"])
def test_half_a_spoiled_ticket_is_waste_paper_and_no_lie(kind: Kind) -> None:
    """A cloud may have the rest of its jobs printed again: then the second one can be read."""
    mets: list[Met] = []
    papers: list[Receipt] = []
    fault = TicketFault(kind)
    printer = VirtualPrinter(
        on_paper=lambda receipt, at: papers.append(receipt), plan=lambda number: None if number else fault
    )
    printer.on_met = mets.append
    printer.receive(TICKET + ASK % 0, 0.0)
    printer.power_off(0.1)
    printer.end_job(0.1)
    printer.power_on()
    printer.receive(TICKET + ASK % 1, 1.0)
    printer.advance(10.0)
    assert [paper.complete for paper in papers] == [False, True]
    assert mets == []


def test_a_ticket_is_not_answered_for_by_the_next_connections_ticket() -> None:
    """Half a ticket that a mute printer has read stays in it; the next one comes out on the same paper."""
    mets: list[Met] = []
    fault = TicketFault("half_open", 5.0, 10.0)
    papers: list[Receipt] = []
    printer = VirtualPrinter(
        on_paper=lambda receipt, at: papers.append(receipt), plan=lambda number: None if number else fault
    )
    printer.on_met = mets.append
    printer.receive(TICKET[:60], 0.0)
    printer.advance(1.0)
    printer.receive(TICKET[60:] + ASK % 0, 1.0)
    printer.end_job(5.0)  # the sender hangs up while the printer is mute
    printer.advance(11.0)
    said = printer.receive(TICKET + ASK % 1, 12.0) + printer.advance(20.0)
    assert b"1201" in said
    assert len(papers) == 1
    assert [(met.kind, met.answered_at) for met in mets] == [("half_open", None)]


@pytest.mark.parametrize("kind", ["offline", "flapping"])
def test_when_the_link_goes_the_paper_comes_and_no_answer(kind: Kind) -> None:
    """Over TCP: the connection that asked is gone."""
    mets: list[tuple[int, Met]] = []
    papers: list[Any] = []

    def plan(printer_id: int, number: int) -> TicketFault | None:
        return TicketFault(kind, 10.0, 0.2) if number == 0 else None

    async def run() -> None:
        fleet = Fleet(
            [PrinterSpec(7)],
            on_paper=lambda printer_id, receipt, at: papers.append(receipt),
            plan=plan,
            on_met=lambda printer_id, met: mets.append((printer_id, met)),
        )
        async with fleet:
            reader, writer = await asyncio.open_connection(*fleet.address(7))
            writer.write(TICKET + ASK % 0)
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(10_000)
            writer.close()
            await asyncio.sleep(1.0)
            assert abs(fleet.unix(mets[0][1].at) - fleet.unix(asyncio.get_running_loop().time())) < 60.0

    asyncio.run(asyncio.wait_for(run(), 20.0))
    ((printer_id, met),) = mets
    assert (printer_id, met.kind, met.answered_at) == (7, kind, None)
    assert len(papers) == 1
    assert papers[0].complete


def test_every_kind_is_looked_at() -> None:
    assert {*ANSWERED, "offline", "flapping"} == set(KINDS)
