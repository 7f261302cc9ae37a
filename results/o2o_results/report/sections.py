"""Tables of the page: kitchens, outcomes, requests, the slowest orders, the audit, the facts of each run.

Decides which rows are shown and in what words; figures come from `statistics` and `operations`.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import PurePath
from typing import Any

import numpy as np
import pyarrow.compute as pc

from o2o_results.operations import kitchen_utilisation
from o2o_results.printer_faults import tally
from o2o_results.report import figures
from o2o_results.report.charts import STAGE_COLOURS, STAGE_NAMES
from o2o_results.report.view import RunView
from o2o_results.run import floats
from o2o_results.statistics import nearest_rank, owed_paper
from o2o_results.tables import MARKS

Row = dict[str, Any]
BUSIEST, SLOWEST = 8, 15
MARK_NAMES = {"delivered_to_printer": "to printer"}
"""Short names of marks for narrow columns."""


def busiest(view: RunView) -> Row:
    """The kitchens that were busiest."""
    stores, use = view.table("merchants"), kitchen_utilisation(view.tables)
    top = np.argsort(-use, kind="stable")[:BUSIEST]
    rows = [
        {
            "name": row["name"],
            "slots": row["slots"],
            "orders": figures.count(row["orders"]),
            "queue": row["max_queue"],
            "busy": figures.share(float(share)),
            "width": round(min(1.0, float(share)) * 100, 1),
        }
        for row, share in zip(stores.take(top).to_pylist(), use[top], strict=True)
    ]
    return {"view": view, "rows": rows}


def outcomes(view: RunView) -> Row:
    """What became of the intents, most frequent first."""
    outcome = view.summary.outcomes
    ranked = sorted(outcome.by_state.items(), key=lambda pair: -pair[1])
    rows = [
        {
            "state": state.replace("_", " "),
            "orders": figures.count(number),
            "share": figures.share(number / outcome.intents),
            "width": round(100 * number / outcome.intents, 2),
        }
        for state, number in ranked
    ]
    return {"view": view, "rows": rows}


def printer_faults(view: RunView) -> Row | None:
    """Faults that printers confess, by kind; None when there were none."""
    rows = [
        {"kind": one.kind.replace("_", " "), **{name: figures.count(value) for name, value in one.to_json().items()}}
        for one in tally(view.tables)
    ]
    return {"view": view, "rows": rows} if rows else None


def requests(view: RunView) -> Row | None:
    """Latency by request, from the intended time; None when the run has no table of requests."""
    table = view.table("requests")
    if not table.num_rows:
        return None
    taken = floats(table, "ended") - floats(table, "intended")
    status = table.column("status").to_numpy()
    keys = list(zip(table.column("actor").to_pylist(), table.column("name").to_pylist(), strict=True))
    order = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    which = np.asarray([order[key] for key in keys])
    rows = []
    for (actor, name), place in order.items():
        mine = which == place
        times = np.where(np.isnan(taken[mine]), np.inf, taken[mine])
        rows.append(
            {
                "name": name,
                "actor": actor,
                "count": figures.count(int(mine.sum())),
                "refused": figures.count(int(((status[mine] >= 400) & (status[mine] < 500)).sum())),
                "failed": figures.count(int(((status[mine] == 0) | (status[mine] >= 500)).sum())),
                "p50": figures.seconds(nearest_rank(times, 0.5)),
                "p95": figures.seconds(nearest_rank(times, 0.95)),
                "p99": figures.seconds(nearest_rank(times, 0.99)),
                "worst": figures.seconds(float(times.max())),
            }
        )
    return {"view": view, "rows": sorted(rows, key=lambda row: (row["actor"] != "user", row["actor"], row["name"]))}


def slowest(view: RunView) -> Row | None:
    """The orders that waited longest for paper, with all marks in seconds after the intent."""
    orders = view.table("orders")
    owed = orders.filter(owed_paper(orders))
    if not owed.num_rows:
        return None
    waited = floats(owed, "printed") - floats(owed, "intended")
    waited = np.where(np.isnan(waited), np.inf, waited)
    top = owed.take(np.argsort(-waited, kind="stable")[:SLOWEST])
    names = {row["merchant_id"]: row["name"] for row in view.table("merchants").to_pylist()}
    start = view.scenario.clock.start_min
    return {"view": view, "rows": [_slow_row(row, names, start, view.speed) for row in top.to_pylist()]}


def _slow_row(row: Row, stores: dict[int, str], start_min: float, speed: float) -> Row:
    begun = row["intended"]
    end = row["printed"]
    reached = [mark for mark in MARKS if row[mark] is not None]
    whole = max(row[reached[-1]] - begun, 1e-9)
    path = []
    for before, mark in pairwise(reached):
        taken = row[mark] - row[before]
        path.append(
            {
                "width": round(100 * max(taken, 0) / whole, 2),
                "colour": STAGE_COLOURS[MARKS.index(mark) - 1],
                "name": f"{STAGE_NAMES[mark]}: {figures.seconds(taken)}",
            }
        )
    return {
        "number": row["order_no"] or row["order_id"],
        "store": stores.get(row["merchant_id"], row["merchant_id"]),
        "at": figures.clock(begun, start_min=start_min, speed=speed, precise=True),
        "total": figures.seconds(math.inf if end is None else end - begun),
        "path": path,
        "marks": [figures.DASH if row[mark] is None else f"{row[mark] - begun:.3f}" for mark in MARKS[1:]],
        "state": row["state"].replace("_", " "),
    }


def audit_rows(views: Sequence[RunView]) -> list[Row]:
    """One row a promise, one cell a run."""
    by_name = [{verdict.name: verdict for verdict in view.verdicts} for view in views]
    names = list(dict.fromkeys(name for verdicts in by_name for name in verdicts))
    rows = []
    for name in names:
        found = [verdicts.get(name) for verdicts in by_name]
        known = [verdict for verdict in found if verdict]
        broken = any(not verdict.ok for verdict in known)
        looked = any(verdict.checked for verdict in known)
        rows.append(
            {
                "promise": known[0].promise or name,
                "tone": "bad" if broken else "good" if looked else "none",
                "sign": "✗" if broken else "✓" if looked else "·",
                "cells": [
                    {
                        "checked": figures.count(verdict.checked) if verdict else figures.DASH,
                        "broken": figures.count(verdict.violations) if verdict else figures.DASH,
                        "detail": verdict.detail if verdict and verdict.checked else "",
                        "examples": verdict.examples if verdict else (),
                    }
                    for verdict in found
                ],
            }
        )
    # What was broken comes first; what had nothing to look at is told in one line, see `unchecked`.
    return sorted((row for row in rows if row["tone"] != "none"), key=lambda row: row["tone"] != "bad")


def unchecked(views: Sequence[RunView]) -> list[str]:
    """Promises that had nothing to look at in any of the runs."""
    looked = {verdict.name for view in views for verdict in view.verdicts if verdict.checked or not verdict.ok}
    texts = {verdict.name: verdict.promise for view in views for verdict in view.verdicts}
    return [text for name, text in texts.items() if name not in looked]


def facts(view: RunView) -> Row:
    """Where the run came from: everything needed to make it again."""
    manifest = view.run.manifest
    machine = manifest.machine
    rows = [
        ("run", manifest.run_id),
        ("world", manifest.world),
        ("seed", manifest.seed),
        ("speed", f"{manifest.speed:g} city seconds per second"),
        ("horizon", figures.seconds(manifest.horizon_s)),
        ("started", manifest.started_at),
        ("ended", manifest.ended_at or figures.DASH),
        (
            "machine",
            f"{machine.get('cores', '?')} cores, {machine.get('cpu', '?')}, {machine.get('memory_gib', '?')} GiB",
        ),
        ("commit", manifest.git_commit or figures.DASH),
        ("versions", ", ".join(f"{name} {number}" for name, number in sorted(manifest.versions.items()))),
        ("scenario hash", manifest.scenario_hash[:16]),
        ("tables hash", (manifest.table_hash or figures.DASH)[:16]),
    ]
    return {"view": view, "rows": rows, "notes": said(manifest.notes), "command": command(manifest.argv)}


def said(notes: Mapping[str, Any], above: str = "") -> list[tuple[str, Any]]:
    """The manifest's notes as rows, nested ones as `city graph source`; lists, empty texts and zeros are left out."""
    rows: list[tuple[str, Any]] = []
    for name, value in sorted(notes.items()):
        words = f"{above} {name.replace('_', ' ')}".strip()
        if isinstance(value, Mapping):
            rows += said(value, words)
        elif isinstance(value, str | int | float) and value:
            rows.append((words, f"{value:g}" if isinstance(value, float) else str(value)))
    return rows


def command(argv: Sequence[str]) -> str:
    """The command line to type: the program by its name, not by where it was installed."""
    if not argv:
        return "unknown"
    return shlex.join([PurePath(argv[0]).name, *argv[1:]])


def riders_note(views: Sequence[RunView]) -> str:
    """How many riders there were, and what they did."""
    told = []
    for view in views:
        riders = view.table("riders")
        if riders.num_rows:
            orders, metres = pc.sum(riders.column("orders")).as_py(), pc.sum(riders.column("distance_m")).as_py()
            mean = figures.share(view.summary.riders.mean)
            told.append(
                f"{view.label}: {figures.count(riders.num_rows)} riders, {orders / riders.num_rows:.1f} orders and "
                f"{metres / riders.num_rows / 1000:.1f} km each, busy {mean} of their time at work."
            )
    return " ".join(told)


def kitchens_note(views: Sequence[RunView]) -> str:
    """How many kitchens there were and how busy on average."""
    told = []
    for view in views:
        use = view.summary.kitchens
        told.append(
            f"{view.label}: {figures.count(use.n)} kitchens, busy {figures.share(use.mean)} on average, "
            f"the busiest twentieth {figures.share(use.p95)} and more."
        )
    return " ".join(told)
