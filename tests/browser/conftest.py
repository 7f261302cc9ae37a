"""The browser: Debian's Chromium through Playwright, or a loud skip; with O2O_REQUIRE_ALL=1 its absence fails."""

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

import pytest

RESULTS_TESTS = Path(__file__).parents[1] / "results"


def _absent(why: str) -> NoReturn:
    if os.environ.get("O2O_REQUIRE_ALL") == "1":
        pytest.fail(f"O2O_REQUIRE_ALL=1, and {why}")
    pytest.skip(f"NOT TESTED in a browser: {why}")


@pytest.fixture(scope="module")  # no longer: Playwright keeps an event loop in this thread, and others need it
def browser() -> Iterator[Any]:
    """A headless Chromium. O2O_CHROMIUM names its program; Playwright's own is taken when there is no other."""
    if importlib.util.find_spec("playwright") is None:
        _absent("the package playwright is not installed")
    from playwright.sync_api import Error, sync_playwright

    program = os.environ.get("O2O_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        try:
            chromium = playwright.chromium.launch(executable_path=program)
        except Error as error:
            _absent(f"chromium does not start: {str(error).splitlines()[0]}")
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def fake() -> ModuleType:
    """The invented runs of tests/results/fake_run.py."""
    name = "results_fake_run"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, RESULTS_TESTS / "fake_run.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]
