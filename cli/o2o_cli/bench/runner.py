"""`run_bench`: choose, run, compare with the baseline, tell.

Decides the exit code: 0, or 1 with `gate` when a row says SHORT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from o2o_cli import console
from o2o_cli.bench import baseline, suite
from o2o_cli.bench.rows import ALLOWED, Measurement, Row, rows
from o2o_cli.errors import EXIT_NOT_MET
from o2o_cli.options import write_json

BASELINE = suite.ROOT / "results" / "baselines" / "bench.json"
AGAIN = 2
"""A row that would say SHORT, or a baseline to be kept, is measured so many times more: a neighbour's burst of work on
the machine slows one measurement, a slower program all of them."""
COLUMNS = ["what", "per CPU s", "ours", "baseline", "change", ""]


def run_bench(
    names: Sequence[str],
    *,
    gate: bool = False,
    json_path: Path | None = None,
    smoke: bool = False,
    save_baseline: bool = False,
    quiet: bool = False,
    baseline_path: Path = BASELINE,
) -> int:
    """Benchmark what `names` choose (all for none) and print the table; returns the exit code.

    Raises UsageError for an unknown name, outside of a source tree, or when a benchmark fails.
    """
    wanted = suite.chosen(names)
    known = baseline.read(baseline_path)
    with console.progress("benchmarks", quiet=quiet) as progress:
        measured = {one.name: one for one in suite.run(wanted, smoke=smoke, progress=progress)}
        for _ in range(AGAIN):
            doubtful = wanted if save_baseline else _slow(list(measured.values()), known)
            if not doubtful:
                break
            for one in suite.run(doubtful, smoke=smoke, progress=progress):
                measured[one.name] = measured[one.name].best(one)
    found = rows(list(measured.values()), known)
    tell(found)
    if save_baseline:
        baseline.save(baseline_path, list(measured.values()))
        console.out.print(f"baseline: {baseline_path}")
    write_json(json_path, {"smoke": smoke, "benchmarks": [row.to_json() for row in found]})
    return EXIT_NOT_MET if gate and any(row.verdict == "SHORT" for row in found) else 0


def _slow(measured: Sequence[Measurement], known: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [row.measured.name for row in rows(measured, known) if row.change is not None and row.change > ALLOWED]


def tell(found: Sequence[Row]) -> None:
    """Print the table, and below it why a row is SHORT."""
    console.table(
        "Hot paths: CPU time as a multiple of the calibration loop's in the same run",
        COLUMNS,
        [_cells(row) for row in found],
    )
    console.out.print(
        f"calibration loop: {found[0].measured.calibration_s * 1e3:.2f} ms; "
        f"target: at most {ALLOWED:g} times the baseline"
    )
    for row in found:
        if row.why:
            console.out.print(f"{row.measured.name}: {row.why}")
    if new := sum(row.verdict == "NEW" for row in found):
        console.out.print(f"{new} without a baseline: --save-baseline keeps this run as one")


def _cells(row: Row) -> list[str]:
    one = row.measured
    return [
        one.what,
        f"{_rate(one.per_s)} {one.unit}",
        f"{one.ratio:.3g}",
        "-" if row.baseline is None else f"{row.baseline:.3g}",
        "-" if row.change is None else f"{row.change - 1:+.0%}",
        row.verdict,
    ]


def _rate(per_s: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if per_s >= size:
            return f"{per_s / size:.3g} {letter}"
    return f"{per_s:.3g}"
