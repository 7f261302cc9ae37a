"""pgbench, the reference: the platform's own statements, one order a transaction, driven by PostgreSQL's own tool.

Decides how it is called (prepared statements, no vacuum, threads as the cores allow) and how its report is read.
Leaves the script to the platform (`orders.lane.statements.single_order_script`).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from o2o_cli.errors import UsageError

CLIENTS = (8, 16)
"""The better of these is the reference."""
_TPS = re.compile(r"^tps = ([\d.]+) ", re.MULTILINE)
_LATENCY = re.compile(r"^latency average = ([\d.]+) ms", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: (\d+)", re.MULTILINE)
_PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Pgbench:
    """One run of pgbench."""

    clients: int
    seconds: float
    transactions: int
    per_s: float
    latency_ms: float
    failed: int

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def found() -> str | None:
    """Where pgbench is; None when it is not installed."""
    return shutil.which("pgbench") or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), reverse=True)), None
    )


def run(
    url: str,
    script: str,
    folder: Path,
    *,
    clients: int,
    seconds: float,
    started: Callable[[int], None] = lambda pid: None,
) -> Pgbench:
    """Run the script against a database. `started` is told the process's id.

    Raises UsageError with pgbench's own words when it fails, or is not installed.
    """
    program = found()
    if program is None:
        raise UsageError("pgbench is not installed (Debian: postgresql-contrib)")
    path = folder / "pgbench.sql"
    path.write_text(script, encoding="utf-8")
    cores = len(os.sched_getaffinity(0))
    argv = [program, "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, max(1, cores)))]
    argv += ["-T", str(max(1, round(seconds))), "-f", str(path)]
    environment = {**os.environ, **connection(url)}
    with subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        started(process.pid)
        try:
            said, complained = process.communicate(timeout=seconds + _PATIENCE_S)
        except BaseException:
            process.kill()
            raise
    if process.returncode != 0:
        lines = [line for line in complained.splitlines() if line.strip()]
        told = [line for line in lines if "ERROR" in line][:2] or lines[-2:]
        raise UsageError(f"pgbench failed with code {process.returncode}: {' | '.join(told)}")
    return read(said, clients=clients, seconds=seconds)


def read(report: str, *, clients: int, seconds: float) -> Pgbench:
    """What pgbench reported. Raises UsageError when that is not understood."""
    tps, latency, processed = (pattern.search(report) for pattern in (_TPS, _LATENCY, _DONE))
    if not (tps and latency and processed):
        raise UsageError(f"pgbench's report is not understood: {report.strip()[-200:]!r}")
    failed = _FAILED.search(report)
    return Pgbench(
        clients, seconds, int(processed[1]), float(tps[1]), float(latency[1]), int(failed[1]) if failed else 0
    )


def connection(url: str) -> dict[str, str]:
    """libpq's variables for a `postgresql://user:password@host:port/database` URL."""
    parts = urlsplit(url)
    given = {
        "PGHOST": parts.hostname,
        "PGPORT": str(parts.port or 5432),
        "PGUSER": parts.username,
        "PGPASSWORD": parts.password,
        "PGDATABASE": parts.path.lstrip("/"),
    }
    return {name: unquote(value) for name, value in given.items() if value}
