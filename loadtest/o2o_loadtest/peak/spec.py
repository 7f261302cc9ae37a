"""What one load process is to do, as a JSON file, and how it is started and its figures are read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Self

import msgspec

from o2o_loadtest.errors import ProcessError
from o2o_loadtest.peak.figures import Figures
from o2o_loadtest.processes import Child


class Spec(msgspec.Struct, kw_only=True):
    """See the module. Paths are absolute, or relative to the process's folder."""

    mode: Literal["closed", "open"]
    world: str
    out: str
    """Where the figures go."""
    seconds: float
    warmup_s: float = 0.0
    """Seconds before those that are counted."""
    rate: float = 0.0
    """Open loop: orders a second."""
    connections: int = 64
    """To each server: closed loop exactly, open loop at most."""
    timeout_s: float = 30.0
    seed: int = 1
    prefix: str = "peak-"
    """Begins every Idempotency-Key."""
    pay_with: str = ""
    coupon_share: float = 0.2
    pay: bool = False
    """Open loop: whether users pay at the provider."""
    give_up_s: float = 0.0
    """Open loop: a user asks again until so long after the intended time."""
    log: str = ""
    """Open loop: begins the names of the files of what users saw; empty: none."""

    def write(self, path: Path) -> None:
        """Write the file."""
        path.write_bytes(msgspec.json.encode(self))

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file. Raises OSError or msgspec.ValidationError."""
        return msgspec.json.decode(path.read_bytes(), type=cls)


def start(spec: Spec, folder: Path, *, on_line: Callable[[dict[str, Any]], None] = lambda line: None) -> Child:
    """The load process; its log and spec lie in `folder`. Raises ProcessError."""
    name = Path(spec.out).stem
    path = folder / f"{name}-spec.json"
    spec.write(path)
    return Child(
        f"load {name}", [sys.executable, "-m", "o2o_loadtest.peak", str(path)], folder / f"{name}.log", on_line=on_line
    )


def figures_of(child: Child, spec: Spec, *, patience_s: float) -> Figures:
    """Wait for the end of the process and read what it measured. Raises ProcessError."""
    if not child.wait(patience_s):
        child.stop()
        raise ProcessError(f"{child.name}: still running after {patience_s:g} s")
    child.check(may_have_ended=True)
    return msgspec.json.decode(Path(spec.out).read_bytes(), type=Figures)


def play(spec: Spec, folder: Path, *, patience_s: float = 60.0) -> Figures:
    """Start it, wait, read. Raises ProcessError."""
    with start(spec, folder) as child:
        return figures_of(child, spec, patience_s=spec.seconds + spec.warmup_s + spec.give_up_s + patience_s)
