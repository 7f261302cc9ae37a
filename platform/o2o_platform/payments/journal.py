"""The sandbox provider's memory beyond its process: an append-only file of what became of each charge.

Decides that the last line of a payment counts and that a half-written last line (the process was killed in mid-write)
is passed over. A real provider's books are its own business; this one's must outlive a killed process too, or the
audit of a crash would blame the platform for money that only the sandbox forgot.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec


class Journal:
    """Lines of JSON, one a change. Open for as long as the provider runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.last: dict[int, dict[str, Any]] = {}
        """What was known of each payment when the file was opened, in order of its first line."""
        whole = 0
        if path.exists():
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            for line in data[:whole].splitlines():
                entry = msgspec.json.decode(line)
                self.last[entry["payment_id"]] = entry
        self._file = path.open("ab")
        self._file.truncate(whole)

    def note(self, entry: dict[str, Any]) -> None:
        """Write down how things stand with a payment now."""
        self._file.write(msgspec.json.encode(entry) + b"\n")
        self._file.flush()

    def close(self) -> None:
        """Nothing more is written."""
        self._file.close()
