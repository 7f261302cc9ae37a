"""Encodings that charts of runs share: the city's clock, and a colour a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt

from o2o_results.report.view import RunView


def clock_axis(view: RunView, last_min: float) -> alt.Axis:
    """An axis in minutes of the city's day, with labels like 11:20 (or 11:20:30 in a short run)."""
    first = view.clock_min(0.0)
    span = max(last_min - first, 0.1)
    step = next((s for s in (0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 240) if span / s <= 8), 720)
    values = [k * step for k in range(math.ceil(first / step), math.floor(last_min / step) + 1)]
    hours = "format(floor(datum.value / 60) % 24, '02d') + ':' + format(floor(datum.value % 60), '02d')"
    short = hours + " + ':' + format(round((datum.value * 60) % 60), '02d')"
    return alt.Axis(values=values, labelExpr=hours if step >= 1 else short, title="time in the city", grid=False)


def by_run(views: Sequence[RunView], legend: alt.Legend) -> alt.Color:
    """Each run in its colour; `legend` only if there is more than one run."""
    scale = alt.Scale(domain=[view.label for view in views], range=[view.colour for view in views])
    return alt.Color("run:N", scale=scale, legend=legend if len(views) > 1 else None)
