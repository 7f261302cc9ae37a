"""A run on disk: one folder, one Parquet file a table, `manifest.json` beside them.

Decides that nothing half-written is ever left as a finished run: a table is written under a temporary name and renamed,
and the manifest says `running` until `finish`. What the columns are is `tables`' business, where runs lie is `runs`'.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from pydantic import ValidationError

from o2o_results.errors import DamagedRun, MissingRun, RunState, WrongTable
from o2o_results.hashes import tables_hash
from o2o_results.manifest import Manifest, Status
from o2o_results.tables import TABLES
from o2o_results.verdicts import Verdict
from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace

RunTables = Mapping[str, pa.Table]
"""Tables of a run by name, conforming to `tables.TABLES`. A table that a world has nothing for may be absent."""

MANIFEST = "manifest.json"
TRACE = "trace.parquet"


def empty(name: str) -> pa.Table:
    """A table `name` without rows."""
    return TABLES[name].empty_table()


def as_table(name: str, rows: pa.Table | Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as an Arrow table with exactly the columns of TABLES[name].

    Raises WrongTable for an unknown name, missing or unknown columns, values of another type, a null where none may be,
    and NaN (a mark that was never reached is null).
    """
    if name not in TABLES:
        raise WrongTable(f"no run table is called {name!r}; there are {', '.join(TABLES)}")
    schema = TABLES[name]
    try:
        if isinstance(rows, pa.Table):
            table = rows
            _same_columns(name, set(schema.names), set(table.column_names))
        else:
            listed = list(rows)
            for row in listed:
                _same_columns(name, set(schema.names), set(row))
            table = pa.Table.from_pylist(listed, schema=schema)
        for field in schema:
            nulls = table.column(field.name).null_count
            if nulls and not field.nullable:
                raise WrongTable(f"table {name}: column {field.name} has {nulls} nulls and may have none")
        table = table.select(schema.names).cast(schema).replace_schema_metadata(None)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as error:
        raise WrongTable(f"table {name}: {str(error).splitlines()[0]}") from error
    for field in schema:
        column = table.column(field.name)
        if pa.types.is_floating(field.type) and pc.any(pc.is_nan(column)).as_py():
            raise WrongTable(f"table {name}: column {field.name} has NaN; a value that is missing must be null")
    return table


def _same_columns(name: str, expected: set[str], found: set[str]) -> None:
    if expected != found:
        missing, unknown = sorted(expected - found), sorted(found - expected)
        raise WrongTable(f"table {name}: missing columns {missing}, unknown columns {unknown}")


