"""Where runs lie, what makes them repeatable (G7), and how the user's words find one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from o2o_results.errors import MissingRun
from o2o_results.manifest import git_commit, machine, versions
from o2o_results.runs import find_run, list_runs, new_run
from o2o_scenarios.loader import scenario_hash


def test_two_runs_within_a_second_get_two_folders(tmp_path: Path, fake: Any) -> None:
    writers = [new_run(fake.scenario(), "model", root=tmp_path) for _ in range(3)]
    names = [writer.folder.name for writer in writers]
    assert len(set(names)) == 3
    assert all("lunch_peak-model" in name for name in names)
    assert [writer.manifest.run_id for writer in writers] == names


def test_the_manifest_makes_a_run_repeatable(tmp_path: Path, fake: Any) -> None:
    plan = fake.scenario(seed=99, clock={"duration_s": 600, "drain_s": 300, "speed": 3})
    manifest = new_run(plan, "live", folder=tmp_path / "here", argv=["o2o", "load"], notes={"a": 1}).manifest
    assert manifest.scenario == plan.model_dump(mode="json")
    assert manifest.scenario_hash == scenario_hash(plan)
    assert (manifest.seed, manifest.speed, manifest.horizon_s) == (99, 3.0, 300.0)
    assert manifest.argv == ("o2o", "load")
    assert manifest.notes == {"a": 1}
    assert manifest.versions == versions()
    assert {"python", "pyarrow", "simpy"} <= set(manifest.versions)
    assert machine()["cores"] >= 1
    assert machine()["cpu"]


def test_outside_git_there_is_no_commit(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None


def test_runs_are_listed_newest_first_and_damaged_ones_are_not_hidden(tmp_path: Path, fake: Any) -> None:
    for name in ("a", "b"):
        new_run(fake.scenario(), "model", folder=tmp_path / name).finish()
    (tmp_path / "b" / "manifest.json").write_text("{")
    (tmp_path / "no_run").mkdir()
    listed = {run.folder.name: run for run in list_runs(tmp_path)}
    assert set(listed) == {"a", "b"}
    assert listed["a"].manifest is not None
    assert "not a run's manifest" in str(listed["b"].error)
    assert list_runs(tmp_path / "nowhere") == []


def test_a_run_is_found_by_path_name_or_latest(tmp_path: Path, fake: Any) -> None:
    model = new_run(fake.scenario(), "model", root=tmp_path)
    model.finish()
    live = new_run(fake.scenario(), "live", root=tmp_path)
    live.finish(status="interrupted")
    assert find_run(str(model.folder)).folder == model.folder
    assert find_run(model.folder.name, tmp_path).folder == model.folder
    assert find_run("latest", tmp_path).folder == model.folder
    assert find_run("latest:model", tmp_path).folder == model.folder
    with pytest.raises(MissingRun, match="no finished live run"):
        find_run("latest:live", tmp_path)
    with pytest.raises(MissingRun, match=f"did you mean {model.folder.name}"):
        find_run(model.folder.name[:-1], tmp_path)
    with pytest.raises(MissingRun, match="no run is called 'xyz'"):
        find_run("xyz", tmp_path / "nowhere")
