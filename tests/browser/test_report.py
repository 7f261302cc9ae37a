"""The report in a real browser: it opens from a file without network or errors, and its charts and map are drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from o2o_results.comparison import Comparison, Metric, Variant
from o2o_results.report import write_compare_report, write_report

DRAWN = "window.o2oCharts.then((all) => all.length)"


class Opened:
    """A page opened from a file, and what went wrong or out on the way."""

    def __init__(self, browser: Any, path: Path, *, width: int = 1280, height: int = 900) -> None:
        self.page = browser.new_page(viewport={"width": width, "height": height}, offline=True)
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(path.as_uri())
        self.charts = self.page.evaluate(DRAWN)

    def clean(self, path: Path) -> bool:
        """Nothing was fetched but the file itself, and nobody complained."""
        return self.complaints == [] and self.requests == [path.as_uri()]

    def sizes(self) -> list[tuple[float, float]]:
        """Width and height of each chart's drawing."""
        found: list[tuple[float, float]] = self.page.eval_on_selector_all(
            ".chart svg", "all => all.map(e => { const b = e.getBoundingClientRect(); return [b.width, b.height]; })"
        )
        return found

    def colours(self, selector: str = "[data-map] canvas") -> int:
        """How many different colours the canvas holds: a blank one holds 1."""
        count: int = self.page.eval_on_selector(
            selector,
            """canvas => new Set(new Uint32Array(canvas.getContext("2d")
                .getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size""",
        )
        return count


@pytest.fixture(scope="module")
def one(fake: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    return write_report([fake.write_run(folder / "run", fake.fake_tables(600))], folder / "report.html")


@pytest.fixture(scope="module")
def two(fake: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("two")
    model = fake.write_run(folder / "model", fake.fake_tables(300))
    live = fake.write_run(folder / "live", fake.fake_tables(300, slow=1.6), world="live")
    return write_report([live, model], folder / "report.html")


def test_a_report_opens_offline_without_a_complaint(browser: Any, one: Path) -> None:
    opened = Opened(browser, one)
    assert opened.clean(one), (opened.complaints, opened.requests)
    assert opened.page.title() == "Lunch peak in a small city: o2o run report"


def test_all_charts_and_the_map_are_drawn(browser: Any, one: Path) -> None:
    opened = Opened(browser, one)
    boxes = opened.page.locator("[data-chart]").count()
    assert opened.charts == boxes == len(opened.sizes())
    assert boxes >= 9
    assert all(width > 150 and height > 60 for width, height in opened.sizes())
    assert opened.page.get_attribute("[data-map]", "data-drawn").endswith("drop-offs")
    assert opened.colours() > 30


def test_verdicts_stand_at_the_top(browser: Any, one: Path) -> None:
    chips = Opened(browser, one).page.locator(".chip").all_inner_texts()
    assert chips[:2] == ["VALID", "AUDIT CLEAN"]
    assert [text.split(":")[0] for text in chips[2:]] == ["SLO pass", "SLO pass", "SLO miss"]


def test_the_map_tells_of_the_order_under_the_pointer(browser: Any, one: Path) -> None:
    page = Opened(browser, one).page
    tip = page.locator(".map .tip")
    assert not tip.is_visible()
    place = page.evaluate(
        """() => {
            const map = document.querySelector("[data-map]").cityMap;
            map.canvas.scrollIntoView({ block: "center", behavior: "instant" });
            const box = map.canvas.getBoundingClientRect();
            const [x, y] = map.at(map.data.drops.x[0], map.data.drops.y[0]);
            return [box.left + x, box.top + y];
        }"""
    )
    page.mouse.move(*place)
    assert tip.is_visible()
    assert "Order T" in tip.inner_text()
    assert "on paper after" in tip.inner_text()


def test_the_map_shows_only_late_orders_on_request_and_zooms(browser: Any, one: Path) -> None:
    page = Opened(browser, one).page
    drawn = page.get_attribute("[data-map]", "data-drawn")
    page.check(".map input[name=late]")
    late = page.get_attribute("[data-map]", "data-drawn")
    assert int(late.split()[2]) < int(drawn.split()[2])
    before = page.evaluate("document.querySelector('[data-map]').cityMap.scale")
    page.click(".map button[name=in]")
    assert page.evaluate("document.querySelector('[data-map]').cityMap.scale") > before
    page.click(".map button[name=whole]")
    assert page.evaluate("document.querySelector('[data-map]').cityMap.scale") == pytest.approx(before)


def test_two_runs_stand_side_by_side(browser: Any, two: Path) -> None:
    opened = Opened(browser, two)
    assert opened.clean(two), (opened.complaints, opened.requests)
    heads = opened.page.locator("#side th").all_inner_texts()
    assert [head.strip() for head in heads] == ["Figure", "Model", "Live", "difference", "ratio"]
    assert opened.page.locator("[data-map]").count() == 2
    assert opened.page.locator("[data-chart^=waterfall] svg").count() == 2


def test_a_narrow_screen_needs_no_sideways_scrolling(browser: Any, one: Path) -> None:
    page = Opened(browser, one, width=390, height=800).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_run_of_leads_has_a_report_too(browser: Any, fake: Any, tmp_path: Path) -> None:
    path = write_report([fake.write_run(tmp_path / "run", fake.fake_pools(), kind="pools")], tmp_path / "report.html")
    opened = Opened(browser, path)
    assert opened.clean(path), (opened.complaints, opened.requests)
    assert opened.charts == 1
    assert opened.page.locator("#leads").count() == 1


def test_a_comparison_opens_offline(browser: Any, tmp_path: Path) -> None:
    metrics = (
        Metric("signed", "Signed merchants", "merchants", "more", 0),
        Metric("idle", "Idle days", "days", "less"),
    )
    few = Variant("quota=20", {"signed": (10.0, 12.0, 11.0, 13.0), "idle": (5.0, 6.0, 5.5, 6.5)})
    many = Variant("quota=40", {"signed": (14.0, 16.5, 15.0, 17.0), "idle": (5.1, 5.8, 5.6, 6.4)})
    path = write_compare_report(
        Comparison("How many leads?", metrics, (few, many), "quota=20", "4 replications, fixed before the first run"),
        tmp_path / "compare.html",
    )
    opened = Opened(browser, path)
    assert opened.clean(path), (opened.complaints, opened.requests)
    assert opened.charts == 4
    assert "no difference shown" in opened.page.inner_text("#findings")
    assert opened.page.locator(".tone.good").count() == 1
