"""Two plain ways to read a ticket's bytes, to compare the interpreter with: a regular expression, and byte by byte.

Decides what the comparison is: the same tickets, read to the same lines of text and the same codes. Both ways do less
than the interpreter (no widths, no wrapping, no place on the paper, no millimetres, one chunk only) and know only the
commands that our tickets use.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence

from o2o_devices.escpos.events import Cut
from o2o_devices.escpos.interpreter import Interpreter

Read = tuple[list[str], list[str]]
"""Lines of text, data of the QR codes."""

_TOKEN = re.compile(
    rb"(?P<text>[\x20-\xff]+)|(?P<line>\n)|(?P<cut>\x1dV[AB].)|(?P<qr>\x1d\(k(?P<size>..))"
    rb"|(?P<one>\x1b[aEt!dJ3].|\x1d[!BhwHf].|\x1c[!W-].|\x1b-.)|(?P<none>\x1b[@2]|\x1c[&.]|[\x00\r])",
    re.DOTALL,
)


def by_expression(data: bytes) -> Read:
    """One compiled expression with a group a kind of command; lengths that the data state are skipped by hand."""
    lines: list[str] = []
    codes: list[str] = []
    run: list[str] = []
    stored = b""
    at, end, token = 0, len(data), _TOKEN.match
    while at < end:
        found = token(data, at)
        if found is None:
            at += 1
            continue
        kind, at = found.lastgroup, found.end()
        if kind == "text":
            run.append(found.group().decode("gb18030", "replace"))
        elif kind == "line":
            lines.append("".join(run))
            run.clear()
        elif kind == "qr" or kind == "size":
            size = int.from_bytes(found.group("size"), "little")
            body = data[at : at + size]
            at += size
            if body[1:2] == b"P":
                stored = body[3:]
            elif body[1:2] == b"Q":
                codes.append(stored.decode())
    return [line for line in lines if line], codes


def by_byte(data: bytes) -> Read:
    """A state machine that looks at each byte once."""
    lines: list[str] = []
    codes: list[str] = []
    run = bytearray()
    stored = body = b""
    state, command, want = 0, 0, 0  # 0 text, 1 opcode, 2 argument, 3 length, 4 body
    for byte in data:
        if state == 0:
            if byte >= 0x20:
                run.append(byte)
            elif byte == 0x0A:
                lines.append(run.decode("gb18030", "replace"))
                run.clear()
            elif byte in (0x1B, 0x1C, 0x1D):
                command, state = byte, 1
        elif state == 1:
            command = command << 8 | byte
            if command in (0x1B40, 0x1B32, 0x1C26, 0x1C2E):
                state = 0
            elif command == 0x1D28:
                state, body = 3, b""
            else:
                state, want = 2, 2 if command == 0x1D56 else 1
        elif state == 2:
            want -= 1
            if want == 0:
                state = 0
        elif state == 3:
            body += bytes((byte,))
            if len(body) == 3:
                want, body, state = body[1] + 256 * body[2], b"", 4
        else:
            body += bytes((byte,))
            want -= 1
            if want == 0:
                state = 0
                if body[1:2] == b"P":
                    stored = body[3:]
                elif body[1:2] == b"Q":
                    codes.append(stored.decode())
    return [line for line in lines if line], codes


def by_interpreter(data: bytes) -> Read:
    """The virtual printer's own."""
    receipts = [event.receipt for event in Interpreter().feed(data)[1] if isinstance(event, Cut)]
    return (
        [line for receipt in receipts for line in receipt.text_lines if line],
        [code for receipt in receipts for code in receipt.qr],
    )


WAYS: dict[str, Callable[[bytes], Read]] = {
    "interpreter": by_interpreter,
    "regular expression": by_expression,
    "byte by byte": by_byte,
}


IMAGE_ROWS = 1000


def image_mb_s(rounds: int) -> list[float]:
    """Megabytes of raster image that the interpreter passes over in a CPU second, in pieces of 1 kB, by round."""
    data = b"\x1dv0\x00\x48\x00" + IMAGE_ROWS.to_bytes(2, "little") + bytes(range(72)) * IMAGE_ROWS + b"\x1dVA\x00"
    pieces = [data[at : at + 1024] for at in range(0, len(data), 1024)]
    found = []
    for _ in range(rounds):
        interpreter, began = Interpreter(), time.process_time()
        events = [event for piece in pieces for event in interpreter.feed(piece)[1]]
        found.append(len(data) / 1e6 / (time.process_time() - began))
        assert [event.receipt.images for event in events if isinstance(event, Cut)] == [((576, IMAGE_ROWS),)]
    return found


def rates(tickets: Sequence[bytes], rounds: int) -> dict[str, list[float]]:
    """Tickets a CPU second of each way, a figure a round; the ways take turns. AssertionError when they disagree."""
    wanted = [by_interpreter(data) for data in tickets]
    for read in WAYS.values():
        assert [read(data) for data in tickets] == wanted
    found: dict[str, list[float]] = {name: [] for name in WAYS}
    for _ in range(rounds):
        for name, read in WAYS.items():
            began = time.process_time()
            for data in tickets:
                read(data)
            found[name].append(len(tickets) / (time.process_time() - began))
    return found
