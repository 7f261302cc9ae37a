"""The report of a comparison: a table of variants with paired differences, and a picture a metric, in one HTML file.

Decides the page; what may be said of a difference is decided in `o2o_results.paired`.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

from o2o_results.comparison import Comparison, Metric
from o2o_results.report import compare_charts as charts
from o2o_results.report.environment import render, save


def write_compare_report(comparison: Comparison, out: Path) -> Path:
    """Write the page to `out` (a file, or a folder that gets `report.html`); returns its path. Raises ResultsError."""
    return save(compare_html(comparison), Path(out))


def compare_html(comparison: Comparison) -> str:
    """The page as text."""
    embeds: dict[str, Any] = {}
    for place, metric in enumerate(comparison.metrics):
        embeds[f"level{place}"] = charts.level_chart(comparison, metric)
        embeds[f"difference{place}"] = charts.difference_chart(comparison, metric)
    return render(
        "compare.html.j2",
        title=f"{comparison.title}: o2o comparison",
        embeds=embeds,
        comparison=comparison,
        percent=f"{comparison.confidence * 100:g}",
        findings=findings(comparison),
        rows=[_row(comparison, metric) for metric in comparison.metrics],
        facts={name: _fact(value) for name, value in comparison.facts.items()},
        version=metadata.version("o2o-lab"),
    )


def findings(comparison: Comparison) -> list[str]:
    """One sentence a variant: what is shown to be higher and lower, and for how many metrics nothing is shown."""
    told = []
    for variant in comparison.variants:
        if variant.label == comparison.baseline:
            continue
        shown: dict[str, list[str]] = {"higher": [], "lower": [], "none": []}
        for metric in comparison.metrics:
            direction = comparison.difference(metric.name, variant.label).direction
            shown[direction].append(metric.title[0].lower() + metric.title[1:])
        parts = [f"{way}: {', '.join(names)}" for way, names in shown.items() if names and way != "none"]
        if shown["none"]:
            parts.append(f"no difference shown: {', '.join(shown['none'])}")
        told.append(f"{variant.label} against {comparison.baseline} — {'; '.join(parts)}.")
    return told


def _row(comparison: Comparison, metric: Metric) -> dict[str, Any]:
    cells = []
    for variant in comparison.variants:
        mean, interval = charts.mean_words(comparison, metric, variant.label)
        base = variant.label == comparison.baseline
        found = comparison.difference(metric.name, variant.label)
        cells.append(
            {
                "mean": mean,
                "interval": interval,
                "words": "" if base else found.words(metric.digits),
                "n": found.interval.n,
                "tone": "none" if base else charts.tone(comparison, metric, variant.label),
            }
        )
    want = {"more": "more is better", "less": "less is better", "neither": ""}[metric.better]
    return {"metric": metric, "cells": cells, "want": want}


def _fact(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
