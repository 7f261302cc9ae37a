"""The kill campaign: a scaled set under load, somebody killed every few seconds, then rest, then the audit.

Decides the order of things and their bounds. What is started is `o2o up` with servers of its own, exactly as an
operator would; what is broken is the plan's; what must hold is the audit's, plus the promises that need the users' side
(`o2o_loadtest.peak.promises`). Everything lies in one folder, everything that was started ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from o2o_cli.chaos.plan import Kill
from o2o_cli.chaos.rest import Rest, until_rest
from o2o_cli.chaos.victims import Process, RunningSet
from o2o_cli.errors import UsageError
from o2o_cli.up.child import Child, Program
from o2o_loadtest.peak.figures import Figures
from o2o_loadtest.peak.spec import Spec, figures_of, start
from o2o_loadtest.peak.world import Size, World, make_world
from o2o_loadtest.setup import AdminClient

TAIL_S = 3.0
"""Load goes on so long after the last kill."""
GIVE_UP_S = 45.0
"""A user asks again for so long: longer than any restart takes."""
BACK_S = 120.0
"""What is not back by then is told as not back."""
REST_S = 180.0
LOOK_S = 0.02
PAPER_MM_S = 2000.0
"""Printers are quick, so that a few of them can keep up with the rate: 0.4 s a ticket."""
TIMEOUT_S = 8.0

SETTINGS: dict[str, Any] = {
    "enforce_hours": False,
    "payment_deadline_s": 60.0,
    "reconcile_interval_s": 2.0,
    "reconcile_grace_s": 3.0,
    "consumer_idle_s": 3.0,
    "print_ack_timeout_s": 10.0,
    "print_backoff_s": 0.5,
}
"""Of the platform: the rules of every deployment, with less patience, so that healing can be waited for."""

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    plan: list[Kill]
    seed: int
    rate: float
    every_s: float
    workers: int
    dispatchers: int
    printers: int
    state: Path


@dataclass
class Hit:
    """One kill as it came out. `back_s` None: not back within BACK_S."""

    number: int
    kind: str
    planned_s: float
    at_s: float
    name: str | None
    """None: nobody of that kind was alive."""
    pid: int | None = None
    back_s: float | None = None


@dataclass
class Outcome:
    """What a campaign leaves for the audit and the report."""

    hits: list[Hit] = field(default_factory=list)
    figures: Figures | None = None
    rest_s: float = 0.0
    unrest: dict[str, int] = field(default_factory=dict)
    epoch: float = 0.0
    ended: float = 0.0
    admin_password: str = ""
    base_url: str = ""
    provider_url: str = ""
    world: World | None = None

    def to_json(self) -> dict[str, Any]:
        """The part that is told."""
        return {
            "kills": [asdict(hit) for hit in self.hits],
            "load": self.figures.to_json() if self.figures else None,
            "rest_s": round(self.rest_s, 2),
            "unrest": self.unrest,
        }


@asynccontextmanager
async def running_set(options: Options, password: str) -> AsyncIterator[tuple[Child, dict[str, Any]]]:
    """`o2o up` in the state folder, ready, and its settings. Raises StartFailed."""
    options.state.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "o2o_cli.main", "up", "--announce", "--state", str(options.state), "--port", "0"]
    argv += ["--workers", str(options.workers), "--dispatchers", str(options.dispatchers)]
    argv += ["--printers", str(options.printers), "--mm-s", str(PAPER_MM_S)]
    environment = {f"O2O_{name.upper()}": str(value) for name, value in SETTINGS.items()}
    program = Program("up", "up", argv, env={**environment, "O2O_ADMIN_PASSWORD": password}, grace_s=60.0)
    child = Child(program, options.state / "up.log", lambda: None)
    try:
        await child.start()
        yield child, json.loads((options.state / "settings.json").read_text(encoding="utf-8"))
    finally:
        await child.stop()


async def campaign(
    options: Options, size: Size, progress: Progress, gather: Callable[[Outcome], Any]
) -> tuple[Outcome, Any]:
    """The whole campaign; what `gather(outcome)` returns is read while the set still runs.

    Raises UsageError when the set does not start, TargetError when it does not tell.
    """
    outcome = Outcome(admin_password=os.environ.get("O2O_ADMIN_PASSWORD") or secrets.token_urlsafe(12))
    progress("starting the set", 0.0)
    async with running_set(options, outcome.admin_password) as (child, settings):
        outcome.base_url, outcome.provider_url = settings["public_url"], settings["provider_url"]
        running = RunningSet(options.state, settings["database_url"])
        await _world(options, size, outcome, progress)
        await _under_fire(options, running, outcome, progress)
        rest = Rest(
            settings["database_url"],
            settings["redis_url"],
            settings["redis_prefix"],
            outcome.provider_url,
            running.all_ready,
        )
        outcome.rest_s, outcome.unrest = await until_rest(
            rest, limit_s=REST_S, progress=lambda unrest: progress(f"healing: {_told(unrest)}", 0.9)
        )
        if child.pid is None:
            raise UsageError(f"`o2o up` itself has ended: {child.last_words()}")
        progress("gathering", 0.95)
        outcome.ended = time.time()
        return outcome, await asyncio.to_thread(gather, outcome)


async def _world(options: Options, size: Size, outcome: Outcome, progress: Progress) -> None:
    printers = read_printers(options.state)

    def make() -> World:
        admin = AdminClient(outcome.base_url, outcome.admin_password)
        try:
            return make_world(admin, size, printers=printers, progress=progress)
        finally:
            admin.close()

    outcome.world = await asyncio.to_thread(make)
    outcome.world.write(options.state / "world.json")


def read_printers(state: Path) -> dict[int, tuple[str, int]]:
    """Where the set's printers are: number -> (host, port)."""
    told = json.loads((state / "printers.json").read_text(encoding="utf-8"))
    return {int(number): (str(host), int(port)) for number, (host, port) in told.items()}


