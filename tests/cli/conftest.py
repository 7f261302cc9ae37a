"""The command line as a test meets it: in this process, in an empty folder, with nothing of the user's environment."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from o2o_cli.errors import guarded
from o2o_cli.main import app

TINY = """\
name: tiny
clock: {duration_s: 3600, drain_s: 3600}
city: {nodes: 100, extent_km: 2, zones: 4, merchants: {count: 5}, users: {count: 50}, riders: {count: 10}}
demand: {orders_per_hour: 60}
crm: {leads: 10, bds: 1}
"""


@dataclass(frozen=True)
class Said:
    """What a command left: its exit code, and what it wrote to standard output and standard error."""

    code: int
    out: str
    err: str


O2O = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder with the scenario tiny.yaml, and no O2O_ variable set."""
    for name in [name for name in os.environ if name.startswith("O2O_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY, encoding="utf-8")
    return tmp_path


@pytest.fixture
def o2o(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> O2O:
    """Call the entry point as the console script does: o2o("simulate", "tiny.yaml") -> Said."""

    def call(*args: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["o2o", *args])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            guarded(lambda: app(list(args), prog_name="o2o", standalone_mode=False))
        said = capsys.readouterr()
        code = ended.value.code
        return Said(code if isinstance(code, int) else 0 if code is None else 1, said.out, said.err)

    return call
