"""The report as text: one file without addresses, small, honest about samples, and proof against names with tags."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from o2o_results.errors import ResultsError
from o2o_results.report import figures, write_report
from o2o_results.report.map import POINTS, city_map
from o2o_results.report.page import report_html
from o2o_results.report.sections import command, said
from o2o_results.report.view import views
from o2o_results.run import as_table

Tables = dict[str, pa.Table]


def blocks(html: str) -> dict[str, Any]:
    """The JSON blocks of a page by id."""
    found = re.findall(r'<script type="application/json" id="data-(\w+)">(.*?)</script>', html, re.S)
    return {name: json.loads(text) for name, text in found}


@pytest.fixture(scope="module")
def page(fake: Any, lunch: Tables, tmp_path_factory: pytest.TempPathFactory) -> str:
    return report_html([fake.write_run(tmp_path_factory.mktemp("run"), lunch)])


def test_the_page_names_no_address(page: str) -> None:
    own = page.split("<script>")[0]  # Vega's own script names the licences and schemas of its authors
    assert "http://" not in own
    assert "https://" not in own
    assert not re.search(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?!data:|#)", own)


def test_every_box_has_its_data(page: str) -> None:
    boxes = re.findall(r'data-(?:chart|map)="(\w+)"', page)
    assert len(boxes) == len(set(boxes)) >= 10
    assert set(boxes) == set(blocks(page))


def test_ids_are_unique(page: str) -> None:
    ids = re.findall(r'\sid="([^"]+)"', page.split("<script>")[0])
    assert len(ids) == len(set(ids))


def test_charts_show_what_was_counted(page: str) -> None:
    found = blocks(page)
    area = found["demand1"]["datasets"]["d0"]
    width = (area[1]["at"] - area[0]["at"]) * 60
    assert sum(row["rate"] for row in area) * width == pytest.approx(400, rel=0.01)
    assert len(found["waterfall1"]["datasets"]["d0"]) == 9
    assert found["map1"]["drops"]["late"].count(None) == sum(s != "delivered" for s in found["map1"]["drops"]["state"])


def test_names_from_the_tables_cannot_become_html(fake: Any, lunch: Tables, tmp_path: Path) -> None:
    evil = '</script><script>alert(1)</script><img src="x">'
    stores = [row | {"name": evil} for row in lunch["merchants"].to_pylist()]
    html = report_html([fake.write_run(tmp_path, lunch | {"merchants": as_table("merchants", stores)}, title=evil)])
    assert "<script>alert" not in html
    assert '<img src="x"' not in html
    assert blocks(html)["map1"]["stores"]["name"][0] == evil


def test_a_large_run_makes_a_small_page_that_says_what_it_left_out(fake: Any, tmp_path: Path) -> None:
    tables = fake.fake_tables(2500)
    # Four copies of each order: 10,000 rows without the time it would take to make them.
    orders = [row | {"order_id": 4 * row["order_id"] + k} for row in tables["orders"].to_pylist() for k in range(4)]
    run = fake.write_run(tmp_path / "run", tables | {"orders": as_table("orders", orders)})
    path = write_report([run, run], tmp_path)
    assert path == tmp_path / "report.html"
    assert path.stat().st_size < 4_000_000
    html = path.read_text()
    total = sum(row["kind"] == "order" for row in orders)
    assert f"A sample of {figures.count(POINTS)} of {figures.count(total)} drop-offs" in html
    assert len(blocks(html)["map1"]["drops"]["x"]) == POINTS


def test_a_broken_promise_is_told_on_top(fake: Any, lunch: Tables, tmp_path: Path) -> None:
    receipts = lunch["receipts"].to_pylist()
    html = report_html([fake.write_run(tmp_path, lunch | {"receipts": as_table("receipts", receipts[1:])})])
    assert "AUDIT: 1 violations of 1 promises" in html
    rows = re.findall(r'<span class="mark (\w+)">.</span>([^<]+)', html)
    assert rows[0] == ("bad", "Every printed ticket has exactly one complete receipt")
    assert "has 0 complete receipts" in html


def test_an_invalid_run_is_told_on_top(fake: Any, lunch: Tables, tmp_path: Path) -> None:
    orders = [row | {"sent": row["intended"] + 0.05} for row in lunch["orders"].to_pylist()]
    for row in orders:
        row["accepted"] = max(row["accepted"] or 0.0, row["sent"])
    tables = lunch | {"orders": as_table("orders", orders)}
    html = report_html([fake.write_run(tmp_path / "live", tables, world="live")])
    assert '<span class="chip bad" title="the generator was 50.0 ms late' in html
    assert "Live is INVALID: the generator was 50.0 ms late at p99" in html
    assert "INVALID" not in report_html([fake.write_run(tmp_path / "model", tables)]).split("<nav>")[0]


def test_two_runs_of_one_world_are_told_apart(fake: Any, lunch: Tables, tmp_path: Path) -> None:
    a, b = (fake.write_run(tmp_path / name, lunch) for name in "ab")
    labels = [view.label for view in views([a, b])]
    assert len(set(labels)) == 2
    live = fake.write_run(tmp_path / "live", lunch, world="live")
    assert [view.label for view in views([live, a])] == ["Model", "Live"]


def test_a_report_shows_one_or_two_runs(fake: Any, lunch: Tables, tmp_path: Path) -> None:
    run = fake.write_run(tmp_path / "run", lunch)
    with pytest.raises(ResultsError, match="one or two runs, not 3"):
        write_report([run] * 3, tmp_path)
    with pytest.raises(ResultsError, match="cannot be written"):
        write_report([run], tmp_path / "run" / "manifest.json" / "report.html")


def test_the_map_keeps_roads_and_credits(fake: Any, lunch: Tables, tmp_path: Path) -> None:
    run = fake.write_run(tmp_path, lunch)
    view = views([run])[0]
    drawn = city_map(view)
    assert drawn is not None
    assert drawn.attribution is None
    both = pa.concat_tables([lunch["roads"], lunch["roads"]])  # each street twice, as two directions are
    ends = np.frombuffer(base64.b64decode(drawn.data["roads"]), dtype="<u2")
    assert len(ends) == 4 * lunch["roads"].num_rows
    doubled = city_map(views([fake.write_run(tmp_path / "twice", lunch | {"roads": both})])[0])
    assert doubled is not None
    assert doubled.data["roads"] == drawn.data["roads"]
    run.manifest.notes["attribution"] = "© OpenStreetMap contributors"
    assert "Map data © OpenStreetMap contributors" in report_html([run])


def test_distances_on_the_map_are_true(fake: Any, lunch: Tables, tmp_path: Path) -> None:
    drawn = city_map(views([fake.write_run(tmp_path, lunch)])[0])
    assert drawn is not None
    stores, data = lunch["merchants"].to_pylist(), drawn.data["stores"]
    a, b = 0, 7
    north = (stores[a]["lat"] - stores[b]["lat"]) * 111_195
    east = (stores[a]["lng"] - stores[b]["lng"]) * 111_195 * np.cos(np.radians(stores[a]["lat"]))
    units = np.hypot(data["x"][a] - data["x"][b], data["y"][a] - data["y"][b])
    assert units * drawn.data["metres"] / 65_535 == pytest.approx(np.hypot(north, east), rel=0.005)


def test_numbers_are_written_as_people_read_them() -> None:
    values = (0.0, 0.0008, 0.038, 1.239, 12.34, 192.4, 14_400, 90 * 86_400, float("inf"), float("nan"))
    expected = ["0 ms", "0.8 ms", "38 ms", "1.24 s", "12.3 s", "3 min 12 s", "4.0 h", "90.0 days", "never", "–"]
    assert [figures.seconds(value) for value in values] == expected
    assert [figures.share(v) for v in (1.0, 0.0, 0.9995, 0.125, 0.99999)] == [
        "100 %",
        "0 %",
        "99.95 %",
        "12.5 %",
        "99.9990 %",
    ]
    assert figures.clock(3725, start_min=660, speed=2, precise=True) == "13:04:10"
    assert figures.clock(0, start_min=1430, speed=1) == "23:50"
    assert command(["/somewhere/bin/o2o", "simulate", "a b"]) == "o2o simulate 'a b'"


def test_notes_are_told_without_lists_and_zeros() -> None:
    notes = {"city": {"graph": {"source": "Delft", "edges_dropped": 0, "rivers": [[1, 2]]}}, "scale": 0.18, "x": ""}
    assert said(notes) == [("city graph source", "Delft"), ("scale", "0.18")]


def test_rivers_of_an_invented_city_end_at_its_edge(fake: Any, lunch: Tables, tmp_path: Path) -> None:
    run = fake.write_run(tmp_path, lunch)
    store = lunch["merchants"].to_pylist()[0]
    run.manifest.notes["city"] = {"graph": {"rivers": [[[store["lat"], store["lng"]], [0.0, 0.0]]]}}
    drawn = city_map(views([run])[0])
    assert drawn is not None
    assert drawn.data["rivers"] == [[drawn.data["stores"]["x"][0], drawn.data["stores"]["y"][0]]]


def test_series_that_never_move_are_told_in_a_line(fake: Any, lunch: Tables, tmp_path: Path) -> None:
    rows = lunch["samples"].to_pylist()
    still = [row | {"metric": "relay_waiting", "value": 0.0} for row in rows if row["metric"] == "print_queue"]
    html = report_html([fake.write_run(tmp_path, lunch | {"samples": as_table("samples", rows + still)})])
    assert "Always 0: relay waiting." in html
    assert "<h3>Print queue</h3>" in html
    assert "<h3>Relay waiting</h3>" not in html
