"""Charts of one or two runs as Vega-Lite specifications, made with Altair.

Decides what each chart shows and how charts look together (THEME). Counting is left to `o2o_results.statistics` and
`operations`, placing to `page`. Every chart takes the width of the box it is put in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import altair as alt
import numpy as np

from o2o_results.operations import Pools, distance_m, kitchen_utilisation, lateness_min, rider_utilisation
from o2o_results.report.figures import seconds
from o2o_results.report.view import RunView
from o2o_results.run import floats
from o2o_results.statistics import (
    Floats,
    Stage,
    bin_width_s,
    nearest_rank,
    order_to_print_s,
    owed_paper,
    throughput,
)

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

INK, MUTED, GRID = "#22303a", "#6b7680", "#e6e3db"
DEMAND, PAPER, DOOR = "#cfcabd", "#1f6f78", "#d08a3c"
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

THEME: Spec = {
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif",
    "background": "transparent",
    "view": {"stroke": None},
    "axis": {
        "labelColor": MUTED, "titleColor": MUTED, "titleFontWeight": 500, "labelFontSize": 11, "titleFontSize": 11,
        "gridColor": GRID, "domain": False, "ticks": False, "labelPadding": 6, "titlePadding": 8,
    },
    "legend": {
        "orient": "top", "title": None, "labelColor": INK, "labelFontSize": 12, "symbolType": "circle",
        "symbolSize": 70, "offset": 4,
    },
    "text": {"color": INK, "fontSize": 11},
}  # fmt: skip


SWATCHES = alt.Legend(symbolType="square", symbolOpacity=1, symbolStrokeWidth=0)
LINES = alt.Legend(symbolType="stroke", symbolStrokeWidth=3)
"""The legend of lines."""


def spec(chart: alt.TopLevelMixin, height: int) -> Spec:
    """The specification with the width of its box and this height in pixels."""
    made: Spec = chart.to_dict()
    made.pop("$schema", None)  # an address; the page must hold none
    return made | {"width": "container", "height": height, "autosize": {"type": "fit-x", "contains": "padding"}}


def inline(rows: Rows) -> alt.InlineData:
    """Rows as data inside the specification."""
    return alt.InlineData(values=rows)


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


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
    base = alt.Chart(inline(rows)).encode(
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
    return spec(alt.layer(pale, solid, words.encode(color=alt.value(INK))), 30 * max(1, len(rows)))


def _clock_axis(view: RunView, last_min: float) -> alt.Axis:
    """An axis in minutes of the city's day, with labels like 11:20 (or 11:20:30 in a short run)."""
    first = view.clock_min(0.0)
    span = max(last_min - first, 0.1)
    step = next((s for s in (0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 240) if span / s <= 8), 720)
    values = [k * step for k in range(math.ceil(first / step), math.floor(last_min / step) + 1)]
    hours = "format(floor(datum.value / 60) % 24, '02d') + ':' + format(floor(datum.value % 60), '02d')"
    short = hours + " + ':' + format(round((datum.value * 60) % 60), '02d')"
    return alt.Axis(values=values, labelExpr=hours if step >= 1 else short, title="time in the city", grid=False)


