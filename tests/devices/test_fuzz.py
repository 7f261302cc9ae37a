"""Random streams at random splits: no exception, and the same paper however the bytes come.

Ordinary runs take a few hundred streams. A long one, on one core:

    O2O_FUZZ=200000 python -m pytest tests/devices/test_fuzz.py -q

A failure names the stream's number; `stream(number)` makes it again.
"""

import itertools
import os
import random
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from o2o_devices.escpos import Interpreter
from o2o_devices.escpos.commands import COMMANDS
from o2o_devices.escpos.events import Cut, Event
from o2o_devices.mechanism import GENERIC_58

RESTS: list[int] = []
STREAMS = int(os.environ.get("O2O_FUZZ", "600"))
SAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "escpos"
WORDS = ("宫保鸡丁", "x2", "￥56.00", "𠮷野家", "Total", "é", "\n", "\n\n")
WHOLE = (
    b"\x1dV\x00", b"\x1dVB\x10", b"\x10\x04\x01", b"\x10\x14\x08\x01\x03\x14\x01\x06\x02\x08",
    b"\x1d(H\x06\x0000abcd", b"\x1dv0\x00\x02\x00\x03\x00\x10\x04\x01abc", b"\x1b*\x21\x02\x00\x1b@\x1dV\x00\x10",
    b"\x1bL", b"\x0c", b"\x1b\x0c", b"\x1bS", b"\x18", b"\x1b$\x20\x01", b"\x1d$\x40\x00", b"\x1bT\x01",
    b"\x1bW\x00\x00\x00\x00\x40\x02\x90\x01", b"\x1dkI\x04{B12", b"\x1cp\x01\x03",
    b"\x1d(k\x08\x001P0hello\x1d(k\x03\x001Q0", b"\x1cq\x01\x01\x00\x01\x0012345678",
    b"\x1d(L\x0d\x000p0\x01\x011\x08\x00\x03\x00abc", b"\x1d(L\x02\x0002",
    b"\x1d8L\x0d\x00\x00\x000p0\x01\x011\x08\x00\x03",
)  # fmt: skip


@cache
def samples() -> list[bytes]:
    """Streams of other programs, if they are here: their pieces are fuzz too."""
    return [path.read_bytes() for path in sorted(SAMPLES.glob("*.bin"))] if SAMPLES.is_dir() else []


def stream(number: int) -> tuple[bytes, random.Random]:
    """The n-th stream, and the chance that goes on to split it."""
    chance = random.Random(number)
    parts: list[bytes] = []
    for _ in range(chance.randrange(1, 25)):
        kind = chance.randrange(7)
        if kind == 0:
            parts.append(chance.randbytes(chance.randrange(12)))
        elif kind == 1:
            parts.append(chance.choice(COMMANDS).opcode + chance.randbytes(chance.randrange(10)))
        elif kind == 2:
            parts.append(chance.choice(COMMANDS).opcode + bytes(chance.choices((0, 1, 2, 48, 49, 65), k=4)))
        elif kind <= 4:
            parts.append("".join(chance.choices(WORDS, k=3)).encode("gb18030"))
        else:
            parts.append(chance.choice(WHOLE))
    if number % 10 == 0 and samples():
        whole = chance.choice(samples())
        begin = chance.randrange(len(whole))
        parts.insert(chance.randrange(len(parts) + 1), whole[begin : begin + chance.randrange(400)])
    return b"".join(parts), chance


def read(
    pieces: list[bytes], *, keep_images: bool = False, rests: list[int] | None = None
) -> tuple[bytes, list[Event], float, bool]:
    """Answers, events, paper, and whether the stream ended in mid-image.

    rests: the interpreter is left for what it has to remember whenever it can be; how often is added.
    """
    interpreter = Interpreter(GENERIC_58, keep_images=keep_images)
    replies, urgent, in_order = b"", [], []
    for piece in pieces:
        answer, found = interpreter.scan(piece, 0.0)
        replies += answer
        urgent += found
        in_order += interpreter.interpret(piece)
        if rests is not None and (rest := interpreter.rest()) is not None:
            rests.append(len(in_order))
            interpreter = Interpreter(GENERIC_58, rest=rest)
    broken_off = interpreter.in_image
    return replies, [*in_order, *urgent, *interpreter.end_job()], interpreter.fed_mm, broken_off


def check(number: int) -> None:
    data, chance = stream(number)
    edges = sorted({0, len(data), *(chance.randrange(len(data) + 1) for _ in range(chance.randrange(8)))})
    pieces = [data[a:b] for a, b in itertools.pairwise(edges)] or [b""]
    whole = read([data])
    assert read(pieces) == whole
    if len(data) < 200:
        single = [data[at : at + 1] for at in range(len(data))]
        assert read(single) == whole
        assert read(single, rests=RESTS) == whole
    kept = read(pieces, keep_images=True)
    assert read([data], keep_images=True) == kept
    if not whole[3]:  # an image that broke off is not there for who keeps images, and is for who counts bytes
        assert (kept[0], kept[2]) == (whole[0], whole[2])
        assert [undrawn(event) for event in kept[1]] == whole[1]


def undrawn(event: Event) -> Event:
    """The event without the dots of its images."""
    if not isinstance(event, Cut):
        return event
    lines = tuple(line._replace(picture=None) for line in event.receipt.lines)
    return replace(event, receipt=replace(event.receipt, lines=lines))


@pytest.mark.parametrize("tenth", range(10))
def test_random_streams_at_random_splits(tenth: int) -> None:
    before = len(RESTS)
    for number in range(tenth, STREAMS, 10):
        try:
            check(number)
        except Exception as error:
            raise AssertionError(f"stream {number}: {stream(number)[0]!r}") from error
    assert len(RESTS) > before  # interpreters were left for good in the middle of streams
