"""What all tests share: how property tests search.

By default they try the same examples on every run, so that a red run means a change and can be repeated;
HYPOTHESIS_PROFILE=explore looks further, at random.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile("o2o", derandomize=True, deadline=None, database=None)
settings.register_profile(
    "explore", max_examples=5000, deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "o2o"))
