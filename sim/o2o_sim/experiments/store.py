"""Finished replications on disk, one JSON line each, so that a comparison that was cut off goes on where it stopped.

Decides the file's format and that a line is whole or not there: a torn last line (power, disk full) is dropped. What is
measured is `metrics`' business.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from o2o_sim.errors import ExperimentError

FILE = "replications.jsonl"


@dataclass(frozen=True)
class Replication:
    """What one run of one variant came to. `metrics` by name (null: not defined in this run), `events` of SimPy."""

    key: str
    label: str
    replication: int
    seed: int
    events: int
    cpu_s: float
    metrics: dict[str, float | None]


class Store:
    """The finished runs of a comparison, by key. With a folder they are kept in it, without one only in memory.

    The folder is made with the first run that is kept: a comparison that fails before leaves none.
    """

    def __init__(self, folder: Path | None = None) -> None:
        """Open the folder and read what it holds. Raises ExperimentError when a line in its middle is damaged."""
        self.path = folder / FILE if folder is not None else None
        self.done: dict[str, Replication] = {}
        if self.path is None:
            return
        if self.path.exists():
            self._read(self.path)

    def _read(self, path: Path) -> None:
        raw = path.read_bytes()
        whole = raw.rfind(b"\n") + 1
        for number, line in enumerate(raw[:whole].decode("utf-8", "replace").splitlines(), start=1):
            try:
                found = Replication(**json.loads(line))
            except (ValueError, TypeError) as error:
                raise ExperimentError(f"{path}:{number}: not a replication; delete the file to start anew") from error
            self.done[found.key] = found
        if whole < len(raw):
            with path.open("r+b") as file:
                file.truncate(whole)

    def add(self, found: Replication) -> None:
        """Keep one finished run; it is on disk when this returns."""
        self.done[found.key] = found
        if self.path is None:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(found), sort_keys=True) + "\n")
            file.flush()
            os.fsync(file.fileno())
