"""What a fleet's processes take and do: memory, CPU, connections, tickets, faults; one line a process and one in total.

Decides what memory is: USS, what would be given back if the process ended now (its own pages), and PSS, which adds its
share of the pages that it has in common with others, both as the kernel says in /proc/self/smaps_rollup. What a printer
takes is what USS has grown by since before the printers were made.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec

from o2o_cli import console
from o2o_devices.counters import Counters


class Memory(msgspec.Struct, frozen=True):
    """Bytes."""

    rss: int
    pss: int
    uss: int

    @classmethod
    def of(cls, pid: int | str = "self") -> Memory:
        """Of a process now. OSError when it is gone."""
        kb: dict[str, int] = {}
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            value = rest.split()
            if len(value) == 2 and value[1] == "kB":
                kb[name] = int(value[0])
        own = kb["Private_Clean"] + kb["Private_Dirty"] + kb.get("Private_Hugetlb", 0)
        return cls(kb["Rss"] * 1024, kb["Pss"] * 1024, own * 1024)


class PartFigures(msgspec.Struct, frozen=True):
    """One process at one instant."""

    pid: int
    at: float
    """Seconds of the machine's monotonic clock."""
    cpu_s: float
    memory: Memory
    empty: Memory
    """Before its printers were made."""
    printers: int
    connections: int
    counters: dict[str, Any]

    @classmethod
    def now(cls, empty: Memory, printers: int, connections: int, counters: Counters) -> PartFigures:
        """Of this process."""
        memory = Memory.of()
        return cls(
            os.getpid(),
            time.monotonic(),
            time.process_time(),
            memory,
            empty,
            printers,
            connections,
            asdict(counters),
        )


class Row(msgspec.Struct, frozen=True):
    """Figures of a process, or of all, over the time since the last look."""

    name: str
    printers: int
    connections: int
    tickets: int
    tickets_s: float
    torn: int
    acks: int
    cores: float
    rss: int
    pss: int
    uss: int
    bytes_each: float
    """USS grown since before the printers were made, by printer (its port and its connection included)."""
    bytes_in: int
    faults: dict[str, int]


def rows(now: Sequence[PartFigures], before: Sequence[PartFigures] = ()) -> list[Row]:
    """One row a process; the last one is all of them."""
    old = {part.pid: part for part in before}
    found = [_row(part, old.get(part.pid)) for part in now]
    return [*found, _total(found, sum(part.memory.uss - part.empty.uss for part in now))]


def _row(part: PartFigures, old: PartFigures | None) -> Row:
    done = part.counters
    seconds = part.at - old.at if old else 0.0
    tickets = done["receipts"]
    return Row(
        str(part.pid),
        part.printers,
        part.connections,
        tickets,
        (tickets - old.counters["receipts"]) / seconds if old and seconds > 0 else 0.0,
        done["torn"],
        done["acks"],
        (part.cpu_s - old.cpu_s) / seconds if old and seconds > 0 else 0.0,
        part.memory.rss,
        part.memory.pss,
        part.memory.uss,
        (part.memory.uss - part.empty.uss) / part.printers,
        done["bytes_in"],
        done["met"] or {},
    )


def _total(parts: Sequence[Row], grown: int) -> Row:
    faults: dict[str, int] = {}
    for part in parts:
        for kind, times in part.faults.items():
            faults[kind] = faults.get(kind, 0) + times
    printers = sum(part.printers for part in parts)
    return Row(
        "all",
        printers,
        sum(part.connections for part in parts),
        sum(part.tickets for part in parts),
        sum(part.tickets_s for part in parts),
        sum(part.torn for part in parts),
        sum(part.acks for part in parts),
        sum(part.cores for part in parts),
        sum(part.rss for part in parts),
        sum(part.pss for part in parts),
        sum(part.uss for part in parts),
        grown / printers if printers else 0.0,
        sum(part.bytes_in for part in parts),
        faults,
    )


def tell(found: Sequence[Row]) -> None:
    """Print them to standard error, where scripts do not look for the ready line."""
    for row in found if len(found) > 2 else found[-1:]:  # of one process its row says all
        console.err.print(told(row), soft_wrap=True)


def told(row: Row) -> str:
    """A row as one line."""
    met = ", ".join(f"{kind} {times:,}" for kind, times in sorted(row.faults.items())) or "none"
    return (
        f"{'fleet' if row.name == 'all' else 'process ' + row.name}: {row.printers:,} printers, "
        f"{row.connections:,} connections, {row.tickets:,} tickets ({row.torn:,} torn), {row.tickets_s:,.1f} /s; "
        f"CPU {row.cores:.0%} of a core; memory USS {_mb(row.uss)}, PSS {_mb(row.pss)}, "
        f"{row.bytes_each:,.0f} B a printer; faults met: {met}"
    )


def _mb(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
