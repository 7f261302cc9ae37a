"""The report of one or two runs: one HTML file that opens offline.

Decides which sections a page has and in which order. Leaves pictures to `charts` and `map`, tables to `headline` and
`sections`, the file itself to `environment`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from o2o_results.errors import ResultsError
from o2o_results.report import ages, charts, city_charts, figures, headline, helpers, sections
from o2o_results.report.environment import render, save
from o2o_results.report.map import city_map
from o2o_results.report.view import RunView, views
from o2o_results.run import RunReader, floats
from o2o_results.statistics import throughput
from o2o_results.tables import MARKS

SAMPLES = 12
"""Sampled metrics shown at most."""


def write_report(runs: Sequence[RunReader], out: Path) -> Path:
    """Write the report of one run, or of two side by side, and return its path.

    `out` is the file, or a folder that gets `report.html`. Raises ResultsError for no run or more than two, DamagedRun
    when a table cannot be read.
    """
    if not 1 <= len(runs) <= 2:
        raise ResultsError(f"a report shows one or two runs, not {len(runs)}")
    return save(report_html(runs), Path(out))


def report_html(runs: Sequence[RunReader]) -> str:
    """The page as text."""
    shown = views(runs)
    scenario = shown[0].scenario
    embeds: dict[str, Any] = {}
    has_orders = any(view.table("orders").num_rows for view in shown)
    has_leads = any(view.table("leads").num_rows for view in shown)
    if has_orders:
        _order_charts(shown, embeds)
    if has_leads:
        embeds["leads"] = city_charts.lead_series(shown)
    has_helpers = has_orders and helpers.shown(shown)
    if has_helpers:
        embeds["helpers"] = helpers.states(shown)
    printer_faults = [found for view in shown if (found := sections.printer_faults(view))]
    ages_rows = ages.rows(shown) if has_orders and ages.shown(shown) else []
    maps = _maps(shown, embeds)
    samples, still = _samples(shown, embeds)
    requests = [found for view in shown if (found := sections.requests(view))]
    slowest = [found for view in shown if (found := sections.slowest(view))]
    comparison = headline.side_by_side(shown) if has_orders else None
    contents = [
        ("headline", "Order to print", has_orders),
        ("side", "Side by side", comparison),
        ("stages", "Stages", has_orders),
        ("throughput", "Throughput", has_orders),
        ("distribution", "Over the day", has_orders),
        ("map", "Map", maps),
        ("ages", "Notification", ages_rows),
        ("city", "Kitchens and riders", has_orders),
        ("leads", "Leads", has_leads),
        ("helpers", "Helpers", has_helpers),
        ("printers", "Printers", printer_faults),
        ("samples", "Queues", samples),
        ("requests", "Requests", requests),
        ("slowest", "Slowest", slowest),
        ("audit", "Audit", True),
        ("scenario", "Scenario", True),
    ]
    return render(
        "page.html.j2",
        title=f"{scenario.title or scenario.name}: o2o run report",
        embeds=embeds,
        views=shown,
        scenario=scenario,
        contents=[(anchor, name) for anchor, name, there in contents if there],
        chips=[{"view": view, "chips": headline.chips(view)} for view in shown],
        alerts=headline.alerts(shown),
        has_orders=has_orders,
        cards=headline.cards(shown) if has_orders else [],
        comparison=comparison,
        speed_note=_speed_note(shown),
        delivery_note=_delivery_note(shown),
        maps=maps,
        kitchens_note=sections.kitchens_note(shown),
        riders_note=sections.riders_note(shown),
        busiest=[sections.busiest(view) for view in shown if view.table("merchants").num_rows],
        outcomes=[sections.outcomes(view) for view in shown if view.table("orders").num_rows],
        leads=[f"{view.label}: {city_charts.pool_words(view.summary.pools)}." for view in shown] if has_leads else [],
        helpers=[helpers.outages(view) for view in shown] if has_helpers else [],
        printer_faults=printer_faults,
        ages=ages_rows,
        samples=samples,
        still=still,
        requests=requests,
        slowest=slowest,
        marks=[sections.MARK_NAMES.get(mark, mark) for mark in MARKS[1:]],
        stage_legend=list(zip(charts.STAGE_NAMES.values(), charts.STAGE_COLOURS, strict=True)),
        audit=sections.audit_rows(shown),
        unchecked=sections.unchecked(shown),
        facts=[sections.facts(view) for view in shown],
        scenario_yaml=yaml.safe_dump(shown[0].run.manifest.scenario, sort_keys=False, allow_unicode=True),
        credits=next((item["map"].attribution for item in maps if item["map"].attribution), None),
        version=metadata.version("o2o-lab"),
    )


def _order_charts(shown: Sequence[RunView], embeds: dict[str, Any]) -> None:
    limit = max(charts.stage_end_s(view.summary.stages) for view in shown) or 1.0
    # Two panels share their scale, so that the eye may compare them.
    top = last_min = 0.0
    for view in shown:
        series = throughput(view.table("orders"), bins=charts.DEMAND_BINS)
        last_min = max(last_min, view.clock_min((len(series.counts["intended"]) - 0.5) * series.width_s))
        top = max(top, *(float(series.per_second(mark).max()) for mark in series.counts))
    for place, view in enumerate(shown, start=1):
        embeds[f"waterfall{place}"] = charts.waterfall(
            view.summary.stages, limit_s=limit, room=1.3 if len(shown) == 1 else 1.75
        )
        embeds[f"demand{place}"] = charts.demand(view, top=top, last_min=last_min)
    embeds["distribution"] = charts.distribution(shown)
    embeds["print_times"] = charts.print_times(shown)
    embeds["late_by_distance"] = city_charts.late_by_distance(shown)
    embeds["delivery"] = city_charts.delivery(shown)
    embeds["kitchens"] = city_charts.utilisation(shown, "kitchens")
    embeds["riders"] = city_charts.utilisation(shown, "riders")


def _maps(shown: Sequence[RunView], embeds: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    for place, view in enumerate(shown, start=1):
        drawn = city_map(view)
        if drawn is None or not view.table("roads").num_rows:
            continue
        embeds[f"map{place}"] = drawn.data
        note = f"{figures.count(drawn.total)} drop-offs; late orders are drawn on top."
        if drawn.sampled:
            note = f"A sample of {figures.count(drawn.drawn)} of {note.replace(';', ', even in time;')}"
        note += (
            " Orders to one address are spread a little. Grey: not delivered. Squares: stores, larger with more orders."
        )
        note += " Drag to move, double-click to zoom."
        found.append({"name": f"map{place}", "view": view, "map": drawn, "note": note})
    return found


def _samples(shown: Sequence[RunView], embeds: dict[str, Any]) -> tuple[list[tuple[str, str]], list[str]]:
    metrics = sorted({metric for view in shown for metric in view.sample_metrics()})
    still = [metric for metric in metrics if not any(np.any(floats(view.samples(metric), "value")) for view in shown)]
    found = []
    for place, metric in enumerate(metric for metric in metrics if metric not in still):
        embeds[f"sample{place}"] = city_charts.sample_series(shown, metric)
        found.append((f"sample{place}", _sample_title(metric)))
    return found[:SAMPLES], [_sample_title(metric).lower() for metric in still]


def _sample_title(metric: str) -> str:
    return metric.replace("_", " ").replace(".", " · ").capitalize()


def _speed_note(shown: Sequence[RunView]) -> str:
    if len({view.speed for view in shown}) == 1 and shown[0].speed != 1.0:
        return f"The city ran {shown[0].speed:g} times faster than real time, so rates are that many times the city's."
    told = [
        f"In {view.label.lower()} the city ran {view.speed:g} times faster than real time, so rates per second are "
        f"{view.speed:g} times the city's."
        for view in shown
        if view.speed != 1.0
    ]
    return " ".join(told)


def _delivery_note(shown: Sequence[RunView]) -> str:
    return " ".join(
        f"{view.label}: median {figures.minutes(view.summary.deliveries.p50_min)}, "
        f"{figures.share(view.summary.deliveries.late_share)} late."
        for view in shown
        if view.summary.deliveries.delivered
    )
