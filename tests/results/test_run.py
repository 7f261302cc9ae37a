"""A run on disk: atomic, typed, marked by how it ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from o2o_results.errors import DamagedRun, MissingRun, ResultsError, RunState, WrongTable
from o2o_results.hashes import tables_hash
from o2o_results.manifest import Manifest
from o2o_results.run import RunReader, RunWriter, as_table, empty
from o2o_results.tables import TABLES
from o2o_results.verdicts import Verdict
from o2o_scenarios.trace import TRACE_SCHEMA, Trace

SAMPLE = {"at": 1.0, "metric": "queue", "value": 2.0}


def begin(folder: Path, fake: Any) -> RunWriter:
    return RunWriter(folder, Manifest.begin(fake.scenario(), "model", argv=["o2o", "simulate", "lunch_peak"]))


def test_what_is_written_is_read(tmp_path: Path, fake: Any, lunch: dict[str, pa.Table]) -> None:
    verdict = Verdict("a", False, 3, 1, ("order 1",), "detail", "promise")
    with begin(tmp_path / "run", fake) as writer:
        writer.write_all(lunch)
        writer.note(intents=400)
        writer.finish([verdict])
    reader = RunReader(tmp_path / "run")
    assert all(reader.table(name).equals(table) for name, table in lunch.items())
    assert reader.manifest.status == "finished"
    assert reader.manifest.verdicts == (verdict,)
    assert reader.manifest.notes == {"intents": 400}
    assert reader.manifest.table_hash == tables_hash(lunch) == tables_hash(reader.tables)
    assert reader.scenario == fake.scenario()


def test_a_table_that_was_not_written_is_empty(tmp_path: Path, fake: Any) -> None:
    with begin(tmp_path, fake) as writer:
        writer.finish()
    reader = RunReader(tmp_path)
    assert set(reader.tables) == set(TABLES)
    assert all(table.num_rows == 0 and table.schema == TABLES[name] for name, table in reader.tables.items())


def test_the_trace_is_kept_and_counted(tmp_path: Path, fake: Any) -> None:
    with begin(tmp_path, fake) as writer:
        writer.write_trace(Trace(TRACE_SCHEMA.empty_table(), {"source": "test"}))
        writer.finish()
    reader = RunReader(tmp_path)
    trace = reader.trace()
    assert trace is not None
    assert trace.notes == {"source": "test"}
    assert reader.manifest.notes["intents"] == 0


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, "interrupted"), (ValueError, "failed")])
def test_a_run_that_is_cut_off_says_so(tmp_path: Path, fake: Any, error: type[BaseException], status: str) -> None:
    def cut_off() -> None:
        with begin(tmp_path, fake) as writer:
            writer.write("samples", [SAMPLE])
            (tmp_path / ".orders.parquet.part").write_bytes(b"half")
            raise error

    with pytest.raises(error):
        cut_off()
    reader = RunReader(tmp_path)
    assert reader.manifest.status == status
    assert reader.table("samples").num_rows == 1
    assert list(tmp_path.glob(".*.part")) == []


def test_leaving_without_finish_is_a_failure(tmp_path: Path, fake: Any) -> None:
    with begin(tmp_path, fake):
        assert RunReader(tmp_path).manifest.status == "running"
    assert RunReader(tmp_path).manifest.status == "failed"


def test_nothing_is_added_to_a_finished_run(tmp_path: Path, fake: Any) -> None:
    writer = begin(tmp_path, fake)
    writer.finish()
    with pytest.raises(RunState, match="the run is finished"):
        writer.write("samples", [SAMPLE])
    with pytest.raises(RunState, match="already holds a run"):
        begin(tmp_path, fake)


def test_rows_must_have_the_columns_of_the_table() -> None:
    with pytest.raises(WrongTable, match=r"missing columns \['value'\], unknown columns \['worth'\]"):
        as_table("samples", [{"at": 1.0, "metric": "q", "worth": 1.0}])
    with pytest.raises(WrongTable, match="no run table is called 'order'"):
        as_table("order", [])
    with pytest.raises(WrongTable, match="table samples: "):
        as_table("samples", [SAMPLE | {"value": "many"}])
    with pytest.raises(WrongTable, match="column value has 1 nulls"):
        as_table("samples", pa.table({"at": [1.0], "metric": ["q"], "value": pa.array([None], pa.float64())}))
    with pytest.raises(WrongTable, match="column value has NaN"):
        as_table("samples", [SAMPLE | {"value": float("nan")}])


def test_a_table_is_cast_and_ordered_by_its_schema() -> None:
    loose = pa.table({"value": pa.array([1.5], pa.float32()), "metric": ["q"], "at": pa.array([3], pa.int64())})
    table = as_table("samples", loose)
    assert table.schema == TABLES["samples"]
    assert table.to_pylist() == [{"at": 3.0, "metric": "q", "value": 1.5}]
    assert as_table("samples", []).equals(empty("samples"))


def test_errors_of_reading_are_one_line(tmp_path: Path, fake: Any) -> None:
    def message(folder: Path, kind: type[ResultsError]) -> str:
        with pytest.raises(kind) as caught:
            RunReader(folder).table("samples")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no such run folder" in message(tmp_path / "none", MissingRun)
    assert "not a run" in message(tmp_path, MissingRun)
    with begin(tmp_path, fake) as writer:
        writer.finish()
    manifest = tmp_path / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(whole[: len(whole) // 2])
    assert "not a run's manifest" in message(tmp_path, DamagedRun)
    manifest.write_text(json.dumps(json.loads(whole) | {"status": "perfect"}))
    assert "unknown world" in message(tmp_path, DamagedRun)
    manifest.write_text(json.dumps(json.loads(whole) | {"colour": "red"}))
    assert "not a run's manifest" in message(tmp_path, DamagedRun)
    manifest.write_text(whole)
    (tmp_path / "samples.parquet").write_bytes(b"PAR1 and then nothing")
    assert "cannot be read" in message(tmp_path, DamagedRun)
    pq.write_table(pa.table({"at": [1.0]}), tmp_path / "samples.parquet")
    assert "missing columns" in message(tmp_path, DamagedRun)


def test_a_scenario_of_another_time_is_a_damaged_run(tmp_path: Path, fake: Any) -> None:
    with begin(tmp_path, fake) as writer:
        writer.finish()
    manifest = tmp_path / "manifest.json"
    raw = json.loads(manifest.read_text())
    raw["scenario"]["clock"]["speed"] = -1
    manifest.write_text(json.dumps(raw))
    with pytest.raises(DamagedRun, match=r"scenario clock\.speed: "):
        _ = RunReader(tmp_path).scenario
