"""The state folder of a scaled set: what outlives its processes, and what others may know of them.

    up.json         every process with name, pid, port, state and restarts; written anew at each change, read by anybody
    settings.json   the platform's settings, secrets included: what the processes of the set run with (0600)
    kept.json       secrets and ports made at the first start, and kept (0600)
    logs/           a file a process
    printers.json   where the virtual printers listen
    paper.jsonl     what they printed
    payments        the provider's journal
    postgres, redis data of the set's own servers

Decides the names, and that only one set at a time uses a folder (a lock that dies with its holder).
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from pathlib import Path
from typing import Any

from o2o_cli.errors import UsageError


class StateFolder:
    """Call `take` before anything is written."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.up = self.path / "up.json"
        self.settings = self.path / "settings.json"
        self.logs = self.path / "logs"
        self.printers = self.path / "printers.json"
        self.paper = self.path / "paper.jsonl"
        self.payments = self.path / "payments"
        self._kept_path = self.path / "kept.json"
        self._lock: int | None = None
        self._kept: dict[str, Any] = {}

    def take(self) -> None:
        """Make the folder and have it alone. Raises UsageError when another set runs in it."""
        self.logs.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise UsageError(
                f"--state {self.path}: another `o2o up` runs there (pid {running(self.path) or 'unknown'}); "
                "end it, or name another folder"
            ) from None
        self._lock = lock
        if self._kept_path.exists():
            self._kept = read_json(self._kept_path)

    def release(self) -> None:
        """Let others have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def secret(self, name: str) -> str:
        """The secret of this name; made up the first time."""
        return str(self.kept(name, secrets.token_urlsafe(32)))

    def kept(self, name: str, default: Any) -> Any:
        """A value that is what it was at the last start; `default` the first time."""
        if name not in self._kept:
            self.keep(name, default)
        return self._kept[name]

    def keep(self, name: str, value: Any) -> None:
        """Have `kept` give this from now on."""
        self._kept[name] = value
        write_json(self._kept_path, self._kept, mode=0o600)


def running(path: Path) -> int | None:
    """The pid of the set that runs in a folder; None: none does."""
    try:
        pid = int(read_json(path / "up.json")["pid"])
        lock = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC)
    except (OSError, UsageError, KeyError):
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return pid
    finally:
        os.close(lock)
    return None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file. Raises OSError, or UsageError when it is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UsageError(f"{path}: not JSON ({error})") from None
    if not isinstance(found, dict):
        raise UsageError(f"{path}: not a JSON object")
    return found


def write_json(path: Path, value: dict[str, Any], *, mode: int = 0o644) -> None:
    """Replace a file in one step: whoever reads it sees the old or the new one, whole."""
    part = path.with_name(f".{path.name}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
    part.replace(path)
