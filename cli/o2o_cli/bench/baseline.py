"""The committed baseline: one ratio per benchmark, with where it was measured.

Decides the file (results/baselines/bench.json) and its format. Seconds in it are for the reader; ratios are compared.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from o2o_cli.bench.rows import Measurement
from o2o_cli.errors import UsageError
from o2o_results.manifest import git_commit, machine, versions


def read(path: Path) -> dict[str, dict[str, Any]]:
    """Entries by benchmark; none when there is no file. Raises UsageError when it cannot be read."""
    if not path.exists():
        return {}
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
        return {name: {**entry, "ratio": float(entry["ratio"])} for name, entry in raw.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{path}: not a baseline ({error!r}); `o2o bench --save-baseline` writes a new one") from error


def save(path: Path, measured: Sequence[Measurement]) -> None:
    """Write the measured benchmarks' entries and keep those of benchmarks that were not run."""
    known = read(path)
    for one in measured:
        entry: dict[str, Any] = {"ratio": round(one.ratio, 5), "seconds": one.seconds, "what": one.what}
        known[one.name] = entry if one.events is None else {**entry, "events": one.events}
    text = {
        "commit": git_commit(),
        "machine": machine(),
        "versions": versions(),
        "benchmarks": {name: known[name] for name in sorted(known)},
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    temporary.write_text(json.dumps(text, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(temporary, path)
