"""Who can be killed in a running set: its processes by kind, and the backends of its own PostgreSQL.

Decides which processes a kind stands for, and when one that was killed is back: another process of that name is ready
(for a backend: the server takes connections again, which it does after it has recovered). Reads the set's up.json and
/proc; nobody is ever killed who is not named there.
"""

from __future__ import annotations

import json
import os
import re
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from o2o_cli.chaos.plan import Kill

_BACKEND = re.compile(rb"^postgres: \S+ \S+ [\d.:a-f]+\(\d+\)")
"""As PostgreSQL calls a process that serves a client: role, database, the client's address and port."""
CONNECT_S = 1.0


@dataclass(frozen=True, slots=True)
class Process:
    """One process of the set at one moment. `name` outlives it."""

    name: str
    kind: str
    pid: int | None
    port: int | None
    state: str


class RunningSet:
    """A set that was started by `o2o up`, seen from outside."""

    def __init__(self, state: Path, database_url: str) -> None:
        self._path = state / "up.json"
        self._database_url = database_url

    def processes(self) -> list[Process]:
        """All that is supervised. Raises OSError, ValueError when there is no set."""
        return [
            Process(row["name"], row["kind"], row["pid"], row.get("port"), row["state"])
            for row in json.loads(self._path.read_text(encoding="utf-8"))["processes"]
        ]

    def all_ready(self) -> bool:
        """Whether nothing is down or starting."""
        return all(process.state == "ready" for process in self.processes())

    def living(self, kind: str) -> list[Process]:
        """Those of a kind that can be killed now, in the order of their names."""
        found = [one for one in self.processes() if one.pid is not None and one.state in ("ready", "starting")]
        if kind == "backend":
            masters = [one for one in found if one.kind == "postgres"]
            return [
                Process(f"postgres backend {pid}", kind, pid, None, "ready")
                for master in masters
                for pid in backends(master.pid or 0)
            ]
        return sorted((one for one in found if one.kind == kind), key=lambda one: one.name)

    def kill(self, kill: Kill) -> Process | None:
        """kill -9 of the one that the plan means; None when nobody of that kind lives (or it went by itself)."""
        candidates = {one.pid: one for one in self.living(kill.kind) if one.pid is not None}
        pid = kill.of(list(candidates))
        if pid is None:
            return None
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return None
        return candidates[pid]

    async def is_back(self, victim: Process) -> bool:
        """Whether what was killed is there again."""
        if victim.kind == "backend":
            return await self.database_answers()
        return any(
            one.name == victim.name and one.pid not in (None, victim.pid) and one.state == "ready"
            for one in self.processes()
        )

    async def database_answers(self) -> bool:
        """Whether PostgreSQL takes a connection and answers."""
        try:
            conn: Any = await asyncpg.connect(self._database_url, timeout=CONNECT_S)
        except (OSError, asyncpg.PostgresError):
            return False
        try:
            return bool(await conn.fetchval("SELECT true", timeout=CONNECT_S))
        except (OSError, asyncpg.PostgresError):
            return False
        finally:
            conn.terminate()


def backends(postmaster: int) -> list[int]:
    """Processes of a PostgreSQL server that serve clients."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
            if int(stat[stat.rindex(")") + 2 :].split()[1]) != postmaster:
                continue
            if _BACKEND.match((entry / "cmdline").read_bytes()):
                found.append(int(entry.name))
        except OSError:
            continue
    return sorted(found)
