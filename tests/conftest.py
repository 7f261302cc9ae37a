"""What all tests share: how property tests search.

By default they try the same examples on every run, so that a red run means a change and can be repeated;
HYPOTHESIS_PROFILE=explore looks further, at random.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

SLOW_IS_FINE = [HealthCheck.too_slow]  # machines are shared
settings.register_profile("o2o", derandomize=True, deadline=None, max_examples=150, suppress_health_check=SLOW_IS_FINE)
settings.register_profile("explore", deadline=None, max_examples=5000, suppress_health_check=SLOW_IS_FINE)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "o2o"))
