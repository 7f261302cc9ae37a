"""Charts of the order-to-print path: stages, throughput against demand, latency over the day and its distribution.

Decides what each chart shows; counting is left to `o2o_results.statistics`, the common look to `vega`. Every chart
takes the width of the box it is put in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import altair as alt
import numpy as np

from o2o_results.report.axes import by_run, clock_axis
from o2o_results.report.figures import seconds
from o2o_results.report.vega import BAD, DEMAND, DOOR, INK, LINES, PAPER, SWATCHES, Rows, Sheet, Spec, finite
from o2o_results.report.view import RunView
from o2o_results.run import floats
from o2o_results.statistics import Stage, bin_width_s, nearest_rank, order_to_print_s, owed_paper, throughput

STAGE_COLOURS = ("#8c9aa3", "#1f6f78", "#cfcabd", "#3d8f87", "#63a88f", "#8fbf94", "#b9c77f", "#d9b45f", "#c9652f")
STAGE_NAMES = {
    "sent": "Generator sends",
    "accepted": "Platform accepts",
    "paid": "User pays",
    "committed": "Order committed",
    "published": "Event published",
    "claimed": "Dispatcher claims",
    "rendered": "Ticket rendered",
    "delivered_to_printer": "Sent to printer",
    "printed": "On paper",
}
"""What happens in the stage that ends with each mark."""

DEMAND_BINS = 60
"""Intervals of the throughput chart at most."""


def stage_end_s(stages: Sequence[Stage]) -> float:
    """Where the longest p95 bar of a waterfall ends, so that two runs can share an axis."""
    start, end = 0.0, 0.0
    for stage in stages:
        if stage.n:
            end = max(end, start + stage.p95_s)
            start += stage.median_s
    return end


def waterfall(stages: Sequence[Stage], *, limit_s: float, room: float = 1.3) -> Spec:
    """One bar a stage: solid to its median, pale to its p95; each starts where the medians before it end.

    The axis ends at `limit_s` x `room`, so that the words beside the longest bar have space.
    """
    sheet = Sheet()
    rows: Rows = []
    start = 0.0
    for stage in stages:
        if not stage.n:
            continue
        rows.append(
            {
                "stage": STAGE_NAMES[stage.end], "mark": f"{stage.start} → {stage.end}", "start": start,
                "median_end": start + stage.median_s, "p95_end": start + stage.p95_s, "n": stage.n,
                "median": seconds(stage.median_s), "p95": seconds(stage.p95_s), "mean": seconds(stage.mean_s),
                "label": f"{seconds(stage.median_s)}  ·  p95 {seconds(stage.p95_s)}",
            }
        )  # fmt: skip
        start += stage.median_s
    names = [row["stage"] for row in rows]
    colours = [STAGE_COLOURS[list(STAGE_NAMES.values()).index(name)] for name in names]
    base = sheet.chart(rows).encode(
        y=alt.Y("stage:N", sort=names, title=None, axis=alt.Axis(labelColor=INK, labelFontSize=12, labelLimit=160)),
        color=alt.Color("stage:N", scale=alt.Scale(domain=names, range=colours), legend=None),
        tooltip=["mark:N", "median:N", "p95:N", "mean:N", "n:Q"],
    )
    scale = alt.Scale(domain=[0, limit_s * room], nice=False)
    begin = alt.X(
        "start:Q", title="seconds since the intent (medians laid end to end)", scale=scale, axis=alt.Axis(tickCount=8)
    )
    pale = base.mark_bar(height=20, opacity=0.28, cornerRadiusEnd=3).encode(x=begin, x2="p95_end:Q")
    solid = base.mark_bar(height=20, cornerRadiusEnd=3).encode(x=begin, x2="median_end:Q")
    words = base.mark_text(align="left", dx=7).encode(x=alt.X("p95_end:Q", scale=scale), text="label:N")
    return sheet.spec(alt.layer(pale, solid, words.encode(color=alt.value(INK))), 30 * max(1, len(rows)))


def demand(view: RunView, *, top: float | None = None, last_min: float | None = None) -> Spec:
    """Throughput against demand: intents as an area, tickets on paper and deliveries as lines, per run second.

    `top` and `last_min` (minutes of the day) end the axes, so that two runs can share them.
    """
    sheet = Sheet()
    series = throughput(view.table("orders"), bins=DEMAND_BINS)
    labels = {"printed": "on paper", "delivered": "delivered"}
    area: Rows = []
    lines: Rows = []
    for index in range(len(series.counts["intended"])):
        at = round(view.clock_min((index + 0.5) * series.width_s), 4)
        area.append({"at": at, "rate": round(float(series.per_second("intended")[index]), 4), "what": "demand"})
        for mark, name in labels.items():
            lines.append({"at": at, "rate": round(float(series.per_second(mark)[index]), 4), "what": name})
    last = last_min or max((row["at"] for row in area), default=1.0)
    x = alt.X("at:Q", axis=clock_axis(view, last), scale=alt.Scale(domain=[view.clock_min(0), last], nice=False))
    y = alt.Y("rate:Q", title="per second", scale=alt.Scale(domainMax=top) if top else alt.Undefined)
    colour = alt.Color(
        "what:N", scale=alt.Scale(domain=["demand", *labels.values()], range=[DEMAND, PAPER, DOOR]), legend=SWATCHES
    )
    tip = ["what:N", alt.Tooltip("rate:Q", format=".2f", title="per second")]
    ground = sheet.chart(area).mark_area(interpolate="monotone", opacity=0.75).encode(x, y, colour, tooltip=tip)
    strokes = sheet.chart(lines).mark_line(interpolate="monotone", strokeWidth=2)
    return sheet.spec(alt.layer(ground, strokes.encode(x, y, colour, tooltip=tip)), 240)


def distribution(views: Sequence[RunView]) -> Spec:
    """The distribution of order-to-print: which share of tickets was on paper within x seconds; the SLO as a rule."""
    sheet = Sheet()
    rows: Rows = []
    for view in views:
        taken = np.sort(order_to_print_s(view.table("orders")))
        picks = np.unique(np.concatenate([np.linspace(0, 1, 160), 1 - np.geomspace(1e-4, 0.2, 60)]))
        for pick in picks[: len(picks) if len(taken) else 0]:
            value = float(taken[min(len(taken) - 1, int(pick * len(taken)))])
            if math.isfinite(value):
                share = round((min(len(taken) - 1, int(pick * len(taken))) + 1) / len(taken), 5)
                rows.append({"s": round(max(value, 1e-4), 5), "share": share, "run": view.label})
    target = views[0].scenario.slo.order_to_print_p95_s
    colour = alt.Color(
        "run:N",
        scale=alt.Scale(domain=[v.label for v in views], range=[v.colour for v in views]),
        legend=LINES if len(views) > 1 else None,
    )
    x = alt.X("s:Q", scale=alt.Scale(type="log", nice=False), title="seconds from intent to paper (log scale)")
    line = (
        sheet.chart(rows)
        .mark_line(strokeWidth=2.5, interpolate="step-after")
        .encode(
            x,
            alt.Y(
                "share:Q", axis=alt.Axis(format="%"), title="share of tickets on paper", scale=alt.Scale(domain=[0, 1])
            ),
            colour,
            tooltip=["run:N", alt.Tooltip("share:Q", format=".2%"), alt.Tooltip("s:Q", format=".3f", title="seconds")],
        )
    )
    mark = sheet.chart([{"s": target, "share": 0.95, "label": f"objective: p95 ≤ {seconds(target)}"}])
    rule = mark.mark_rule(strokeDash=[4, 4], color=BAD).encode(x="s:Q")
    dot = mark.mark_point(shape="cross", size=70, color=BAD, filled=True).encode(x="s:Q", y="share:Q")
    words = mark.mark_text(align="right", dx=-8, dy=14, color=BAD).encode(x="s:Q", y="share:Q", text="label:N")
    return sheet.spec(alt.layer(line, rule, dot, words), 260)


def print_times(views: Sequence[RunView]) -> Spec:
    """Order-to-print over the day: p95 (solid) and median (dashed) of the orders meant in each interval."""
    sheet = Sheet()
    rows: Rows = []
    for view in views:
        orders = view.table("orders")
        owed = owed_paper(orders)
        meant, taken = floats(orders, "intended")[owed], order_to_print_s(orders)
        width = bin_width_s(float(meant.max()) if len(meant) else 1.0, min(48, max(6, len(meant) // 25)))
        which = (meant // width).astype(int)
        for index in np.unique(which):
            waits = taken[which == index]
            at = round(view.clock_min((index + 0.5) * width), 3)
            for name, q in (("p95", 0.95), ("median", 0.5)):
                seconds_ = finite(nearest_rank(waits, q))
                rows.append({"at": at, "s": seconds_, "figure": name, "run": view.label, "orders": len(waits)})
    last = max((row["at"] for row in rows), default=views[0].clock_min(1.0))
    chart = (
        sheet.chart(rows)
        .mark_line(interpolate="monotone", strokeWidth=2)
        .encode(
            alt.X("at:Q", axis=clock_axis(views[0], last), scale=alt.Scale(nice=False, zero=False)),
            alt.Y("s:Q", title="seconds"),
            by_run(views, LINES),
            strokeDash=alt.StrokeDash(
                "figure:N",
                sort=["p95", "median"],
                scale=alt.Scale(domain=["p95", "median"], range=[[1, 0], [4, 3]]),
                legend=None,
            ),
            tooltip=["run:N", "figure:N", alt.Tooltip("s:Q", format=".3f", title="seconds"), "orders:Q"],
        )
    )
    return sheet.spec(chart, 260)
