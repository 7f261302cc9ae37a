"""CPU that processes took, from /proc/<pid>/stat: who was the bottleneck.

Decides that a process stands for its whole tree: a server's children, and those of them that have ended and were
waited for, are counted with it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def cpu_s(pids: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds of each tree so far, by the name that its root has in `pids`; trees that are gone are left out."""
    stats = {int(entry.name): found for entry in _PROC.glob("[0-9]*") if (found := _stat(entry)) is not None}
    children: dict[int, list[int]] = {}
    for pid, (parent, _, _) in stats.items():
        children.setdefault(parent, []).append(pid)
    told: dict[str, float] = {}
    for name, root in pids.items():
        if root not in stats:
            continue
        ticks, todo = 0, [root]
        while todo:
            pid = todo.pop()
            ticks += stats[pid][1] + stats[pid][2]
            # A tree within the tree that has a name of its own is not counted twice.
            todo += [child for child in children.get(pid, ()) if child not in pids.values()]
        told[name] = ticks / _TICKS
    return told


def _stat(entry: Path) -> tuple[int, int, int] | None:
    """(parent, own ticks, ticks of waited-for children) of a process; None when it is gone."""
    try:
        text = (entry / "stat").read_text()
    except OSError:
        return None
    values = text[text.rindex(")") + 2 :].split()
    return int(values[1]), int(values[11]) + int(values[12]), int(values[13]) + int(values[14])


@dataclass
class Used:
    """Cores that each process kept busy on average: 1.0 is one core all the time."""

    seconds: float = 0.0
    cores: dict[str, float] = field(default_factory=dict)


@contextmanager
def watched(pids: Mapping[str, int]) -> Iterator[Used]:
    """What the processes take while the body runs; the value is filled in at its end."""
    used = Used()
    before, began = cpu_s(pids), time.perf_counter()
    yield used
    used.seconds = time.perf_counter() - began
    after = cpu_s(pids)
    used.cores = {name: (after[name] - before.get(name, 0.0)) / used.seconds for name in pids if name in after}
