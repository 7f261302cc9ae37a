"""The driver on a socket: asked when it must be, told when it can be; answers read at any cut (A14)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o2o_domain.tickets import PrintOutcome
from o2o_platform.kit.clock import SystemClock
from o2o_platform.printing.drivers import tcp9100
from o2o_platform.printing.drivers.replies import Auto, Done, Replies, Reply, Status, process_id, ticket_id
from o2o_platform.printing.drivers.tcp9100 import PrinterConnection

pytestmark = pytest.mark.anyio

FINE, PAPER_END = b"\x10\x00\x00\x00", b"\x18\x00\x0c\x00"


@pytest.fixture
async def line(peer: Any) -> AsyncIterator[PrinterConnection]:
    opened = await PrinterConnection.open("127.0.0.1", peer.port, SystemClock(), 2.0, lambda ticket: None)
    yield opened
    await opened.close()


async def print_one(line: PrinterConnection, number: int) -> PrintOutcome | None:
    trouble = await line.trouble(2.0)
    if trouble is None:
        await (await line.send(number, b"hello\n"))
    return trouble


async def test_a_printer_that_tells_is_not_asked_again(peer: Any, line: PrinterConnection) -> None:
    peer.auto = FINE
    for number in range(1, 21):
        assert await print_one(line, number) is None
    assert (peer.asked, len(peer.tickets)) == (2, 20)  # once: DLE EOT 2 and 4
    peer.tell(PAPER_END)
    await asyncio.sleep(0.05)
    assert await print_one(line, 21) is PrintOutcome.PAPER_END
    assert len(peer.tickets) == 20
    peer.tell(FINE)
    await asyncio.sleep(0.05)
    assert await print_one(line, 22) is None


async def test_a_printer_that_does_not_tell_is_asked_before_every_ticket(peer: Any, line: PrinterConnection) -> None:
    for number in range(1, 6):
        assert await print_one(line, number) is None
    assert peer.asked == 10
    peer.paper = 0x72
    assert await print_one(line, 6) is PrintOutcome.PAPER_END


async def test_a_printer_that_was_quiet_is_asked(
    peer: Any, line: PrinterConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have lost its power without a word: nothing is sent then."""
    peer.auto = FINE
    assert await print_one(line, 1) is None
    monkeypatch.setattr(tcp9100, "FRESH_S", 0.0)
    peer.speaks = False
    assert await line.trouble(0.05) is PrintOutcome.BROKEN_BEFORE_SEND
    assert len(peer.tickets) == 1


REPLIES: dict[bytes, Reply] = {
    b"\x12": Status(0x12),
    b"\x7e": Status(0x7E),
    b"\x37\x22" + process_id(7) + b"\x00": Done(process_id(7)),
    FINE: Auto(cover_open=False, error=False, paper_end=False),
    b"\x3c\x08\x0f\x00": Auto(cover_open=True, error=True, paper_end=True),
}


@given(st.lists(st.sampled_from(sorted(REPLIES)), max_size=12), st.data())
def test_answers_are_read_whatever_way_they_are_cut(sent: list[bytes], data: st.DataObject) -> None:
    stream, read, found = b"".join(sent), Replies(), list[Reply]()
    while stream:
        cut = data.draw(st.integers(1, len(stream)))
        found += read.feed(stream[:cut])
        stream = stream[cut:]
    assert found == [REPLIES[one] for one in sent]


@given(st.binary(max_size=40), st.sampled_from(sorted(REPLIES)))
def test_garbage_never_stops_the_reader(garbage: bytes, reply: bytes) -> None:
    read = Replies()
    read.feed(garbage + bytes(8))  # what was begun by chance is over by then
    assert read.feed(reply)[-1] == REPLIES[reply]


@given(st.integers(0, 95**4 - 1))
def test_ids_stand_for_tickets(number: int) -> None:
    assert ticket_id(process_id(number)) == number
