"""Paper that outlives the process of its printer: a file of everything that came out, a line a receipt.

Decides that a receipt is written at the moment it is out, before its acknowledgement can be, with one write(): a
process that is killed loses no printed paper and writes down none that was not printed. A line that a kill has cut
off counts as not printed: nobody was told of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from o2o_devices.receipt import Receipt


class Paper(msgspec.Struct, frozen=True):
    """One receipt as it lies there. `at` is unix time, `lines` the printed text (as ticket_layout.parse reads it)."""

    printer_id: int
    at: float
    complete: bool
    lines: list[str]
    qr: list[str]
    length_mm: float
    cut: str | None = None
    stopped_by: str | None = None
    unknown: int = 0

    @property
    def text(self) -> str:
        """Printed characters, one printed line a line."""
        return "\n".join(self.lines)


@dataclass
class PaperJournal:
    """Open from the first receipt on; several printers of one process share it."""

    path: Path

    def __post_init__(self) -> None:
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        end = os.lseek(self._file, 0, os.SEEK_END)
        if end and os.pread(self._file, 1, end - 1) != b"\n":
            os.write(self._file, b"\n")
        self._encode = msgspec.json.Encoder().encode

    def note(self, printer_id: int, receipt: Receipt, at: float) -> None:
        """A receipt came out (usable as a fleet's `on_paper`)."""
        paper = Paper(
            printer_id,
            at,
            receipt.complete,
            list(receipt.text_lines),
            list(receipt.qr),
            round(receipt.length_mm, 3),
            receipt.cut,
            receipt.stopped_by,
            receipt.unknown,
        )
        os.write(self._file, self._encode(paper) + b"\n")

    def close(self) -> None:
        """Nothing more is printed."""
        os.close(self._file)


def read_paper(path: Path) -> Iterator[Paper]:
    """Everything that was printed, oldest first; nothing if there is no file."""
    if not path.exists():
        return
    decoder = msgspec.json.Decoder(Paper)
    with path.open("rb") as file:
        for line in file:
            try:
                yield decoder.decode(line)
            except msgspec.DecodeError:
                continue
