"""The manifest: what a run was, beside its tables, as JSON.

Decides which facts make a run repeatable (scenario and its hash, seed, versions, machine, commit, command) and how its
end is recorded, so that runs of one scenario can be compared (G7). Wall-clock facts live here and only here: the tables
of a modelled run hold none, so that one scenario and one seed give equal tables. Writing the file is left to `run`.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform as host
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, cast

from o2o_results.errors import DamagedRun
from o2o_results.verdicts import Verdict
from o2o_scenarios.loader import scenario_hash
from o2o_scenarios.schema import Scenario

World = Literal["model", "live"]
Status = Literal["running", "finished", "interrupted", "failed"]

PACKAGES = (
    "o2o-lab",
    "simpy",
    "numpy",
    "scipy",
    "networkx",
    "pyarrow",
    "duckdb",
    "fastapi",
    "uvicorn",
    "sqlalchemy",
    "locust",
    "altair",
)
"""Distributions whose versions are recorded: those that can change a figure."""


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages in PACKAGES."""
    found = {"python": host.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, Any]:
    """Facts about this machine: usable cores, CPU model, memory in GiB, system."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)
    facts: dict[str, Any] = {"cores": cores, "cpu": _cpu_model(), "system": f"{host.system()} {host.release()}"}
    with contextlib.suppress(ValueError, OSError, AttributeError):
        facts["memory_gib"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return facts


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return host.processor() or host.machine()


def git_commit(folder: Path | None = None) -> str | None:
    """The commit that `folder` (default: this source) is at, with `+changes` if files differ; None outside git."""
    where = folder or Path(__file__).parent
    try:
        head = _git(where, "rev-parse", "HEAD")
        return head + ("+changes" if _git(where, "status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def _git(where: Path, *args: str) -> str:
    done = subprocess.run(["git", "-C", str(where), *args], capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()


def utc_text(now: datetime | None = None) -> str:
    """`now` (default: the wall clock) as `2026-11-22T17:05:09Z`."""
    return (now or datetime.now(UTC)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Manifest:
    """Everything about a run that is not in its tables.

    `horizon_s` and all times in the tables are run seconds; `speed` is city seconds per run second. `notes` holds what
    the worlds want to say: `intents` (rows of the trace), `attribution` (of the map data), `events` and so on.
    """

    run_id: str
    world: World
    scenario: dict[str, Any]
    scenario_hash: str
    seed: int
    speed: float
    horizon_s: float
    started_at: str
    status: Status = "running"
    ended_at: str | None = None
    argv: tuple[str, ...] = ()
    git_commit: str | None = None
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)
    table_hash: str | None = None

    @classmethod
    def begin(
        cls,
        scenario: Scenario,
        world: World,
        *,
        speed: float | None = None,
        horizon_s: float | None = None,
        argv: Sequence[str] | None = None,
        notes: Mapping[str, Any] | None = None,
        now: datetime | None = None,
        run_id: str | None = None,
    ) -> Manifest:
        """A running manifest with this machine's facts.

        `speed` defaults to the scenario's, `horizon_s` (run seconds) to (duration + drain) / speed, `argv` to this
        process's command line, and `run_id` to `<UTC time>-<scenario>-<world>`.
        """
        moment = now or datetime.now(UTC)
        pace = scenario.clock.speed if speed is None else speed
        default_horizon = (scenario.clock.duration_s + scenario.clock.drain_s) / pace
        return cls(
            run_id=run_id or f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}-{scenario.name}-{world}",
            world=world,
            scenario=scenario.model_dump(mode="json"),
            scenario_hash=scenario_hash(scenario),
            seed=scenario.seed,
            speed=pace,
            horizon_s=default_horizon if horizon_s is None else horizon_s,
            started_at=utc_text(moment),
            argv=tuple(sys.argv if argv is None else argv),
            git_commit=git_commit(),
            versions=versions(),
            machine=machine(),
            notes=dict(notes or {}),
        )

    def ended(
        self,
        status: Status,
        *,
        verdicts: Sequence[Verdict] = (),
        table_hash: str | None = None,
        now: datetime | None = None,
    ) -> Manifest:
        """The manifest of the run after its end."""
        return replace(self, status=status, ended_at=utc_text(now), verdicts=tuple(verdicts), table_hash=table_hash)

    def to_json(self) -> str:
        """The manifest as indented JSON."""
        raw = asdict(self) | {"verdicts": [verdict.to_json() for verdict in self.verdicts]}
        return json.dumps(raw, indent=2, ensure_ascii=False, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str) -> Manifest:
        """Read back `to_json`. Raises DamagedRun, naming `where`, when the text is not a manifest."""
        try:
            raw = cast(dict[str, Any], json.loads(text))
            raw["verdicts"] = tuple(Verdict.from_json(verdict) for verdict in raw["verdicts"])
            raw["argv"] = tuple(raw["argv"])
            manifest = cls(**raw)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedRun(f"{where}: not a run's manifest ({_first_line(error)})") from error
        if manifest.world not in ("model", "live") or manifest.status not in (
            "running",
            "finished",
            "interrupted",
            "failed",
        ):
            raise DamagedRun(f"{where}: unknown world {manifest.world!r} or status {manifest.status!r}")
        return manifest


def _first_line(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    return (str(error) or type(error).__name__).splitlines()[0]
