"""One child process of a set: started, heard until it is ready, ended.

Decides what a child is (`Program`) and how it is spoken to: a JSON line on its standard output that has "ready" says
that it is (or a probe finds out), all else that it writes goes to its log; it is asked to end by its stop signal and
killed when it does not; it dies with its parent, however that ends (PR_SET_PDEATHSIG). When it is started again is
the supervisor's business.

    stopped -> starting -> ready -> waiting (for its next start) -> starting ...
                  └───────────┴──> stopping -> stopped
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import json
import os
import pwd
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from o2o_cli.errors import UsageError

State = Literal["stopped", "starting", "ready", "waiting", "stopping"]

START_S = 120.0
"""A child that is not ready by then has failed."""
PROBE_S = 0.05
LAST_WORDS_S = 1.0
QUOTED_LINES = 3
_LINE_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Program:
    """What one child is. `probe` None: it is ready when it says so."""

    name: str
    kind: str
    argv: Sequence[str]
    port: int | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    fds: Sequence[int] = ()
    """Sockets that it inherits."""
    user: str | None = None
    """Run as this user (servers that refuse root)."""
    cwd: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 10.0
    """It is killed when it has not ended so long after its stop signal."""
    probe: Callable[[], Awaitable[bool]] | None = None


class StartFailed(UsageError):  # noqa: N818 - of the user's world, not of ours
    """A child could not be started, or ended before it was ready; the message quotes what it said last."""


class Child:
    """A program and its process of the moment. `changed` is called after every change of the state."""

    def __init__(self, program: Program, log: Path | None, changed: Callable[[], None]) -> None:
        """`log` takes what it writes; None: this process's standard error does."""
        self.program = program
        self.log = log
        self.state: State = "stopped"
        self.since = time.time()
        """When it came into this state."""
        self.restarts = 0
        self.code: int | None = None
        """How its last process ended: exit code, or minus the signal."""
        self.said: dict[str, Any] = {}
        """What its process told in JSON lines."""
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    async def start(self) -> None:
        """Start a process and wait until it is ready. Raises StartFailed."""
        program = self.program
        self.said = {}
        with self._output() as output:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *program.argv,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=output,
                    env={**os.environ, "PYTHONUNBUFFERED": "1", **program.env},
                    cwd=program.cwd,
                    pass_fds=program.fds,
                    start_new_session=True,  # the terminal's Ctrl-C is the parent's to handle
                    preexec_fn=_dies_with(os.getpid(), program.stop_signal),
                    limit=_LINE_BYTES,
                    **run_as(program.user),
                )
            except OSError as error:
                raise StartFailed(f"{program.name}: cannot be started ({error})") from None
        self._reader = asyncio.create_task(self._read(self._process))
        self._set("starting")
        await self._until_ready(self._process)

    async def ended(self) -> None:
        """Wait for the end of its process by itself."""
        await self._reap()
        self._set("waiting")

    async def stop(self) -> None:
        """End its process: politely, then by force."""
        process = self._process
        if process is not None and process.returncode is None:
            self._set("stopping")
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(self.program.stop_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), self.program.grace_s)
            await self._kill(process)
        await self._reap()
        self._set("stopped")

    def last_words(self) -> str:
        """The end of its log on one line."""
        if self.log is None or not self.log.exists():
            return "see above"
        lines = [line.strip() for line in self.log.read_text("utf-8", "replace").splitlines() if line.strip()]
        return " | ".join(line.removeprefix("o2o: ") for line in lines[-QUOTED_LINES:]) or "it said nothing"

    # -----------------------------------------------------------------------------------------------------------------

    async def _until_ready(self, process: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + START_S
        while not await self._is_ready():
            if process.returncode is not None:
                await self.ended()
                raise StartFailed(
                    f"{self.program.name} ended with code {self.code} before it was ready: {self.last_words()}"
                )
            if time.monotonic() > deadline:
                await self._kill(process)
                raise StartFailed(f"{self.program.name}: not ready after {START_S:g} s: {self.last_words()}")
            await asyncio.sleep(PROBE_S)
        self._set("ready")

    async def _is_ready(self) -> bool:
        return "ready" in self.said if self.program.probe is None else await self.program.probe()

    async def _reap(self) -> None:
        if self._process is not None and self._reader is not None:
            self.code = await self._process.wait()
            await asyncio.wait([self._reader], timeout=LAST_WORDS_S)  # a process of its own may hold the pipe open
            self._reader.cancel()
            self._process = self._reader = None

    async def _kill(self, process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while raw := await process.stdout.readline():
            line = None
            with contextlib.suppress(ValueError):
                line = json.loads(raw)
            if isinstance(line, dict):
                self.said.update(line)
            else:
                with self._output() as output:
                    os.write(output, raw)

    @contextlib.contextmanager
    def _output(self) -> Any:
        """A file descriptor for what it writes."""
        if self.log is None:
            yield sys.stderr.fileno()
            return
        descriptor = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _set(self, state: State) -> None:
        if state != self.state:
            self.state, self.since = state, time.time()
            self._changed()


def run_as(user: str | None) -> dict[str, Any]:
    """What a subprocess is given to run as a user, with that user's group and no other; None: as we are."""
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _dies_with(parent: int, number: int) -> Callable[[], None]:
    """What a child does before it becomes the program: ask to be told when its parent is gone."""

    def between_fork_and_exec() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, number)
        if os.getppid() != parent:  # gone already
            os.kill(os.getpid(), signal.SIGKILL)

    return between_fork_and_exec
