"""Receipts to look at: of a file of ESC/POS bytes, or of a paper journal.

Decides which of the two a file is (a journal is lines of JSON), and where pictures go when there are several.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from o2o_cli.errors import UsageError
from o2o_devices.escpos.events import Cut
from o2o_devices.escpos.interpreter import Interpreter
from o2o_devices.mechanism import Profile
from o2o_devices.paper import Paper, read_paper
from o2o_devices.receipt import Receipt, ReceiptLine


def receipts_of(path: Path, profile: Profile, *, kanji: bool = True, printer: int | None = None) -> list[Receipt]:
    """Every receipt of a stream, or the last one of a journal (of `printer`, if one is named). Raises UsageError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    if data.startswith(b'{"printer_id"'):
        found = [paper for paper in read_paper(path) if printer is None or paper.printer_id == printer]
        if not found:
            raise UsageError(f"{path}: no receipt of printer {printer}")
        return [_as_receipt(found[-1], profile)]
    if printer is not None:
        raise UsageError(f"--printer: {path} is not a paper journal")
    interpreter = Interpreter(profile, kanji=kanji, keep_images=True)
    events = [*interpreter.feed(data)[1], *interpreter.end_job()]
    receipts = [event.receipt for event in events if isinstance(event, Cut)]
    if not receipts:
        raise UsageError(f"{path}: nothing in it is printed")
    return receipts


def _as_receipt(paper: Paper, profile: Profile) -> Receipt:
    """The text of a journal's receipt; sizes and images are not in it."""
    lines = [
        ReceiptLine(text, end_mm=(number + 1) * profile.line_mm, top=number * profile.line_dots)
        for number, text in enumerate(paper.lines)
    ]
    top = len(lines) * profile.line_dots
    lines += [
        ReceiptLine(code, (126, 126), kind="qr", symbology="QR", top=top + 140 * n) for n, code in enumerate(paper.qr)
    ]
    cut: Literal["full", "partial"] | None = None
    if paper.cut is not None:
        cut = "full" if paper.cut == "full" else "partial"
    return Receipt(tuple(lines), paper.length_mm, cut, paper.unknown, paper.stopped_by)


def write_pictures(receipts: list[Receipt], profile: Profile, path: Path) -> list[Path]:
    """A PNG a receipt: `path`, then with -2, -3 before its suffix."""
    from o2o_devices.picture import as_png  # starts a renderer: only who asks for pictures waits for it

    paths = [path if n == 0 else path.with_stem(f"{path.stem}-{n + 1}") for n in range(len(receipts))]
    for receipt, to in zip(receipts, paths, strict=True):
        to.write_bytes(as_png(receipt, profile))
    return paths
