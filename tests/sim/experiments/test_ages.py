"""The four ages compared on one order stream: `o2o compare printer_ages` in small (A14)."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from o2o_cli.main import app
from o2o_results.comparison import Comparison
from o2o_results.report.compare_report import compare_html
from o2o_scenarios.loader import load
from o2o_sim.experiments.compare import compare
from o2o_sim.experiments.metrics import AGES, CITY, shown_for
from o2o_sim.experiments.variants import Variant

SMALL = (
    *("clock.duration_s=1200", "clock.drain_s=4500", "city.merchants.count=20"),
    *("demand.orders_per_hour=450", "printing.phone.callers=8"),
)
NAMES = ("phone", "app", "app_printer", "cloud")


@pytest.fixture(scope="module")
def found() -> Comparison:
    variants = [Variant(age, load("printer_ages", [*SMALL, f"printing.age={age}"])) for age in NAMES]
    return compare(variants, 3)


def test_each_age_tells_kitchens_sooner_with_less_work_and_fewer_errors(found: Comparison) -> None:
    for metric in ("notification_p50_s", "staff_s_per_order", "wrong_order_share"):
        means = [found.mean(metric, age).mean for age in NAMES]
        assert means == sorted(means, reverse=True), metric
    for metric in ("notification_p50_s", "notification_p95_s", "staff_s_per_order", "caller_s_per_order"):
        assert found.difference(metric, "cloud").direction == "lower", metric
    assert found.mean("wrong_order_share", "cloud").mean == 0.0
    assert found.mean("staff_s_per_order", "cloud").mean == 0.0


def test_all_ages_meet_the_same_orders(found: Comparison) -> None:
    """Common random numbers: replication by replication nearly all orders are delivered, the same number of them."""
    delivered = [found.variant(age).values["delivered"] for age in NAMES]
    assert all(len(set(same)) == 1 for same in zip(*delivered, strict=True))


def test_the_page_shows_the_figures_of_the_ages(found: Comparison) -> None:
    page = compare_html(found)
    for metric in AGES:
        assert metric.title.replace("'", "&#39;") in page or metric.title in page, metric.title


def test_comparisons_of_cloud_printers_alone_show_what_they_showed() -> None:
    cloud = [load("lunch_peak", [f"platform.dispatchers={number}"]) for number in (1, 2)]
    assert shown_for(cloud) == CITY


def test_the_scenario_says_what_is_compared_and_the_command_asks_it(tmp_path: Path) -> None:
    plan = load("printer_ages").compare
    assert plan.vary == "printing.age=phone,app,app_printer,cloud"
    settings = [word for setting in SMALL for word in ("--set", setting)]
    out = str(tmp_path / "compared")
    done = CliRunner().invoke(
        app, ["compare", "printer_ages", *settings, "-n", "2", "--workers", "1", "--out", out, "--quiet"]
    )
    assert done.exit_code == 0, done.output
    for words in ("phone", "app_printer", "cloud", "Paid to kitchen knows, p95", "2 replications"):
        assert words in done.output
