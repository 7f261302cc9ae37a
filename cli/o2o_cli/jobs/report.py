"""The job of a report: one or two runs to one HTML file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from o2o_results.report import write_report
from o2o_results.run import RunReader


def make_report(runs: Sequence[RunReader], out: Path) -> Path:
    """Write the report of one run, or of two side by side."""
    return write_report(list(runs), out)
