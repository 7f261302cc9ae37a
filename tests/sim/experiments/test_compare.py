"""Comparisons: common random numbers, the same figures in one process or two, and nothing lost when cut off."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from o2o_results.comparison import Comparison
from o2o_scenarios.loader import load
from o2o_scenarios.schema import Scenario
from o2o_sim.errors import ComparisonStopped, ExperimentError, SimError
from o2o_sim.experiments.compare import compare
from o2o_sim.experiments.one_run import Runner
from o2o_sim.experiments.store import FILE, Store
from o2o_sim.experiments.variants import Variant

TINY = ("city.nodes=64", "crm.bds=5", "crm.leads=150", "crm.new_leads_per_day=2", "crm.days=40")


def tiny(*overrides: str) -> Scenario:
    return load("pool_quota", [*TINY, *overrides])


def quotas(*values: int) -> list[Variant]:
    return [Variant(f"quota {value}", tiny(f"crm.pool.quota={value}")) for value in values]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Comparison, Path]:
    out = tmp_path_factory.mktemp("whole")
    return compare(quotas(5, 20, 60), 4, out=out), out


def figures(comparison: Comparison) -> dict[str, dict[str, list[float | None]]]:
    return {
        variant.label: {name: list(values) for name, values in variant.values.items()}
        for variant in comparison.variants
    }


def test_the_first_variant_is_the_baseline_and_differences_are_paired(whole: tuple[Comparison, Path]) -> None:
    comparison, _ = whole
    assert comparison.baseline == "quota 5"
    assert comparison.replications == 4
    signed = comparison.difference("signed", "quota 20")
    assert signed.direction == "higher"
    mean = {label: comparison.mean("signed", label).mean for label in ("quota 5", "quota 20")}
    assert signed.interval.mean == pytest.approx(mean["quota 20"] - mean["quota 5"])
    assert "fixed before the first run" in comparison.stopping_rule


def test_equal_policies_under_other_names_show_no_difference() -> None:
    """Common random numbers: what does not matter (the story) leaves every figure as it was."""
    same = [Variant("a", tiny()), Variant("b", tiny().model_copy(update={"story": "told otherwise"}))]
    comparison = compare(same, 2)
    for metric in comparison.metrics:
        difference = comparison.difference(metric.name, "b")
        assert difference.interval.mean == 0.0
        assert not difference.shown
        assert difference.words().startswith("no difference shown")


def test_two_processes_give_the_same_figures(whole: tuple[Comparison, Path], tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    comparison = compare(
        quotas(5, 20, 60), 4, workers=2, out=tmp_path, progress=lambda done, of: seen.append((done, of))
    )
    assert figures(comparison) == figures(whole[0])
    assert seen == [(done, 12) for done in range(13)]


def test_finished_runs_are_not_run_again(whole: tuple[Comparison, Path]) -> None:
    comparison, out = whole
    before = (out / FILE).read_bytes()
    seen: list[tuple[int, int]] = []
    again = compare(quotas(5, 20, 60), 4, out=out, progress=lambda done, of: seen.append((done, of)))
    assert seen == [(12, 12)]
    assert (out / FILE).read_bytes() == before
    assert figures(again) == figures(comparison)


def test_a_stopped_comparison_goes_on_where_it_stopped(whole: tuple[Comparison, Path], tmp_path: Path) -> None:
    done = 0

    def progress(finished: int, _: int) -> None:
        nonlocal done
        done = finished

    with pytest.raises(ComparisonStopped, match=r"stopped after 5 of 12 runs; the same command goes on from"):
        compare(quotas(5, 20, 60), 4, out=tmp_path, progress=progress, stop=lambda: done >= 5)
    assert len(Store(tmp_path).done) == 5
    first: list[int] = []
    comparison = compare(quotas(5, 20, 60), 4, out=tmp_path, progress=lambda finished, _: first.append(finished))
    assert first[0] == 5
    assert figures(comparison) == figures(whole[0])


def test_more_replications_keep_the_first_ones(whole: tuple[Comparison, Path]) -> None:
    comparison, out = whole
    more = compare(quotas(5, 60), 5, out=out)
    for label in ("quota 5", "quota 60"):
        assert list(more.variant(label).values["signed"])[:4] == list(comparison.variant(label).values["signed"])
    assert len(Store(out).done) == 14


def test_workers_stop_when_told_to(tmp_path: Path) -> None:
    long = [Variant(f"{quota}", tiny("crm.days=2000", f"crm.pool.quota={quota}")) for quota in (5, 60)]
    with pytest.raises(ComparisonStopped, match="stopped after 0 of 8 runs"):
        compare(long, 4, workers=2, out=tmp_path, stop=lambda: True)


def test_a_variant_that_cannot_be_simulated_says_so_from_a_worker() -> None:
    variants = [Variant("none", tiny("crm.bds=0")), Variant("some", tiny())]
    with pytest.raises(SimError, match=r"crm\.bds"):
        compare(variants, 2, workers=2)


def test_what_cannot_be_compared_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="at least 2 variants"):
        compare(quotas(5), 4, out=tmp_path / "never")
    assert not (tmp_path / "never").exists()


def test_a_city_day_is_compared_too() -> None:
    """Two dispatch rules meet the same city and trace; every replication is another day."""
    day = Scenario.model_validate(
        {
            "name": "short",
            "seed": 3,
            "clock": {"duration_s": 5400, "drain_s": 5400},
            "city": {"nodes": 100, "merchants": {"count": 12}, "users": {"count": 60}, "riders": {"count": 30}},
            "demand": {"orders_per_hour": 40},
        }
    )
    variants = [
        Variant(rule, day.model_copy(update={"dispatch": day.dispatch.model_copy(update={"rule": rule})}))
        for rule in ("nearest", "least_loaded")
    ]
    comparison = compare(variants, 2)
    delivered = comparison.variant("nearest").values["delivered"]
    assert all(value is not None and value > 0 for value in delivered)
    door = [variant.values["click_to_door_min"] for variant in comparison.variants]
    assert list(door[0]) != list(door[1])
    assert len(set(door[0])) == 2


def test_variants_that_differ_in_rules_share_a_city_and_others_do_not() -> None:
    runner = Runner()
    quota_5, quota_20 = quotas(5, 20)
    other = Variant("more leads", tiny("crm.leads=200"))
    runner.run(quota_5, 0)
    first = runner._stage
    runner.run(quota_20, 0)
    assert runner._stage is first
    runner.run(other, 0)
    assert runner._stage is not first


_SCRIPT = """
import sys
from pathlib import Path
from o2o_scenarios.loader import load
from o2o_sim.experiments.compare import compare
from o2o_sim.experiments.variants import Variant

if __name__ == "__main__":
    tiny = sys.argv[2:]
    variants = [Variant(q, load("pool_quota", [*tiny, f"crm.pool.quota={q}"])) for q in ("5", "20")]
    try:
        compare(variants, 2000, workers=2, out=Path(sys.argv[1]))
    except KeyboardInterrupt:
        sys.exit(130)
"""


@pytest.mark.skipif(os.name != "posix", reason="Ctrl-C as a signal to a process group")
def test_ctrl_c_ends_cleanly_and_keeps_what_was_finished(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(_SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script), str(tmp_path / "out"), *TINY],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    path = tmp_path / "out" / FILE
    try:
        while process.poll() is None and not (path.exists() and path.stat().st_size > 0):
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        if process.poll() is None:
            process.kill()
    assert process.returncode == 130
    assert "Traceback" not in error
    assert len(Store(tmp_path / "out").done) >= 1