def demand(view: RunView, *, top: float | None = None) -> Spec:
    """Throughput against demand: intents as an area, tickets on paper and deliveries as lines, per run second."""
    series = throughput(view.table("orders"), bins=DEMAND_BINS)
    labels = {"printed": "on paper", "delivered": "delivered"}
    area: Rows = []
    lines: Rows = []
    for index in range(len(series.counts["intended"])):
        at = round(view.clock_min((index + 0.5) * series.width_s), 4)
        area.append({"at": at, "rate": round(float(series.per_second("intended")[index]), 4), "what": "demand"})
        for mark, name in labels.items():
            lines.append({"at": at, "rate": round(float(series.per_second(mark)[index]), 4), "what": name})
    last = max((row["at"] for row in area), default=1.0)
    x = alt.X("at:Q", axis=_clock_axis(view, last), scale=alt.Scale(domain=[view.clock_min(0), last], nice=False))
    y = alt.Y("rate:Q", title="per second", scale=alt.Scale(domainMax=top) if top else alt.Undefined)
    colour = alt.Color(
        "what:N", scale=alt.Scale(domain=["demand", *labels.values()], range=[DEMAND, PAPER, DOOR]), legend=SWATCHES
    )
    tip = ["what:N", alt.Tooltip("rate:Q", format=".2f", title="per second")]
    ground = alt.Chart(inline(area)).mark_area(interpolate="monotone", opacity=0.75).encode(x, y, colour, tooltip=tip)
    strokes = alt.Chart(inline(lines)).mark_line(interpolate="monotone", strokeWidth=2)
    return spec(alt.layer(ground, strokes.encode(x, y, colour, tooltip=tip)), 240)


def distribution(views: Sequence[RunView]) -> Spec:
    """The distribution of order-to-print: which share of tickets was on paper within x seconds; the SLO as a rule."""
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
        alt.Chart(inline(rows))
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
    mark = alt.Chart(inline([{"s": target, "share": 0.95, "label": f"objective: p95 ≤ {seconds(target)}"}]))
    rule = mark.mark_rule(strokeDash=[4, 4], color="#9b2226").encode(x="s:Q")
    dot = mark.mark_point(shape="cross", size=70, color="#9b2226", filled=True).encode(x="s:Q", y="share:Q")
    words = mark.mark_text(align="right", dx=-8, dy=14, color="#9b2226").encode(x="s:Q", y="share:Q", text="label:N")
    return spec(alt.layer(line, rule, dot, words), 260)


