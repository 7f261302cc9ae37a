"""Finished replications on disk: whole lines or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from o2o_sim.errors import ExperimentError
from o2o_sim.experiments.store import FILE, Replication, Store


def result(number: int) -> Replication:
    return Replication(f"k-{number}", "a", number, 7, 100, 0.5, {"signed": 3.25, "days_to_sign": None})


def test_what_was_added_is_read_back(tmp_path: Path) -> None:
    store = Store(tmp_path / "new" / "folder")
    store.add(result(0))
    store.add(result(1))
    assert Store(tmp_path / "new" / "folder").done == {"k-0": result(0), "k-1": result(1)}


def test_a_torn_last_line_is_dropped_and_written_over(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(result(0))
    store.add(result(1))
    path = tmp_path / FILE
    path.write_bytes(path.read_bytes()[:-9])
    again = Store(tmp_path)
    assert again.done == {"k-0": result(0)}
    again.add(result(2))
    assert set(Store(tmp_path).done) == {"k-0", "k-2"}


@pytest.mark.parametrize("line", ["{not json", '{"key": "x"}', "[1]"])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    Store(tmp_path).add(result(0))
    path = tmp_path / FILE
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ExperimentError, match=rf"{FILE}:2: not a replication"):
        Store(tmp_path)


def test_without_a_folder_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Store().add(result(0))
    assert list(tmp_path.iterdir()) == []
