"""Charts of the city around the platform: deliveries, kitchens, riders, sampled queues, leads.

Decides what each chart shows; counting is left to `o2o_results.operations`, the common look to `vega`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import altair as alt
import numpy as np

from o2o_results.operations import Pools, distance_m, kitchen_utilisation, lateness_min, rider_utilisation
from o2o_results.report.axes import by_run, clock_axis
from o2o_results.report.vega import BAD, DOOR, LINES, PAPER, Rows, Sheet, Spec, finite
from o2o_results.report.view import RunView
from o2o_results.run import floats
from o2o_results.statistics import Floats


def late_by_distance(views: Sequence[RunView]) -> Spec:
    """Share of deliveries that came late, by the straight-line distance from store to door."""
    sheet = Sheet()
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
    base = sheet.chart(rows).encode(
        alt.X("km:Q", title="km from store to door, straight line", axis=alt.Axis(grid=False)),
        alt.Y("share:Q", title="share late", axis=alt.Axis(format="%", tickCount=4)),
        by_run(views, LINES),
        tooltip=["run:N", "km:Q", alt.Tooltip("share:Q", format=".1%"), "orders:Q"],
    )
    return sheet.spec(alt.layer(base.mark_line(strokeWidth=2), base.mark_point(filled=True, opacity=1, size=45)), 180)


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
        {"from": round(float(a), 3), "to": round(float(b), 3), "share": finite(c / max(1, len(values))), "run": run}
        for (a, b), c in zip(pairwise(edges), counts, strict=True)
    ]


def _histogram(
    rows: Rows, views: Sequence[RunView], title: str, *, rule: float | None = None, label: str = "",
    percent: bool = False, what: str = "share of orders",
) -> Spec:  # fmt: skip
    sheet = Sheet()
    several = len(views) > 1
    axis = alt.Axis(format="%", grid=False) if percent else alt.Axis(grid=False)
    x = alt.X("from:Q", bin=None if several else "binned", title=title, axis=axis, scale=alt.Scale(nice=False))
    y = alt.Y("share:Q", stack=None, axis=alt.Axis(format="%", tickCount=4), title=what)
    tip = ["run:N", alt.Tooltip("share:Q", format=".1%"), "from:Q", "to:Q"]
    chart = sheet.chart(rows)
    if several:  # bars would hide each other
        bars = chart.mark_line(interpolate="step-after", strokeWidth=2).encode(x, y, by_run(views, LINES), tooltip=tip)
    else:
        bars = chart.mark_bar(binSpacing=1).encode(x, alt.X2("to:Q"), y, by_run(views, LINES), tooltip=tip)
    if rule is None:
        return sheet.spec(alt.layer(bars), 200)
    mark = sheet.chart([{"from": rule, "label": label}])
    line = mark.mark_rule(strokeDash=[4, 4], color=BAD).encode(x="from:Q")
    left = rule > 0.6 * max((row["to"] for row in rows), default=rule)  # no room to the right of the rule
    words = mark.mark_text(align="right" if left else "left", dx=-6 if left else 6, color=BAD, baseline="top").encode(
        x="from:Q", y=alt.value(2), text="label:N"
    )
    return sheet.spec(alt.layer(bars, line, words), 200)


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
    sheet = Sheet()
    rows: Rows = []
    for view in views:
        table = view.samples(metric)
        at, value = floats(table, "at"), floats(table, "value")
        starts = np.arange(0, len(at), max(1, len(at) // 240))
        peaks = np.maximum.reduceat(value, starts) if len(at) else value
        rows += [
            {"at": round(view.clock_min(float(a)), 3), "value": finite(float(v)), "run": view.label}
            for a, v in zip(at[starts], peaks, strict=True)
        ]
    last = max((row["at"] for row in rows), default=1.0)
    colours = alt.Scale(domain=[v.label for v in views], range=[v.colour for v in views])
    chart = (
        sheet.chart(rows)
        .mark_line(strokeWidth=1.6, interpolate="step-after")
        .encode(
            alt.X("at:Q", axis=clock_axis(views[0], last), scale=alt.Scale(nice=False, zero=False)),
            alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=4)),
            alt.Color("run:N", scale=colours, legend=LINES if len(views) > 1 else None),
            tooltip=["run:N", "value:Q"],
        )
    )
    return sheet.spec(chart, 120)


def lead_series(views: Sequence[RunView]) -> Spec:
    """Leads signed and leads in private pools over the days (in a short run: hours) of a run."""
    sheet = Sheet()
    short = max(view.horizon_s * view.speed for view in views) < 3 * 86_400
    unit, unit_s = ("hour", 3600) if short else ("day", 86_400)
    rows: Rows = []
    for view in views:
        events = view.table("lead_events").sort_by("event_id")
        what, at = events.column("what").to_pylist(), floats(events, "at")
        change = {"claimed": (1, 0), "dropped": (-1, 0), "released": (-1, 0), "signed": (-1, 1)}
        steps = np.array([change.get(name, (0, 0)) for name in what], dtype=float).reshape(-1, 2).cumsum(axis=0)
        times = np.linspace(0, view.horizon_s * view.speed / unit_s, 181)
        index = np.searchsorted(at * view.speed / unit_s, times, side="right") - 1
        for time, i in zip(times, index, strict=True):
            held, signed = steps[i] if i >= 0 else (0.0, 0.0)
            rows.append({unit: round(float(time), 4), "leads": held, "what": "in private pools", "run": view.label})
            rows.append({unit: round(float(time), 4), "leads": signed, "what": "signed", "run": view.label})
    colours = alt.Scale(domain=["signed", "in private pools"], range=[PAPER, DOOR])
    chart = (
        sheet.chart(rows)
        .mark_line(strokeWidth=2.2, interpolate="step-after")
        .encode(
            alt.X(f"{unit}:Q", title=unit, axis=alt.Axis(grid=False, tickCount=10), scale=alt.Scale(nice=False)),
            alt.Y("leads:Q", title="leads"),
            alt.Color("what:N", scale=colours, legend=LINES),
            alt.StrokeDash("run:N", legend=LINES if len(views) > 1 else None),
            tooltip=["run:N", "what:N", f"{unit}:Q", "leads:Q"],
        )
    )
    return sheet.spec(chart, 260)


def pool_words(pools: Pools) -> str:
    """One sentence about the leads."""
    return (
        f"{pools.signed} of {pools.leads} leads signed, {pools.private} in private pools at the end, "
        f"{pools.visits} visits, {pools.drops} drops"
    )
