"""A city so small that a live run of it takes seconds, and the processes that such tests start."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import servers
from o2o_scenarios.schema import Scenario

PASSWORD = "only-for-this-test"
PATIENCE_S = 60.0
"""Nothing here takes longer, on however busy a machine; what does has failed."""

SMALL: dict[str, Any] = {
    "name": "small",
    "seed": 5,
    "clock": {"start_min": 690, "duration_s": 360, "drain_s": 1500},
    "load": {"speed": 60},
    "city": {
        "nodes": 100,
        "extent_km": 1.2,
        "rivers": 0,
        "zones": 4,
        "merchants": {"count": 15, "dishes": 4, "prep_median_s": 60, "kitchen_slots_mean": 8},
        "users": {"count": 60},
        "riders": {"count": 40, "pickup_s": 20, "dropoff_s": 20, "shift_h": 12},
    },
    "demand": {"orders_per_hour": 700, "deals_per_hour": 120, "review_share": 0.5},
    "printing": {
        "ack_timeout_s": 1.5,
        "retry_backoff_s": 0.2,
        "max_attempts": 10,
        "faults": {"paper_end": 0.08, "offline": 0.08, "lost_ack": 0.08, "repair_mean_s": 40},
    },
    "coupons": [{"code": "LUNCH", "threshold_fen": 1500, "off_fen": 300, "budget_fen": 2500, "per_user": 2}],
    "crm": {"leads": 20, "bds": 2, "visit_min": 4, "sign_chance": 0.9},
}


@pytest.fixture(scope="session")
def small() -> Scenario:
    """Seventy orders and a dozen deals in six seconds; printers that fail often and are soon repaired."""
    return Scenario.model_validate(SMALL)


def wait_until(check: Callable[[], Any], what: str, limit_s: float = PATIENCE_S) -> Any:
    """What `check()` returns once it is true. Fails after `limit_s`."""
    end = time.monotonic() + limit_s
    while not (found := check()):
        assert time.monotonic() < end, f"not within {limit_s:g} s: {what}"
        time.sleep(0.05)
    return found


@pytest.fixture(scope="session", name="wait_until")
def _wait_until() -> Callable[..., Any]:
    return wait_until


@pytest.fixture(scope="session")
def processes_of() -> Callable[[Path], list[int]]:
    """A function: the ids of processes whose command line or environment names a folder."""

    def find(folder: Path) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                told = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
                if os.fsencode(folder) in told and int(entry.name) != os.getpid():
                    found.append(int(entry.name))
        return found

    return find


class Served:
    """`o2o serve --announce` as a process of its own, on free ports; `start` may be called again after an end."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder = folder
        self.database = folder / "served.db"
        self.base_url = self.provider_url = ""
        self.process: subprocess.Popen[str] | None = None
        values = {"admin_password": PASSWORD, **settings}
        self._environment = {**os.environ, **{f"O2O_{name.upper()}": str(value) for name, value in values.items()}}

    def start(self, port: int = 0, provider_port: int = 0) -> None:
        """Start it and wait until it says that it is ready."""
        argv = [sys.executable, "-m", "o2o_cli.main", "serve", "--port", str(port), "--provider-port"]
        argv += [str(provider_port), "--database", f"sqlite:///{self.database}", "--announce"]
        with (self.folder / "serve.log").open("a") as log:
            self.process = subprocess.Popen(
                argv, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment, cwd=self.folder
            )
        stuck = threading.Timer(PATIENCE_S, self.process.kill)
        stuck.start()
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        stuck.cancel()
        assert line, (self.folder / "serve.log").read_text()
        said = json.loads(line)
        self.base_url, self.provider_url = said["base_url"], said["provider_url"]

    def end(self, how: signal.Signals) -> int:
        """Send a signal and wait; returns the exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(PATIENCE_S)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def close(self) -> None:
        """Whatever happened, nothing is left running."""
        if self.process is not None and self.process.poll() is None:
            self.end(signal.SIGKILL)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """A function: a platform with these settings, not started yet."""
    made: list[Served] = []

    def make(**settings: Any) -> Served:
        made.append(Served(tmp_path, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Scaled:
    """`o2o up` with two workers, on the tests' own PostgreSQL and Redis."""

    def __init__(self, folder: Path, database: str, redis: str, settings: dict[str, Any]) -> None:
        self.state = folder / "state"
        argv = [sys.executable, "-m", "o2o_cli.main", "up", "--state", str(self.state), "--port", "0", "--announce"]
        argv += ["--workers", "2", "--printers", "0", "--database", database, "--redis", redis]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("O2O_")}
        environment |= {f"O2O_{name.upper()}": str(value) for name, value in settings.items()}
        with (folder / "up.log").open("w") as log:
            self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        stuck = threading.Timer(PATIENCE_S, self._process.kill)
        stuck.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        stuck.cancel()
        assert line, (folder / "up.log").read_text()
        self.base_url = str(json.loads(line)["base_url"])

    def kill_a_worker(self) -> None:
        rows = json.loads((self.state / "up.json").read_text(encoding="utf-8"))["processes"]
        os.kill(next(row["pid"] for row in rows if row["name"] == "worker-1"), signal.SIGKILL)

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(params=["embedded", "scaled"])
def platform(
    request: pytest.FixtureRequest, tmp_path: Path, served: Callable[..., Any]
) -> Iterator[tuple[str, Callable[[], None]]]:
    """A platform of processes of its own, with the settings in the module's SETTINGS: its URL, and what to do to it in
    the middle (the scaled set loses a worker)."""
    settings: dict[str, Any] = request.module.SETTINGS
    if request.param == "embedded":
        one = served(**settings)
        one.start()
        yield one.base_url, lambda: None
        return
    with servers.postgres_database() as database, servers.redis_prefix() as (redis, prefix):
        up = Scaled(tmp_path, database, redis, {**settings, "redis_prefix": prefix, "admin_password": PASSWORD})
        try:
            yield up.base_url, up.kill_a_worker
        finally:
            up.close()


@pytest.fixture(scope="session")
def town_of() -> Any:
    """The class `shops.Town`: a client of the platform at a URL, with the administrator's password."""
    # Tests are no package (import mode importlib), so the shared module is loaded by its path.
    spec = importlib.util.spec_from_file_location("integration_shops", Path(__file__).with_name("shops.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Town


@pytest.fixture(scope="session")
def password() -> str:
    """Of the administrator of the platforms that these tests start."""
    return PASSWORD
