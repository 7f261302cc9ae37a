"""What all tests share: how property tests search.

By default they try the same examples on every run, so that a red run means a change and can be repeated;
HYPOTHESIS_PROFILE=explore looks further, at random. What was skipped for want of a browser or a server is told at the
end of a run, where nobody can miss it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

import servers

SLOW_IS_FINE = [HealthCheck.too_slow]  # machines are shared
settings.register_profile("o2o", derandomize=True, deadline=None, max_examples=150, suppress_health_check=SLOW_IS_FINE)
settings.register_profile("explore", deadline=None, max_examples=5000, suppress_health_check=SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "o2o"))

NOT_TESTED = "NOT TESTED"


@pytest.fixture
def postgres_url() -> Iterator[str]:
    """A PostgreSQL database of the test's own."""
    with servers.postgres_database() as url:
        yield url


@pytest.fixture
def redis_place() -> Iterator[tuple[str, str]]:
    """(URL, key prefix) of a corner of Redis of the test's own."""
    with servers.redis_prefix() as place:
        yield place


def pytest_sessionfinish() -> None:
    """Drop what tests were lent."""
    servers.drop_databases()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say loudly what was not tested."""
    reasons: dict[str, int] = {}
    for report in terminalreporter.stats.get("skipped", []):
        reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
        if NOT_TESTED in reason:
            reason = reason.removeprefix("Skipped: ")
            reasons[reason] = reasons.get(reason, 0) + 1
    for reason, count in sorted(reasons.items()):
        terminalreporter.write_sep("!", f"{count} tests skipped", yellow=True, bold=True)
        terminalreporter.write_line(f"{reason} (O2O_REQUIRE_ALL=1 makes this a failure)", yellow=True)
