"""The helper processes of a live run: started before the platform, killed and started again as the scenario says (S11).

Decides the moments: faults of the scenario are city seconds, here they become run seconds. A kill is SIGKILL by the
process's id, with no good-bye; who comes back is a new process at the same address. A helper that ends by itself is a
ProcessError: then the run would not show what it was to show.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from o2o_loadtest.errors import ProcessError
from o2o_loadtest.processes import Child
from o2o_scenarios.schema import HelperFaultSpec

START_S = 60.0
POLL_S = 0.1


@dataclass(frozen=True)
class HelperProgram:
    """How a helper is started, always at the same address; it says {"ready": true} once it answers."""

    name: str
    argv: Sequence[str]


@dataclass(frozen=True)
class _Event:
    at_s: float
    helper: str
    kill: bool


class HelperProcesses:
    """Use as a context manager: inside they run, afterwards none is left. `done` are the faults so far, run seconds."""

    def __init__(
        self, programs: Sequence[HelperProgram], faults: Sequence[HelperFaultSpec], speed: float, logs: Path
    ) -> None:
        self.done: list[dict[str, Any]] = []
        self._programs = {program.name: program for program in programs}
        self._logs = logs
        self._children: dict[str, Child] = {}
        self._ended: list[Child] = []
        events = [
            _Event(city_s / speed, fault.helper, kill)
            for fault in faults
            if fault.helper in self._programs
            for city_s, kill in ((fault.kill_s, True), (fault.back_s, False))
        ]
        self._events = sorted(events, key=lambda event: event.at_s)

    def __enter__(self) -> Self:
        try:
            answering = [self._start(program) for program in self._programs.values()]
            for name, ready in zip(self._programs, answering, strict=True):
                self._wait(name, ready)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for child in (*self._children.values(), *self._ended):
            child.stop()

    def attend(self, at_s: float) -> None:
        """Do what is due at run second `at_s`; call it again and again. Raises ProcessError."""
        while self._events and self._events[0].at_s <= at_s:
            event = self._events.pop(0)
            if event.kill:
                child = self._children.pop(event.helper)
                child.kill()
                self._ended.append(child)
            else:
                self._start(self._programs[event.helper])
            self.done.append({"helper": event.helper, "what": "killed" if event.kill else "started", "at": at_s})
        for child in self._children.values():
            child.check()

    def _start(self, program: HelperProgram) -> threading.Event:
        ready = threading.Event()

        def said(line: dict[str, Any]) -> None:
            if line.get("ready"):
                ready.set()

        self._children[program.name] = Child(
            program.name, program.argv, self._logs / f"{program.name}.log", on_line=said
        )
        return ready

    def _wait(self, name: str, ready: threading.Event) -> None:
        for _ in range(round(START_S / POLL_S)):
            if ready.wait(POLL_S):
                return
            self._children[name].check()
        raise ProcessError(f"{name}: not ready after {START_S:g} s")