async def _under_fire(options: Options, running: RunningSet, outcome: Outcome, progress: Progress) -> None:
    """Load and kills; returns when the last user went home."""
    seconds = (options.plan[-1].at_s if options.plan else 0.0) + TAIL_S
    spec = Spec(
        mode="open",
        world=str(options.state / "world.json"),
        out=str(options.state / "load.json"),
        seconds=seconds,
        rate=options.rate,
        connections=512,
        timeout_s=TIMEOUT_S,
        seed=options.seed,
        prefix=f"chaos-{options.seed}-",
        pay=True,
        give_up_s=GIVE_UP_S,
        log=str(options.state / "users"),
    )
    ready = asyncio.Event()
    loop = asyncio.get_running_loop()

    def heard(line: dict[str, Any]) -> None:
        if "ready" in line:
            loop.call_soon_threadsafe(ready.set)

    load = await asyncio.to_thread(start, spec, options.state, on_line=heard)
    try:
        await asyncio.wait_for(ready.wait(), 30.0)
        began = time.monotonic()
        watchers = []
        for kill in options.plan:
            await asyncio.sleep(max(0.0, began + kill.at_s - time.monotonic()))
            progress(f"kill {kill.number + 1} of {len(options.plan)}: {kill.kind}", kill.at_s / seconds * 0.8)
            victim = running.kill(kill)
            hit = Hit(kill.number, kill.kind, kill.at_s, round(time.monotonic() - began, 3), None)
            outcome.hits.append(hit)
            if victim is not None:
                hit.name, hit.pid = victim.name, victim.pid
                watchers.append(asyncio.create_task(_watch(running, victim, hit)))
        progress("the last users go home", 0.85)
        outcome.figures = await asyncio.to_thread(figures_of, load, spec, patience_s=TAIL_S + GIVE_UP_S + 60.0)
        outcome.epoch = outcome.figures.epoch
        await asyncio.gather(*watchers)
    finally:
        await asyncio.to_thread(load.stop)


async def _watch(running: RunningSet, victim: Process, hit: Hit) -> None:
    """Find out how long it was gone."""
    began = time.monotonic()
    while time.monotonic() - began < BACK_S:
        await asyncio.sleep(LOOK_S)
        with contextlib.suppress(OSError, ValueError):
            if await running.is_back(victim):
                hit.back_s = round(time.monotonic() - began, 3)
                return


def _told(unrest: dict[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in unrest.items()) or "at rest"
