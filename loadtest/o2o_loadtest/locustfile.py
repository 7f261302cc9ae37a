"""The Locust file: one generator that replays the trace as an open workload.

Started by `o2o load` as `locust -f`, with the run described in the file that O2O_LOAD_CONFIG names. Locust gives the
HTTP client, the statistics, the web UI and the event loop; the schedule is `arrivals`, the requests are `journey`. Each
journey's time from its intended moment stands in Locust's statistics beside the single requests. At the end the rows of
the run tables are left in the run's folder, as JSON lines.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import gevent
import msgspec
from locust import FastHttpUser, constant, events, task
from locust.env import Environment

from o2o_loadtest.arrivals import ArrivalEngine
from o2o_loadtest.config import LiveConfig, read_epoch
from o2o_loadtest.journey import Journeys
from o2o_loadtest.locustfile_names import JOURNEYS_FILE, REQUESTS_FILE
from o2o_scenarios.trace import Trace

REPORT_EVERY_S = 1.0
EPOCH_POLL_S = 0.02


class TraceReplay(FastHttpUser):
    """Not a user but the street they come down: starts every intent of the trace at its time."""

    fixed_count = 1
    wait_time = constant(0)
    concurrency = 256
    network_timeout = 30.0
    connection_timeout = 10.0
    max_retries = 0

    def __init__(self, environment: Environment) -> None:
        self.config = LiveConfig.from_environment()
        self.host = self.config.base_url
        super().__init__(environment)
        self._trace = Trace.read(Path(self.config.folder) / "trace.parquet")

    @task
    def replay(self) -> None:
        """The whole trace once; then this process is told to quit."""
        folder = Path(self.config.folder)
        self.config.epoch = self._epoch(folder)
        journeys = Journeys(self.config, self._trace.intents(), self.client.post, self.client.get, self._journey_done)
        engine = ArrivalEngine(self.config.epoch, journeys.intended_s(), journeys.run)
        reporter = gevent.spawn(_report, engine, len(self._trace))
        try:
            engine.run()
        finally:
            engine.stop()
            reporter.kill()
            _write(folder / REQUESTS_FILE, journeys.journal.requests)
            _write(folder / JOURNEYS_FILE, journeys.journal.journeys)
        # Apart, because quitting ends this greenlet; waited for, because a task that returns is started again.
        gevent.spawn(self._quit).join()

    def _quit(self) -> None:
        self.environment.runner.quit()
        if self.environment.web_ui is not None:
            self.environment.web_ui.stop()  # what the process waits for when the page is shown

    @staticmethod
    def _epoch(folder: Path) -> float:
        """Say that this generator is ready, and wait to be told when run second 0 is."""
        _say({"ready": True})
        while (epoch := read_epoch(folder)) is None:
            gevent.sleep(EPOCH_POLL_S)
        return epoch

    def _journey_done(self, name: str, seconds: float, error: str | None) -> None:
        self.environment.events.request.fire(
            request_type="JOURNEY",
            name=name,
            response_time=seconds * 1000.0,
            response_length=0,
            exception=RuntimeError(error) if error else None,
            context={},
        )


def _report(engine: ArrivalEngine, total: int) -> None:
    """Progress for the orchestrator: one JSON line a second on standard output."""
    while True:
        _say({"started": engine.started, "total": total})
        gevent.sleep(REPORT_EVERY_S)


def _say(line: dict[str, Any]) -> None:
    print(msgspec.json.encode(line).decode(), flush=True)


def _write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("wb") as file:
        for row in rows:
            file.write(msgspec.json.encode(row) + b"\n")


def _check_configuration(environment: Environment, **_: Any) -> None:
    """A missing configuration is one line, not a traceback in a greenlet."""
    try:
        LiveConfig.from_environment()
    except (KeyError, OSError, msgspec.ValidationError, msgspec.DecodeError) as error:
        sys.exit(f"o2o: this Locust file is started by `o2o load`, which sets O2O_LOAD_CONFIG ({error!r})")


events.init.add_listener(_check_configuration)  # type: ignore[no-untyped-call]
