"""What faults of reading make of a receipt: the wrong code page, a blank roll, lost bytes.

Decides how a whole receipt is spoiled as it comes out. The paper's length stays: a Chinese character is as wide as the
two characters of a code table that its bytes are read as, a blank roll is fed like any other, and a printer that lost
bytes is taken to have lost text, not line feeds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from o2o_devices.receipt import Receipt, ReceiptLine, Span

_CODE_TABLE = "cp437"


def _read_wrong(text: str) -> str:
    return text.encode("gb18030", "replace").decode(_CODE_TABLE, "replace")


def _line_read_wrong(line: ReceiptLine) -> ReceiptLine:
    if line.kind != "text":
        return line
    spans = tuple(Span(_read_wrong(span.text), span.style) for span in line.spans)
    return line._replace(text=_read_wrong(line.text), spans=spans)


def garbled(receipt: Receipt) -> Receipt:
    """Multi-byte mode was off: every byte of GB18030 is a character of code page 437."""
    return replace(receipt, lines=tuple(_line_read_wrong(line) for line in receipt.lines))


def blank(receipt: Receipt) -> Receipt:
    """The roll is in the wrong way round: the paper comes out, cut and acknowledged, with nothing on it."""
    return replace(receipt, lines=(), stopped_by="no_print")


def overrun(receipt: Receipt) -> Receipt:
    """A third of the lines is lost from the first third on; the lines on either side run together in one."""
    lines = receipt.lines
    start = len(lines) // 3
    stop = max(2 * len(lines) // 3, start + 1)
    seam = _seam(lines[start], lines[stop]) if stop < len(lines) else lines[-1:]
    return replace(receipt, lines=(*lines[:start], *seam, *lines[stop + 1 :]), unknown=receipt.unknown + 1)


def _seam(before: ReceiptLine, after: ReceiptLine) -> tuple[ReceiptLine, ...]:
    if before.kind != "text" or after.kind != "text":
        return (after,)
    text = before.text[: len(before.text) // 2] + after.text[len(after.text) // 2 :]
    return (after._replace(text=text, spans=()),)


SPOIL: dict[str, Callable[[Receipt], Receipt]] = {"wrong_codepage": garbled, "no_print": blank, "overrun": overrun}
"""By kind of fault."""
