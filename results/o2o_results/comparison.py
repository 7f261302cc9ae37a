"""A comparison of variants as a value: what each replication of each variant measured, and what may be said about it.

Decides how variants are set against the baseline (paired by replication, see `paired`) and the names under which the
figures are written. Leaves running the variants to o2o_sim.experiments and pictures to `report.compare_report`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from o2o_results.errors import ResultsError
from o2o_results.paired import Interval, PairedDifference, mean_interval, paired


@dataclass(frozen=True, slots=True)
class Metric:
    """A figure that is compared. `better` says which way an improvement goes, or that neither is."""

    name: str
    title: str
    unit: str
    better: Literal["more", "less", "neither"] = "neither"
    digits: int = 2


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant: `values[metric]` has one figure a replication, in order of replication; None: not defined there."""

    label: str
    values: Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Variants that met the same chance. `stopping_rule` says in words why there are this many replications.

    `facts` holds what a reader needs to check the figures: scenario, seed, argv, versions, machine (JSON values).
    """

    title: str
    metrics: tuple[Metric, ...]
    variants: tuple[Variant, ...]
    baseline: str
    stopping_rule: str
    confidence: float = 0.95
    story: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ResultsError unless the variants have one number of replications and the baseline is one of them."""
        counts = {len(values) for variant in self.variants for values in variant.values.values()}
        if len(counts) > 1:
            raise ResultsError(f"the variants have different numbers of replications: {sorted(counts)}")
        if self.baseline not in [variant.label for variant in self.variants]:
            raise ResultsError(f"the baseline {self.baseline!r} is not one of the variants")

    @property
    def replications(self) -> int:
        """Replications of each variant."""
        return max((len(values) for variant in self.variants for values in variant.values.values()), default=0)

    def variant(self, label: str) -> Variant:
        """The variant of that label."""
        return next(variant for variant in self.variants if variant.label == label)

    def mean(self, metric: str, label: str) -> Interval:
        """Mean and interval of one variant, over the replications in which the metric is defined."""
        return mean_interval(
            [value for value in self.variant(label).values[metric] if value is not None], confidence=self.confidence
        )

    def difference(self, metric: str, label: str) -> PairedDifference:
        """Variant less baseline, over the replications in which both are defined."""
        pairs = [
            (a, b)
            for a, b in zip(self.variant(self.baseline).values[metric], self.variant(label).values[metric], strict=True)
            if a is not None and b is not None
        ]
        return paired([a for a, _ in pairs], [b for _, b in pairs], confidence=self.confidence)

    def to_json(self) -> dict[str, Any]:
        """All figures under stable names; undefined ones are null."""
        rows = []
        for metric in self.metrics:
            for variant in self.variants:
                mean, change = self.mean(metric.name, variant.label), self.difference(metric.name, variant.label)
                rows.append(
                    {
                        "metric": metric.name,
                        "unit": metric.unit,
                        "variant": variant.label,
                        "values": list(variant.values[metric.name]),
                        "mean": _known(mean.mean),
                        "mean_low": _known(mean.low),
                        "mean_high": _known(mean.high),
                        "difference": _known(change.interval.mean),
                        "difference_low": _known(change.interval.low),
                        "difference_high": _known(change.interval.high),
                        "p_value": _known(change.p_value),
                        "shown": change.shown,
                    }
                )
        return {
            "title": self.title,
            "baseline": self.baseline,
            "replications": self.replications,
            "confidence": self.confidence,
            "stopping_rule": self.stopping_rule,
            "figures": rows,
            **self.facts,
        }


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
