"""Where runs lie, how they are named, and how the user's words find one.

Decides the layout `results/runs/<UTC time>-<scenario>-<world>`; reading and writing one run is left to `run`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from o2o_results.errors import MissingRun, ResultsError
from o2o_results.manifest import Manifest, World
from o2o_results.run import MANIFEST, RunReader, RunWriter
from o2o_scenarios.schema import Scenario

RUNS = Path("results") / "runs"
"""Default place of the runs, beneath the current folder."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One folder of the list: its manifest, or what is wrong with it."""

    folder: Path
    manifest: Manifest | None
    error: str | None = None


def new_run(
    scenario: Scenario,
    world: World,
    *,
    root: Path = RUNS,
    folder: Path | None = None,
    speed: float | None = None,
    horizon_s: float | None = None,
    argv: Sequence[str] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> RunWriter:
    """Begin a run in `folder`, or in a new folder beneath `root` named by the time, the scenario and the world.

    Two runs begun within one second get `-2`, `-3`... Raises RunState when `folder` already holds a run.
    """
    manifest = Manifest.begin(scenario, world, speed=speed, horizon_s=horizon_s, argv=argv, notes=notes)
    if folder is not None:
        return RunWriter(folder, manifest)
    root.mkdir(parents=True, exist_ok=True)
    number = 1
    while True:
        name = manifest.run_id if number == 1 else f"{manifest.run_id}-{number}"
        try:
            (root / name).mkdir()
        except FileExistsError:
            number += 1
            continue
        except OSError as error:
            raise ResultsError(f"{root}: cannot make a run folder there ({error.strerror})") from error
        named = Manifest.begin(scenario, world, speed=speed, horizon_s=horizon_s, argv=argv, notes=notes, run_id=name)
        return RunWriter(root / name, named)


def list_runs(root: Path = RUNS) -> list[Listed]:
    """Every run beneath `root`, newest first; a damaged one is listed with its error, not hidden."""
    if not root.is_dir():
        return []
    found: list[Listed] = []
    for folder in sorted((path for path in root.iterdir() if (path / MANIFEST).exists()), reverse=True):
        try:
            found.append(Listed(folder, RunReader(folder).manifest))
        except ResultsError as error:
            found.append(Listed(folder, None, str(error)))
    return sorted(found, key=lambda run: run.manifest.started_at if run.manifest else "", reverse=True)


def find_run(text: str, root: Path = RUNS) -> RunReader:
    """The run the user means: a folder's path, a run's name beneath `root`, `latest`, `latest:model` or `latest:live`.

    Raises MissingRun with near matches.
    """
    if Path(text).is_dir():
        return RunReader(Path(text))
    if text == "latest" or text.startswith("latest:"):
        world = text.partition(":")[2]
        if world not in ("", "model", "live"):
            raise MissingRun(f"{text}: no world is called {world!r} (latest, latest:model or latest:live)")
        for run in list_runs(root):
            if run.manifest and run.manifest.status == "finished" and world in ("", run.manifest.world):
                return RunReader(run.folder)
        raise MissingRun(f"there is no finished {world + ' ' if world else ''}run in {root}")
    if (root / text / MANIFEST).exists():
        return RunReader(root / text)
    names = [run.folder.name for run in list_runs(root)]
    near = get_close_matches(text, names, n=3, cutoff=0.4)
    hint = f"; did you mean {', '.join(near)}?" if near else f" in {root}"
    raise MissingRun(f"no run is called {text!r}{hint}")
