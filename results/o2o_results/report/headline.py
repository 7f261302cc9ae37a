"""The top of the page: verdict chips, alerts, headline cards and the side-by-side table of two runs.

Decides words and tones; every figure comes from `summary`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from o2o_results.report import figures
from o2o_results.report.charts import STAGE_NAMES
from o2o_results.report.view import RunView
from o2o_results.summary import Summary

Row = dict[str, Any]


def chips(view: RunView) -> list[Row]:
    """VALID or INVALID, the audit, each SLO: text, tone (good, bad, warn) and a hint."""
    summary, manifest = view.summary, view.run.manifest
    found: list[Row] = []
    if manifest.status != "finished":
        found.append(_chip(manifest.status.upper(), "warn", "the run did not come to its planned end"))
    valid = summary.validity
    found.append(_chip("VALID" if valid.valid else "INVALID", "good" if valid.valid else "bad", valid.reason))
    broken = [verdict for verdict in view.verdicts if not verdict.ok]
    if broken:
        violations = sum(verdict.violations for verdict in broken)
        text = f"AUDIT: {figures.count(violations)} violations of {len(broken)} promises"
        found.append(_chip(text, "bad", "; ".join(verdict.name for verdict in broken)))
    else:
        checked = sum(1 for verdict in view.verdicts if verdict.checked)
        found.append(_chip("AUDIT CLEAN", "good", f"{checked} promises had something to check, none was broken"))
    if view.table("orders").num_rows:
        for goal in summary.objectives:
            show = figures.seconds if goal.unit == "s" else figures.share
            hint = f"{show(goal.value)}, objective: {goal.sense} {show(goal.target)}"
            if goal.ok is None:
                found.append(_chip(f"SLO {goal.label}: nothing to measure", "warn", hint))
            else:
                verdict = "pass" if goal.ok else "miss"
                text = f"SLO {verdict}: {goal.label} {show(goal.value)}"
                found.append(_chip(text, "good" if goal.ok else "bad", hint))
    return found


def _chip(text: str, tone: str, hint: str) -> Row:
    return {"text": text, "tone": tone, "hint": hint}


def alerts(views: Sequence[RunView]) -> list[str]:
    """Sentences that must not be missed: invalid runs, different scenarios."""
    told = [
        f"{view.label} is INVALID: {view.summary.validity.reason}." for view in views if not view.summary.validity.valid
    ]
    if len({view.run.manifest.scenario_hash for view in views}) > 1:
        told.append("The two runs come from different scenarios; their figures differ for that reason too.")
    return told


def cards(views: Sequence[RunView]) -> list[Row]:
    """The headline figures, one value a run."""

    def card(label: str, show: Callable[[Summary], str], sub: str = "", *, big: bool = False) -> Row:
        return {"label": label, "values": [show(view.summary) for view in views], "sub": sub, "big": big}

    slo = views[0].scenario.slo
    return [
        card("median", lambda s: figures.seconds(s.printing.p50_s), big=True),
        card(
            "95th percentile",
            lambda s: figures.seconds(s.printing.p95_s),
            f"objective: at most {figures.seconds(slo.order_to_print_p95_s)}",
            big=True,
        ),
        card("99th percentile", lambda s: figures.seconds(s.printing.p99_s), big=True),
        card("intents", lambda s: figures.count(s.outcomes.intents), "what the city meant to order"),
        card(
            "successful",
            lambda s: figures.share(s.outcomes.success_share),
            f"objective: at least {figures.share(slo.success_share)}",
        ),
        card("tickets never printed", lambda s: figures.count(s.printing.missing), "of paid takeout orders"),
        card("delivered", lambda s: figures.count(s.deliveries.delivered)),
        card(
            "delivered late",
            lambda s: figures.share(s.deliveries.late_share),
            f"after {slo.promise_min:g} min; objective: at most {figures.share(slo.late_share)}",
        ),
    ]


def side_by_side(views: Sequence[RunView]) -> Row | None:
    """The table of two runs with differences; None for one run."""
    if len(views) != 2:
        return None
    a, b = (view.summary.metrics() for view in views)
    rows = []
    for name, label, kind in _lines(views[0].summary):
        x, y = a[name], b[name]
        if math.isnan(x) and math.isnan(y):
            continue
        change = y - x if math.isfinite(x) and math.isfinite(y) else math.nan
        ratio = y / x if math.isfinite(change) and x else math.nan
        rows.append(
            {
                "label": label,
                "a": _show(kind, x),
                "b": _show(kind, y),
                "difference": _signed(kind, change),
                "ratio": f"{ratio:.2f} ×" if math.isfinite(ratio) else figures.DASH,
            }
        )
    same = len({view.run.manifest.scenario_hash for view in views}) == 1
    seeds = {view.run.manifest.seed for view in views}
    note = "Both runs met the same orders: same scenario, same seed, same trace. " if same and len(seeds) == 1 else ""
    note += f"Differences are {views[1].label.lower()} less {views[0].label.lower()}, from one run each: no interval."
    return {"rows": rows, "note": note}


def _lines(summary: Summary) -> list[tuple[str, str, str]]:
    return [
        ("order_to_print_p50_s", "Order to print, median", "s"),
        ("order_to_print_p95_s", "Order to print, p95", "s"),
        ("order_to_print_p99_s", "Order to print, p99", "s"),
        *[(f"stage_{s.end}_p50_s", f"· {STAGE_NAMES[s.end]}, median", "s") for s in summary.stages],
        ("generator_lateness_p99_s", "Generator lateness, p99", "s"),
        ("intents", "Intents", "n"),
        ("failed", "Failed orders", "n"),
        ("unfinished", "Unfinished at the horizon", "n"),
        ("unprinted_orders", "Paid and never printed", "n"),
        ("success_share", "Successful", "share"),
        ("delivered", "Delivered", "n"),
        ("delivery_p50_min", "Intent to door, median", "min"),
        ("delivery_p95_min", "Intent to door, p95", "min"),
        ("late_share", "Delivered late", "share"),
        ("kitchen_use_mean", "Kitchens busy, mean", "share"),
        ("rider_use_mean", "Riders busy, mean", "share"),
    ]


def _show(kind: str, value: float) -> str:
    show = {"s": figures.seconds, "min": figures.minutes, "share": figures.share, "n": figures.count}[kind]
    return show(value)


def _signed(kind: str, value: float) -> str:
    if math.isnan(value):
        return figures.DASH
    text = f"{abs(value) * 100:.2f} pp" if kind == "share" else _show(kind, abs(value))
    if not any(digit in text for digit in "123456789"):
        return "0"
    return ("+" if value > 0 else "−") + text
