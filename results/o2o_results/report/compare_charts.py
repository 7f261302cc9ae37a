"""Charts of a comparison: each variant's replications with mean and interval, and paired differences to the baseline.

Decides the pictures; the figures come from `o2o_results.comparison`.
"""

from __future__ import annotations

import math

import altair as alt

from o2o_results.comparison import Comparison, Metric
from o2o_results.report.figures import number
from o2o_results.report.vega import BAD, GOOD, MUTED, NEITHER, PAPER, Rows, Sheet, Spec

ROW = 34


def level_chart(comparison: Comparison, metric: Metric) -> Spec:
    """A row a variant: one faint dot a replication, the mean with its interval on top."""
    sheet = Sheet()
    dots: Rows = []
    means: Rows = []
    for variant in comparison.variants:
        dots += [
            {"variant": variant.label, "value": value, "replication": place}
            for place, value in enumerate(variant.values[metric.name], start=1)
            if value is not None
        ]
        mean = comparison.mean(metric.name, variant.label)
        if math.isfinite(mean.mean):
            low, high = (mean.low, mean.high) if math.isfinite(mean.low) else (mean.mean, mean.mean)
            means.append({"variant": variant.label, "mean": mean.mean, "low": low, "high": high})
    order = [variant.label for variant in comparison.variants]
    y = alt.Y("variant:N", sort=order, title=None, axis=alt.Axis(labelLimit=220, labelFontSize=12))
    axis = alt.Axis(tickCount=5)
    cloud = (
        sheet.chart(dots)
        .mark_tick(thickness=1.5, size=13, opacity=0.35, color=PAPER)
        .encode(
            alt.X("value:Q", title=metric.unit, scale=alt.Scale(zero=False), axis=axis),
            y,
            tooltip=["replication:Q", "value:Q"],
        )
    )
    base = sheet.chart(means).encode(y=y, tooltip=["variant:N", "mean:Q", "low:Q", "high:Q"])
    bar = base.mark_rule(strokeWidth=3, color=PAPER).encode(alt.X("low:Q"), alt.X2("high:Q"))
    dot = base.mark_point(filled=True, opacity=1, size=70, color=PAPER).encode(alt.X("mean:Q"))
    return sheet.spec(alt.layer(cloud, bar, dot), ROW * len(order) + 10)


def difference_chart(comparison: Comparison, metric: Metric) -> Spec:
    """A row a variant but the baseline: the paired difference with its interval, against zero."""
    sheet = Sheet()
    rows: Rows = []
    for variant in comparison.variants:
        if variant.label == comparison.baseline:
            continue
        found = comparison.difference(metric.name, variant.label)
        if not math.isfinite(found.interval.mean):
            continue
        interval = found.interval
        low, high = (interval.low, interval.high) if math.isfinite(interval.low) else (interval.mean, interval.mean)
        rows.append(
            {"variant": variant.label, "mean": interval.mean, "low": low, "high": high, "zero": 0,
             "words": found.words(metric.digits), "tone": tone(comparison, metric, variant.label)}
        )  # fmt: skip
    order = [row["variant"] for row in rows]
    y = alt.Y("variant:N", sort=order, title=None, axis=alt.Axis(labelLimit=220, labelFontSize=12))
    colour = alt.Color(
        "tone:N", scale=alt.Scale(domain=["good", "bad", "none"], range=[GOOD, BAD, NEITHER]), legend=None
    )
    base = sheet.chart(rows).encode(y=y, color=colour, tooltip=["variant:N", "words:N"])
    title = f"difference to {comparison.baseline}, {metric.unit}"
    zero = sheet.chart([{"zero": 0}]).mark_rule(color=MUTED, strokeDash=[3, 3]).encode(x=alt.X("zero:Q", title=title))
    bar = base.mark_rule(strokeWidth=3).encode(alt.X("low:Q"), alt.X2("high:Q"))
    dot = base.mark_point(filled=True, opacity=1, size=70).encode(alt.X("mean:Q"))
    return sheet.spec(alt.layer(zero, bar, dot), ROW * max(1, len(order)) + 10)


def tone(comparison: Comparison, metric: Metric, label: str) -> str:
    """`good` or `bad` for a difference that is shown and matters, otherwise `none`."""
    found = comparison.difference(metric.name, label)
    if not found.shown or metric.better == "neither":
        return "none"
    return "good" if (found.direction == "higher") == (metric.better == "more") else "bad"


def mean_words(comparison: Comparison, metric: Metric, label: str) -> tuple[str, str]:
    """The mean, and its interval in brackets."""
    mean = comparison.mean(metric.name, label)
    interval = f"{number(mean.low, metric.digits)} to {number(mean.high, metric.digits)}"
    return number(mean.mean, metric.digits), interval if math.isfinite(mean.low) else ""
