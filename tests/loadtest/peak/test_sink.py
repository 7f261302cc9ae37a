"""The printer sink: answers what a driver asks, keeps when each ticket was all there."""

from __future__ import annotations

import asyncio
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from o2o_loadtest.peak.sink import Books, Printer, ticket_of
from o2o_loadtest.processes import Child
from o2o_platform.printing.drivers.replies import Done, Replies, Status, process_id
from o2o_platform.printing.drivers.tcp9100 import ASK_OFFLINE_CAUSE, ASK_PAPER, ask_done
from o2o_platform.printing.media.escpos import INIT, qr_code


class Line(asyncio.Transport):
    """What the printer said."""

    def __init__(self) -> None:
        super().__init__()
        self.said = b""

    def write(self, data: Any) -> None:
        self.said += bytes(data)


@pytest.mark.parametrize("piece", [1, 3, 11, 10_000])
def test_every_ticket_is_answered_and_counted_however_its_bytes_come(piece: int) -> None:
    numbers = [0, 1, 94, 95, 123_456, 95**4 - 1]
    sent = b"".join(
        ASK_OFFLINE_CAUSE
        + ASK_PAPER
        + INIT
        + "宫保鸡丁 x2\n".encode("gb18030") * 40
        + qr_code("o2o/1")
        + ask_done(number)
        for number in numbers
    )
    books, line = Books(), Line()
    printer = Printer(books)
    printer.connection_made(line)
    for start in range(0, len(sent), piece):
        printer.data_received(sent[start : start + piece])
    assert list(books.tickets) == numbers
    assert books.bytes == len(sent)
    replies = Replies().feed(line.said)
    assert [one for one in replies if isinstance(one, Done)] == [Done(process_id(number)) for number in numbers]
    assert [one.bits for one in replies if isinstance(one, Status)] == [0x12] * 2 * len(numbers)


def test_ticket_numbers_are_the_drivers() -> None:
    for number in (0, 7, 95, 9_999_999):
        assert ticket_of(process_id(number)) == number


def test_the_sink_is_a_process_that_leaves_its_books(tmp_path: Path) -> None:
    told: dict[str, Any] = {}
    ready = threading.Event()

    def heard(line: dict[str, Any]) -> None:
        told.update(line)
        ready.set()

    argv = [sys.executable, "-m", "o2o_loadtest.peak.sink", "3", str(tmp_path / "sink.npz")]
    with Child("sink", argv, tmp_path / "sink.log", on_line=heard) as child:
        assert ready.wait(30)
        assert len({port for _, port in told["printers"]}) == 3

        async def one_ticket() -> bytes:
            reader, writer = await asyncio.open_connection(*told["printers"][1])
            writer.write(b"paper" + ask_done(42))
            try:
                return await asyncio.wait_for(reader.readexactly(7), 10)
            finally:
                writer.close()

        assert asyncio.run(one_ticket()) == b"\x37\x22" + process_id(42) + b"\x00"
        child.say({"stop": True})
        assert child.wait(30)
    assert told["tickets"] == 1
    with np.load(tmp_path / "sink.npz") as books:
        assert books["ticket"].tolist() == [42]
        assert books["at"][0] > 1e9
