"""The sandbox provider's memory beyond its process: an append-only file of what became of each charge.

Decides that the last line of a payment counts, that a line is handed to the operating system before anybody is answered
(so a killed process loses nothing it answered; a machine that loses power may), and that a half-written last line is
passed over. A real provider's books are its own business; this one's must outlive a killed process too, or the audit of
a crash would blame the platform for money that only the sandbox forgot.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec


class Journal:
    """Lines of JSON, one a change. Open for as long as the provider runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = self._end_of_last_line()
        self._file = path.open("ab", buffering=0)  # one write is one call of the system: nothing stays in this process
        self._file.truncate(self._whole)
        self._encode = msgspec.json.Encoder().encode

    def lines(self) -> Iterator[bytes]:
        """Every whole line that was there when the file was opened, oldest first."""
        with self._path.open("rb") as file:
            read = 0
            for line in file:
                read += len(line)
                if read > self._whole:
                    return
                yield line

    def note(self, entry: object) -> None:
        """Write down how things stand now."""
        self._file.write(self._encode(entry) + b"\n")

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()

    def _end_of_last_line(self) -> int:
        if not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            end = file.seek(0, 2)
            while end > 0:
                start = max(0, end - 65_536)
                file.seek(start)
                found = file.read(end - start).rfind(b"\n")
                if found >= 0:
                    return start + found + 1
                end = start
        return 0
