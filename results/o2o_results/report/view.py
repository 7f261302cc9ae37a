"""One run as the report sees it: its label and colour, its clock, its figures, its tables.

Decides how two runs are told apart; leaves counting to `summary` and drawing to `charts` and `map`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from o2o_results.audit import audit, clean
from o2o_results.run import RunReader, RunTables
from o2o_results.summary import Summary, summary_of
from o2o_results.verdicts import Verdict
from o2o_scenarios.schema import Scenario

COLOURS = ("#1f6f78", "#c9652f")
WORLDS = {"model": "Model", "live": "Live"}


@dataclass
class RunView:
    """A run with the label and colour it has on the page."""

    run: RunReader
    label: str
    colour: str

    @cached_property
    def scenario(self) -> Scenario:
        """The run's scenario."""
        return self.run.scenario

    @cached_property
    def summary(self) -> Summary:
        """All figures of the run."""
        return summary_of(self.run)

    @cached_property
    def verdicts(self) -> tuple[Verdict, ...]:
        """The audit: the manifest's, or made now when the run ended without one."""
        return self.run.manifest.verdicts or tuple(audit(self.run))

    @property
    def audit_clean(self) -> bool:
        """Whether no promise was broken."""
        return clean(self.verdicts)

    @property
    def tables(self) -> RunTables:
        """The run's tables."""
        return self.run.tables

    @property
    def speed(self) -> float:
        """City seconds per run second."""
        return self.run.manifest.speed

    @property
    def horizon_s(self) -> float:
        """The run's end, run seconds."""
        return self.run.manifest.horizon_s

    def table(self, name: str) -> pa.Table:
        """One table; without rows when the run has none."""
        return self.run.table(name)

    def clock_min(self, run_s: float) -> float:
        """Minutes of the city's day at `run_s` run seconds; may pass 1440."""
        return self.scenario.clock.start_min + run_s * self.speed / 60.0

    def sample_metrics(self) -> list[str]:
        """Names in the table `samples`, sorted."""
        return sorted(str(name) for name in pc.unique(self.table("samples").column("metric")).to_pylist())

    def samples(self, metric: str) -> pa.Table:
        """The rows of one metric, in order of time."""
        table = self.table("samples")
        return table.filter(pc.equal(table.column("metric"), metric)).sort_by("at")


def views(runs: Sequence[RunReader]) -> list[RunView]:
    """Label the runs: by world when the worlds differ, otherwise by run id. The model comes first."""
    ordered = sorted(runs, key=lambda run: run.manifest.world != "model")
    worlds = [run.manifest.world for run in ordered]
    labels = [WORLDS[world] for world in worlds]
    if len(set(worlds)) < len(worlds):
        labels = [f"{WORLDS[run.manifest.world]} {run.manifest.run_id}" for run in ordered]
        if len(set(labels)) < len(labels):
            labels = [f"{label} ({place})" for place, label in enumerate(labels, start=1)]
    return [RunView(run, label, colour) for run, label, colour in zip(ordered, labels, COLOURS, strict=False)]
