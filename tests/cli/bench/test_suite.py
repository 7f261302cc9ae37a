"""Choosing and running benchmarks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from o2o_cli.bench import runner, suite
from o2o_cli.bench.rows import Measurement
from o2o_cli.bench.suite import chosen, known
from o2o_cli.errors import UsageError


def test_the_hot_paths_are_all_there() -> None:
    """Item 11: rules, pricing, ticket rendering, ESC/POS parsing, model kernel, order path, pools."""
    expected = {"order_step", "pricing", "ticket_render", "escpos_parse", "model_kernel", "order_path", "pool_season"}
    assert expected <= set(known())
    assert len(set(known())) == len(known())


def test_names_choose_by_part() -> None:
    assert chosen(["pricing"]) == ["pricing"]
    assert set(chosen(["ticket_render", "pool"])) == {"ticket_render", "pool_recycle", "pool_season"}
    assert chosen([]) == known()


def test_an_unknown_name_is_told_with_a_near_match() -> None:
    with pytest.raises(UsageError, match=r"no benchmark's name contains `prcing`; did you mean `pricing`\? known: "):
        chosen(["prcing"])


def test_without_the_source_tree_the_command_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="needs the source tree"):
        known(tmp_path / "nowhere")


def test_an_ordinary_test_run_does_not_collect_the_suite() -> None:
    environment = {name: value for name, value in os.environ.items() if name != suite.SWITCH}
    found = subprocess.run(
        [sys.executable, "-m", "pytest", str(suite.SUITE), "--collect-only", "-q", "-p", "no:cacheprovider"],
        cwd=suite.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 5, found.stdout  # pytest: no tests were collected
    assert "test_pricing" not in found.stdout


def test_a_row_is_measured_again_before_it_says_short(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bench.json"
    path.write_text('{"benchmarks": {"pricing": {"ratio": 1.0}, "order_step": {"ratio": 1.0}}}')
    seconds = {"pricing": [9.0, 1.1], "order_step": [9.0, 8.0, 7.0]}
    asked: list[list[str]] = []

    def run(names: list[str], **_: object) -> list[Measurement]:
        asked.append(list(names))
        return [Measurement(name, name, seconds[name].pop(0), 1.0, 1, "calls", 1) for name in names]

    monkeypatch.setattr(suite, "run", run)
    assert runner.run_bench(["pricing", "order_step"], quiet=True, gate=True, baseline_path=path) == 1
    assert asked == [["order_step", "pricing"], ["order_step", "pricing"], ["order_step"]]
    out = capsys.readouterr().out
    assert "order_step: more than 1.5 times the baseline" in out
    assert "pricing: " not in out


def test_a_benchmark_is_run_compared_and_gated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, figures = tmp_path / "bench.json", tmp_path / "figures.json"
    assert runner.run_bench(["pricing"], smoke=True, quiet=True, save_baseline=True, baseline_path=path) == 0
    assert "NEW" in capsys.readouterr().out
    raw = json.loads(path.read_text())
    raw["benchmarks"]["pricing"]["ratio"] /= 1000
    path.write_text(json.dumps(raw))
    again = runner.run_bench(["pricing"], smoke=True, quiet=True, gate=True, json_path=figures, baseline_path=path)
    assert again == 1
    out = capsys.readouterr().out
    assert "SHORT" in out
    assert "pricing: more than 1.5 times the baseline" in out
    told = json.loads(figures.read_text())
    (row,) = told["figures"]["benchmarks"]
    assert row["name"] == "pricing"
    assert row["verdict"] == "SHORT"
    assert row["calibration_s"] > 0
    assert {"machine", "versions", "argv"} <= set(told)
