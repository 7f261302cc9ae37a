"""From measurements to verdicts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from o2o_cli.bench import baseline
from o2o_cli.bench.calibration import loop
from o2o_cli.bench.rows import ALLOWED, Measurement, rows
from o2o_cli.errors import UsageError

ONE = Measurement("pricing", "Price of a cart", 0.010, 0.005, 200, "carts", 9)
MODEL = replace(ONE, name="model_kernel", events=4120)


def test_the_calibration_loop_is_the_one_the_baselines_were_measured_with() -> None:
    assert loop() == 393_256_929


def test_ratio_and_rate() -> None:
    assert ONE.ratio == pytest.approx(2.0)
    assert ONE.per_s == pytest.approx(20_000)


def test_a_row_is_short_when_its_ratio_grew_too_much() -> None:
    at, over = ({"pricing": {"ratio": 2.0 / factor}} for factor in (ALLOWED, ALLOWED * 1.01))
    assert rows([ONE], at)[0].verdict == "PASS"
    (row,) = rows([ONE], over)
    assert (row.verdict, row.change) == ("SHORT", pytest.approx(ALLOWED * 1.01))
    assert row.why == "more than 1.5 times the baseline"


def test_of_two_measurements_the_less_disturbed_counts() -> None:
    disturbed = replace(ONE, seconds=0.017, calibration_s=0.006)
    for pair in ((ONE, disturbed), (disturbed, ONE)):
        best = pair[0].best(pair[1])
        assert (best.seconds, best.calibration_s, best.rounds) == (0.010, 0.005, 18)


def test_a_faster_row_passes() -> None:
    (row,) = rows([ONE], {"pricing": {"ratio": 8.0}})
    assert (row.verdict, row.change) == ("PASS", pytest.approx(0.25))


def test_another_run_is_short_however_fast() -> None:
    (row,) = rows([MODEL], {"model_kernel": {"ratio": 8.0, "events": 4000}})
    assert row.verdict == "SHORT"
    assert row.why == "another run: 4120 events, the baseline has 4000"
    assert rows([MODEL], {"model_kernel": {"ratio": 8.0, "events": 4120}})[0].verdict == "PASS"


def test_without_a_baseline_a_row_is_new() -> None:
    (row,) = rows([ONE], {})
    assert (row.verdict, row.baseline, row.change) == ("NEW", None, None)


def test_rows_have_stable_names_in_json() -> None:
    raw = rows([MODEL], {"model_kernel": {"ratio": 2.0, "events": 4120}})[0].to_json()
    assert raw | {"ratio": 2.0, "baseline_ratio": 2.0, "change": 1.0, "verdict": "PASS", "events": 4120} == raw


def test_a_saved_baseline_is_read_back_and_keeps_what_was_not_run(tmp_path: Path) -> None:
    path = tmp_path / "new" / "bench.json"
    baseline.save(path, [ONE, MODEL])
    baseline.save(path, [replace(ONE, seconds=0.020)])
    known = baseline.read(path)
    assert known["pricing"]["ratio"] == pytest.approx(4.0)
    assert known["model_kernel"]["events"] == 4120
    raw = json.loads(path.read_text())
    assert {"machine", "versions", "commit"} <= set(raw)
    assert [file.name for file in path.parent.iterdir()] == ["bench.json"]


def test_no_baseline_file_means_no_entries(tmp_path: Path) -> None:
    assert baseline.read(tmp_path / "none.json") == {}


@pytest.mark.parametrize("text", ["", "[]", '{"benchmarks": {"a": {}}}', '{"benchmarks": {"a": {"ratio": "x"}}}'])
def test_a_damaged_baseline_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "bench.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"bench\.json: not a baseline"):
        baseline.read(path)
