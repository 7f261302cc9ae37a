"""Names of the files that the Locust process leaves in the run's folder.

They stand apart from `locustfile`, because importing that one patches the standard library for gevent.
"""

from __future__ import annotations

REQUESTS_FILE = "live-requests.jsonl"
JOURNEYS_FILE = "live-journeys.jsonl"
