"""The section on helper services: states of their breakers over time, and what became of orders in their outages (S11).

Decides what is drawn and in what words; counting is left to `o2o_results.outages`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np

from o2o_domain.breaker import BreakerState
from o2o_results.outages import Outage, in_order, planned, spells, tally
from o2o_results.report import figures
from o2o_results.report.axes import clock_axis
from o2o_results.report.vega import BAD, DOOR, GOOD, INK, SWATCHES, Rows, Sheet, Spec
from o2o_results.report.view import RunView
from o2o_results.run import floats
from o2o_results.statistics import nearest_rank

COLOURS = {BreakerState.CLOSED: GOOD, BreakerState.HALF_OPEN: DOOR, BreakerState.OPEN: BAD}
RETURN_S = 5.0
"""A spell that begins so shortly after a helper's return still is of its outage."""


def shown(views: Sequence[RunView]) -> bool:
    """Whether there is anything to show."""
    return any(view.scenario.platform.helpers or view.table("breakers").num_rows for view in views)


def states(views: Sequence[RunView]) -> Spec:
    """A line a breaker, coloured by its state; the planned outages as black lines above."""
    sheet = Sheet()
    bars: Rows = []
    marks: Rows = []
    last = views[0].clock_min(1.0)
    for view in views:
        end_s = _last_s(view)
        last = max(last, view.clock_min(end_s))
        for helper in _helpers(view):
            name = helper if len(views) == 1 else f"{helper} · {view.label}"
            bars += [
                {"helper": name, "from": _minute(view, a), "to": _minute(view, min(b, end_s)), "state": state}
                for a, b, state in _stretches(view, helper, end_s)
            ]
            marks += [
                {"helper": name, "from": _minute(view, x.begin_s), "to": _minute(view, min(x.end_s, end_s))}
                for x in planned(view.scenario)
                if x.helper == helper and x.begin_s < end_s
            ]
    y = alt.Y("helper:N", title=None, axis=alt.Axis(labelColor=INK, labelFontSize=12, labelLimit=160))
    scale = alt.Scale(domain=[views[0].clock_min(0.0), last], nice=False)
    x = alt.X("from:Q", axis=clock_axis(views[0], last), scale=scale)
    domain = [state.value for state in COLOURS]
    colour = alt.Color("state:N", scale=alt.Scale(domain=domain, range=list(COLOURS.values())), legend=SWATCHES)
    drawn = sheet.chart(bars).mark_bar(height=14).encode(x, alt.X2("to:Q"), y, colour, tooltip=["helper:N", "state:N"])
    dead = sheet.chart(marks).mark_rule(strokeWidth=3, yOffset=-14, color=INK).encode(x, alt.X2("to:Q"), y)
    return sheet.spec(alt.layer(drawn, dead), 44 * max(1, len({row["helper"] for row in bars})))


def outages(view: RunView) -> dict[str, Any]:
    """One row an outage: when, how the breaker went through it, and what became of the orders placed in it."""
    orders = view.table("orders")
    usual = _answer_p95(view, [])
    return {
        "view": view,
        "usual": figures.seconds(usual),
        "rows": [_row(view, outage) for outage in planned(view.scenario)] if orders.num_rows else [],
    }


def _row(view: RunView, outage: Outage) -> dict[str, Any]:
    found = tally(view.table("orders"), outage)
    mine = [
        spell
        for spell in spells(view.table("breakers"))
        if spell.helper == outage.helper and outage.begin_s <= spell.begin_s < outage.end_s + RETURN_S
    ]
    start, speed = view.scenario.clock.start_min, view.speed
    times = [figures.clock(at, start_min=start, speed=speed) for at in (outage.begin_s, outage.end_s)]
    closed_s = max((spell.end_s for spell in mine), default=math.nan)
    return {
        "helper": outage.helper,
        "when": f"{times[0]} to {times[1]}",
        "orders": figures.count(found.orders),
        "success": figures.share(found.success),
        "answer": figures.seconds(_answer_p95(view, [outage])),
        "opened": figures.seconds(mine[0].begin_s - outage.begin_s) if mine else "not at all",
        "trials": figures.count(sum(spell.trials for spell in mine)),
        "closed": "not at all" if math.isinf(closed_s) else figures.seconds(closed_s - outage.end_s),
    }


def _answer_p95(view: RunView, only: Sequence[Outage]) -> float:
    """p95 from intent to the platform's answer, of takeout orders in these outages; of none: outside of all."""
    orders = view.table("orders")
    intended, accepted = floats(orders, "intended"), floats(orders, "accepted")
    inside = np.zeros(len(intended), dtype=bool)
    for outage in only or planned(view.scenario):
        inside |= (intended >= outage.begin_s) & (intended < outage.end_s)
    wanted = (inside if only else ~inside) & ~np.isnan(accepted)
    return nearest_rank((accepted - intended)[wanted], 0.95) if wanted.any() else math.nan


def _helpers(view: RunView) -> list[str]:
    named = [*view.scenario.platform.helpers, *view.table("breakers").column("helper").to_pylist()]
    return sorted(dict.fromkeys(str(name) for name in named))


def _stretches(view: RunView, helper: str, end_s: float) -> list[tuple[float, float, str]]:
    """(from, to, state) of the breaker of a helper; of several processes the first named is drawn."""
    rows = [row for row in in_order(view.table("breakers").to_pylist()) if row["helper"] == helper]
    rows = [row for row in rows if row["process"] == rows[0]["process"]]
    since, state, found = 0.0, BreakerState.CLOSED.value, []
    for row in rows:
        if row["at"] > since:
            found.append((since, float(row["at"]), state))
        since, state = max(0.0, float(row["at"])), str(row["to_state"])
    return [*found, (since, end_s, state)] if end_s > since else found


def _last_s(view: RunView) -> float:
    """Until the last order was meant, the last helper back and the last breaker moved: the rest would be empty."""
    ends = [outage.end_s + RETURN_S for outage in planned(view.scenario)]
    ends += view.table("breakers").column("at").to_pylist()
    meant = floats(view.table("orders"), "intended")
    return min(view.horizon_s, max([*ends, float(meant.max()) if len(meant) else 1.0]))


def _minute(view: RunView, run_s: float) -> float:
    return round(view.clock_min(run_s), 4)
