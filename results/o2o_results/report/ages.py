"""The section on how kitchens heard of orders: one row a run, in the ages in which people had a hand in it (A14).

Decides when it is shown and in what words; counting is left to `o2o_results.notification`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from o2o_domain.notification import STEPS, Age, CopyError
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
    """One row a run."""
    return [_row(view) for view in views]


def _row(view: RunView) -> dict[str, Any]:
    found = view.summary.notification
    errors = [f"{number} {_ERRORS[CopyError(name)]}" for name, number in found.errors.items()]
    return {
        "view": view,
        "age": NAMES[found.age],
        "steps": " ► ".join(f"{step.name} ({step.who})" for step in STEPS[found.age]),
        "orders": figures.count(found.orders),
        "times": [figures.seconds(value) for value in (found.known.p50_s, found.known.p95_s, found.known.p99_s)],
        "staff": figures.seconds(found.staff_s),
        "callers": figures.seconds(found.caller_s),
        "wrong": figures.share(found.wrong_share),
        "errors": ", ".join(errors) or "none",
        "missed": figures.count(found.missed),
        "escalated": figures.share(found.escalated_share),
        "late": f"{figures.number(found.late_fen, 1)} fen",
    }
