"""The section on how kitchens heard of orders: one column a run, in the ages that need people (A14).

Decides when it is shown and in what words; counting is left to `o2o_results.notification`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from o2o_domain.notification import STEPS, Age, CopyError
from o2o_results.notification import Notification
from o2o_results.report import figures
from o2o_results.report.view import RunView

NAMES = {
    Age.PHONE: "phone call, written down",
    Age.APP: "app, copied",
    Age.APP_PRINTER: "app with a printer",
    Age.CLOUD: "cloud printer",
}
_ERRORS = {
    CopyError.WRONG_DISH: "wrong dish",
    CopyError.WRONG_QUANTITY: "wrong count",
    CopyError.MISSED_LINE: "line missed",
    CopyError.MISSED_ORDER: "empty",
}


def shown(views: Sequence[RunView]) -> bool:
    """Whether anybody had a hand in it."""
    return any(view.summary.notification.age is not Age.CLOUD for view in views)


def rows(views: Sequence[RunView]) -> list[dict[str, Any]]:
    """One row a figure, one cell a run."""
    found = [view.summary.notification for view in views]

    def row(label: str, show: Callable[[Notification], str], hint: str = "") -> dict[str, Any]:
        return {"label": label, "cells": [show(one) for one in found], "hint": hint}

    return [
        row("age", lambda n: NAMES[n.age]),
        row("steps", lambda n: " ► ".join(f"{step.name} ({step.who})" for step in STEPS[n.age])),
        row("orders", lambda n: figures.count(n.orders)),
        row("until the kitchen knew, median", lambda n: figures.seconds(n.known.p50_s), "from paid"),
        row("95th percentile", lambda n: figures.seconds(n.known.p95_s)),
        row("99th percentile", lambda n: figures.seconds(n.known.p99_s)),
        row("merchants' staff, an order", lambda n: figures.seconds(n.staff_s), "city seconds worked"),
        row("platform's callers, an order", lambda n: figures.seconds(n.caller_s), "city seconds worked"),
        row("wrong orders", lambda n: figures.share(n.wrong_share), "of the papers in the kitchens"),
        row("wrong in", _errors),
        row("without paper in the kitchen", lambda n: figures.count(n.missed), "told otherwise, or too late"),
        row("told by other means", lambda n: figures.share(n.escalated_share), "app, SMS, telephone"),
        row("cost of lateness, an order", lambda n: f"{figures.number(n.late_fen, 1)} fen", "beyond the promise"),
    ]


def _errors(found: Notification) -> str:
    return ", ".join(f"{number} {_ERRORS[CopyError(name)]}" for name, number in found.errors.items()) or "nothing"