class RunWriter:
    """Writes one run. Use as a context manager: Ctrl-C marks it `interrupted`, an error or no `finish` `failed`.

    >>> with RunWriter(folder, manifest) as writer:      # doctest: +SKIP
    ...     writer.write("orders", table)
    ...     writer.finish(audit(writer.tables, manifest=manifest))
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        """Make the folder and write the manifest. Raises RunState when the folder already holds a run."""
        self.folder = Path(folder)
        self.manifest = manifest
        self.tables: dict[str, pa.Table] = {}
        if (self.folder / MANIFEST).exists():
            raise RunState(f"{self.folder}: already holds a run")
        self.folder.mkdir(parents=True, exist_ok=True)
        self._save()

    def write(self, name: str, rows: pa.Table | Iterable[Mapping[str, Any]]) -> None:
        """Write one table, replacing an earlier one of that name. Raises WrongTable, or RunState after the end."""
        self._must_run()
        table = as_table(name, rows)
        temporary = self.folder / f".{name}.parquet.part"
        pq.write_table(table, temporary, compression="zstd")
        os.replace(temporary, self.folder / f"{name}.parquet")
        self.tables[name] = table

    def write_all(self, tables: RunTables) -> None:
        """Write every table of `tables`."""
        for name, table in tables.items():
            self.write(name, table)

    def write_trace(self, trace: Trace) -> None:
        """Keep the trace that the run started from, and note its length for the audit."""
        self._must_run()
        temporary = self.folder / f".{TRACE}.part"
        trace.write(temporary)
        os.replace(temporary, self.folder / TRACE)
        self.note(intents=len(trace))

    def note(self, **notes: Any) -> None:
        """Add to the manifest's notes (JSON values). Saved at once."""
        self._must_run()
        self.manifest.notes.update(notes)
        self._save()

    def finish(
        self, verdicts: Sequence[Verdict] = (), *, status: Status = "finished", now: datetime | None = None
    ) -> None:
        """End the run: the manifest gets the verdicts, the tables' hash and its status. `now`: UTC, for tests."""
        self._must_run()
        self.manifest = self.manifest.ended(
            status, verdicts=verdicts, table_hash=tables_hash(self.tables) if self.tables else None, now=now
        )
        self._save()

    def _must_run(self) -> None:
        if self.manifest.status != "running":
            raise RunState(f"{self.folder}: the run is {self.manifest.status}; nothing can be added to it")

    def _save(self) -> None:
        temporary = self.folder / f".{MANIFEST}.part"
        with temporary.open("w", encoding="utf-8") as file:
            file.write(self.manifest.to_json())
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, self.folder / MANIFEST)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self.manifest.status != "running":
            return
        for part in self.folder.glob(".*.part"):
            part.unlink(missing_ok=True)
        self.finish(status="interrupted" if kind is not None and issubclass(kind, KeyboardInterrupt) else "failed")


class _LazyTables(Mapping[str, pa.Table]):
    """The tables of a folder, read when first asked for; an absent file is a table without rows."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, pa.Table] = {}

    def __getitem__(self, name: str) -> pa.Table:
        if name not in TABLES:
            raise KeyError(name)
        if name not in self._read:
            self._read[name] = self._load(name)
        return self._read[name]

    def _load(self, name: str) -> pa.Table:
        path = self._folder / f"{name}.parquet"
        if not path.exists():
            return empty(name)
        try:
            return as_table(name, pq.read_table(path))
        except (pa.ArrowInvalid, OSError) as error:
            raise DamagedRun(f"{path}: cannot be read ({str(error).splitlines()[0]})") from error
        except WrongTable as error:
            raise DamagedRun(f"{path}: {error}") from error

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


class RunReader:
    """Reads one run folder. Tables are read on first use and kept."""

    def __init__(self, folder: Path) -> None:
        """Open the folder. Raises MissingRun when it holds no run, DamagedRun when its manifest cannot be read."""
        self.folder = Path(folder)
        path = self.folder / MANIFEST
        if not self.folder.is_dir():
            raise MissingRun(f"{self.folder}: no such run folder")
        if not path.exists():
            raise MissingRun(f"{self.folder}: not a run (it has no {MANIFEST})")
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DamagedRun(f"{path}: cannot be read ({error})") from error
        self.manifest = Manifest.from_json(text, where=str(path))
        self.tables: RunTables = _LazyTables(self.folder)

    @property
    def scenario(self) -> Scenario:
        """The scenario the run was made from. Raises DamagedRun when the manifest's dump is not one."""
        try:
            return Scenario.model_validate(self.manifest.scenario)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"])
            raise DamagedRun(f"{self.folder / MANIFEST}: scenario {place}: {first['msg']}") from error

    def table(self, name: str) -> pa.Table:
        """One table; without rows when the run did not write it. Raises WrongTable for an unknown name."""
        if name not in TABLES:
            raise WrongTable(f"no run table is called {name!r}; there are {', '.join(TABLES)}")
        return self.tables[name]

    def trace(self) -> Trace | None:
        """The trace the run started from, if it was kept."""
        path = self.folder / TRACE
        return Trace.read(path) if path.exists() else None


def floats(table: pa.Table, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """A float column as float64 [n], nulls as NaN, for arithmetic."""
    return np.asarray(table.column(name).to_numpy(), dtype=np.float64)