def print_times(views: Sequence[RunView]) -> Spec:
    """Order-to-print over the day: p95 (solid) and median (dashed) of the orders meant in each interval."""
    rows: Rows = []
    for view in views:
        orders = view.table("orders")
        owed = owed_paper(orders)
        meant, taken = floats(orders, "intended")[owed], order_to_print_s(orders)
        width = bin_width_s(float(meant.max()) if len(meant) else 1.0, 48)
        which = (meant // width).astype(int)
        for index in np.unique(which):
            waits = taken[which == index]
            at = round(view.clock_min((index + 0.5) * width), 3)
            for name, q in (("p95", 0.95), ("median", 0.5)):
                seconds_ = _finite(nearest_rank(waits, q))
                rows.append({"at": at, "s": seconds_, "figure": name, "run": view.label, "orders": len(waits)})
    last = max((row["at"] for row in rows), default=views[0].clock_min(1.0))
    chart = (
        alt.Chart(inline(rows))
        .mark_line(interpolate="monotone", strokeWidth=2)
        .encode(
            alt.X("at:Q", axis=_clock_axis(views[0], last), scale=alt.Scale(nice=False, zero=False)),
            alt.Y("s:Q", title="seconds"),
            _by_run(views, LINES),
            strokeDash=alt.StrokeDash(
                "figure:N",
                sort=["p95", "median"],
                scale=alt.Scale(domain=["p95", "median"], range=[[1, 0], [4, 3]]),
                legend=None,
            ),
            tooltip=["run:N", "figure:N", alt.Tooltip("s:Q", format=".3f", title="seconds"), "orders:Q"],
        )
    )
    return spec(chart, 260)


def _by_run(views: Sequence[RunView], legend: alt.Legend) -> alt.Color:
    scale = alt.Scale(domain=[view.label for view in views], range=[view.colour for view in views])
    return alt.Color("run:N", scale=scale, legend=legend if len(views) > 1 else None)


def late_by_distance(views: Sequence[RunView]) -> Spec:
    """Share of deliveries that came late, by the straight-line distance from store to door."""
    rows: Rows = []
    for view in views:
        late = lateness_min(view.table("orders"), promise_min=view.scenario.slo.promise_min, speed=view.speed)
        km = distance_m(view.tables) / 1000
        known = ~np.isnan(late) & ~np.isnan(km)
        step = 0.5 if known.any() and km[known].max() <= 8 else 1.0
        which = (km[known] // step).astype(int)
        for index in np.unique(which):
            mine = late[known][which == index]
            rows.append(
                {"km": (index + 0.5) * step, "share": round(float((mine > 0).mean()), 4), "orders": len(mine),
                 "run": view.label}
            )  # fmt: skip
    base = alt.Chart(inline(rows)).encode(
        alt.X("km:Q", title="km from store to door, straight line", axis=alt.Axis(grid=False)),
        alt.Y("share:Q", title="share late", axis=alt.Axis(format="%", tickCount=4)),
        _by_run(views, LINES),
        tooltip=["run:N", "km:Q", alt.Tooltip("share:Q", format=".1%"), "orders:Q"],
    )
    return spec(alt.layer(base.mark_line(strokeWidth=2), base.mark_point(filled=True, opacity=1, size=45)), 180)


def delivery(views: Sequence[RunView]) -> Spec:
    """Histogram of the minutes from intent to door, with the promise as a rule."""
    promise = views[0].scenario.slo.promise_min
    taken = {view.label: lateness_min(view.table("orders"), promise_min=0.0, speed=view.speed) for view in views}
    known = {label: values[~np.isnan(values)] for label, values in taken.items()}
    top = max((float(np.quantile(values, 0.995)) for values in known.values() if len(values)), default=promise)
    edges = np.linspace(0, max(top, promise * 1.1), 41)
    rows = [row for label, values in known.items() for row in _bins(np.minimum(values, edges[-1]), edges, label)]
    return _histogram(rows, views, "minutes from intent to door", rule=promise, label=f"promise {promise:g} min")


def _bins(values: Floats, edges: Floats, run: str) -> Rows:
    counts = np.histogram(values, edges)[0]
    return [
        {"from": round(float(a), 3), "to": round(float(b), 3), "share": _finite(c / max(1, len(values))), "run": run}
        for (a, b), c in zip(pairwise(edges), counts, strict=True)
    ]


def _histogram(
    rows: Rows, views: Sequence[RunView], title: str, *, rule: float | None = None, label: str = "",
    percent: bool = False, what: str = "share of orders",
) -> Spec:  # fmt: skip
    several = len(views) > 1
    axis = alt.Axis(format="%", grid=False) if percent else alt.Axis(grid=False)
    x = alt.X("from:Q", bin="binned", title=title, axis=axis, scale=alt.Scale(nice=False))
    y = alt.Y("share:Q", stack=None, axis=alt.Axis(format="%", tickCount=4), title=what)
    tip = ["run:N", alt.Tooltip("share:Q", format=".1%"), "from:Q", "to:Q"]
    chart = alt.Chart(inline(rows))
    if several:  # bars would hide each other
        bars = chart.mark_line(interpolate="step-after", strokeWidth=2).encode(x, y, _by_run(views, LINES), tooltip=tip)
    else:
        bars = chart.mark_bar(binSpacing=1).encode(x, alt.X2("to:Q"), y, _by_run(views, LINES), tooltip=tip)
    if rule is None:
        return spec(alt.layer(bars), 200)
    mark = alt.Chart(inline([{"from": rule, "label": label}]))
    line = mark.mark_rule(strokeDash=[4, 4], color="#9b2226").encode(x="from:Q")
    left = rule > 0.6 * max((row["to"] for row in rows), default=rule)  # no room to the right of the rule
    words = mark.mark_text(
        align="right" if left else "left", dx=-6 if left else 6, color="#9b2226", baseline="top"
    ).encode(x="from:Q", y=alt.value(2), text="label:N")
    return spec(alt.layer(bars, line, words), 200)


def utilisation(views: Sequence[RunView], who: str) -> Spec:
    """Histogram of how busy kitchens or riders were, in steps of 5 %."""
    count = kitchen_utilisation if who == "kitchens" else rider_utilisation
    edges = np.linspace(0, 1.0, 21)
    rows: Rows = []
    for view in views:
        shares = count(view.tables)
        rows += _bins(np.clip(shares[~np.isnan(shares)], 0, 1), edges, view.label)
    title = "share of slot time spent cooking" if who == "kitchens" else "share of time at work on an order"
    return _histogram(rows, views, title, percent=True, what=f"share of {who}")


def sample_series(views: Sequence[RunView], metric: str) -> Spec:
    """One sampled metric over time, a line a run: the highest sample of each interval, so that no peak is lost."""
    rows: Rows = []
    for view in views:
        table = view.samples(metric)
        at, value = floats(table, "at"), floats(table, "value")
        starts = np.arange(0, len(at), max(1, len(at) // 240))
        peaks = np.maximum.reduceat(value, starts) if len(at) else value
        rows += [
            {"at": round(view.clock_min(float(a)), 3), "value": _finite(float(v)), "run": view.label}
            for a, v in zip(at[starts], peaks, strict=True)
        ]
    last = max((row["at"] for row in rows), default=1.0)
    colours = alt.Scale(domain=[v.label for v in views], range=[v.colour for v in views])
    chart = (
        alt.Chart(inline(rows))
        .mark_line(strokeWidth=1.6, interpolate="step-after")
        .encode(
            alt.X("at:Q", axis=_clock_axis(views[0], last), scale=alt.Scale(nice=False, zero=False)),
            alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=4)),
            alt.Color("run:N", scale=colours, legend=LINES if len(views) > 1 else None),
            tooltip=["run:N", "value:Q"],
        )
    )
    return spec(chart, 120)


def lead_series(views: Sequence[RunView]) -> Spec:
    """Leads signed and leads in private pools over the days of a run."""
    rows: Rows = []
    for view in views:
        events = view.table("lead_events").sort_by("event_id")
        what, at = events.column("what").to_pylist(), floats(events, "at")
        change = {"claimed": (1, 0), "dropped": (-1, 0), "released": (-1, 0), "signed": (-1, 1)}
        steps = np.array([change.get(name, (0, 0)) for name in what], dtype=float).reshape(-1, 2).cumsum(axis=0)
        days = np.linspace(0, view.horizon_s * view.speed / 86400, 181)
        index = np.searchsorted(at * view.speed / 86400, days, side="right") - 1
        for day, i in zip(days, index, strict=True):
            held, signed = steps[i] if i >= 0 else (0.0, 0.0)
            rows.append({"day": round(float(day), 4), "leads": held, "what": "in private pools", "run": view.label})
            rows.append({"day": round(float(day), 4), "leads": signed, "what": "signed", "run": view.label})
    colours = alt.Scale(domain=["signed", "in private pools"], range=[PAPER, DOOR])
    chart = (
        alt.Chart(inline(rows))
        .mark_line(strokeWidth=2.2, interpolate="step-after")
        .encode(
            alt.X("day:Q", title="day", axis=alt.Axis(grid=False, tickCount=10), scale=alt.Scale(nice=False)),
            alt.Y("leads:Q", title="leads"),
            alt.Color("what:N", scale=colours, legend=LINES),
            alt.StrokeDash("run:N", legend=LINES if len(views) > 1 else None),
            tooltip=["run:N", "what:N", "day:Q", "leads:Q"],
        )
    )
    return spec(chart, 260)


def pool_words(pools: Pools) -> str:
    """One sentence about the leads."""
    return (
        f"{pools.signed} of {pools.leads} leads signed, {pools.private} in private pools at the end, "
        f"{pools.visits} visits, {pools.drops} drops"
    )
