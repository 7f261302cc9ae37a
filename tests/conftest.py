"""What all tests share: how property tests search.

By default they try the same examples on every run, so that a red run means a change and can be repeated;
HYPOTHESIS_PROFILE=explore looks further, at random. What was skipped for want of a browser or a server is told at the
end of a run, where nobody can miss it.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

SLOW_IS_FINE = [HealthCheck.too_slow]  # machines are shared
settings.register_profile("o2o", derandomize=True, deadline=None, max_examples=150, suppress_health_check=SLOW_IS_FINE)
settings.register_profile("explore", deadline=None, max_examples=5000, suppress_health_check=SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "o2o"))

NOT_TESTED = "NOT TESTED"


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
