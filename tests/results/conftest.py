"""Fixtures of the results tests: the invented city of `fake_run`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest


def _load() -> ModuleType:
    # Tests are no package (import mode importlib), so the shared module is loaded by its path.
    name = "results_fake_run"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("fake_run.py"))
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """The module fake_run."""
    return _load()


@pytest.fixture(scope="session")
def lunch(fake: ModuleType) -> dict[str, pa.Table]:
    """A clean run of 400 intents. Tables are immutable; tests replace entries in a copy of the dict."""
    tables: dict[str, pa.Table] = fake.fake_tables(400)
    return tables


@pytest.fixture(scope="session")
def weeks(fake: ModuleType) -> dict[str, pa.Table]:
    """A clean history of leads."""
    tables: dict[str, pa.Table] = fake.fake_pools()
    return tables
