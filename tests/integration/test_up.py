"""`o2o up` with servers of its own: ready, every child killed and back, ended without a trace, started again with
all it had; and an order that goes through all of its processes to paper.

The order of the tests is the life of one set, which takes long to start.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from o2o_cli.errors import UsageError
from o2o_cli.up.folder import StateFolder, running
from o2o_cli.up.mqtt_broker import find_mosquitto
from o2o_cli.up.postgres import drop_cluster, find_programs
from o2o_devices.paper import read_paper
from o2o_domain.ticket_layout import parse

pytestmark = pytest.mark.anyio

PATIENCE_S = 180.0
CHILDREN = {
    "postgres": "postgres",
    "redis": "redis",
    "broker": "broker",
    "provider": "provider",
    "printers": "printers",
    "relay": "relay",
    "worker-1": "worker",
    "worker-2": "worker",
    "dispatcher-1": "dispatcher",
}
PRINTERS = 3


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def missing_servers() -> str:
    try:
        find_programs()
        find_mosquitto()
    except UsageError as error:
        return str(error)
    return "" if shutil.which("redis-server") else "redis-server is not on this machine"


class Set:
    """`o2o up` as a process of its own, and what it tells of itself."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.said: dict[str, Any] = {}
        self._log = folder / "up.log"
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        argv = [sys.executable, "-m", "o2o_cli.main", "up", "--state", str(self.state), "--port", "0", "--announce"]
        argv += ["--workers", "2", "--printers", str(PRINTERS), "--broker"]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("O2O_")}
        environment |= {"O2O_ENFORCE_HOURS": "false", "O2O_PRINT_ACK_TIMEOUT_S": "5"}
        with self._log.open("a") as log:
            self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        stuck = threading.Timer(PATIENCE_S, self._process.kill)
        stuck.start()
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        stuck.cancel()
        assert line, self._log.read_text() + self.logs()
        self.said = json.loads(line)

    def end(self, how: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(how)
        code = self._process.wait(PATIENCE_S)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def table(self) -> dict[str, Any]:
        table: dict[str, Any] = json.loads((self.state / "up.json").read_text(encoding="utf-8"))
        return table

    def rows(self) -> dict[str, dict[str, Any]]:
        return {row["name"]: row for row in self.table()["processes"]}

    def logs(self) -> str:
        return "\n".join(f"{path.name}: {path.read_text()[-500:]}" for path in (self.state / "logs").glob("*.log"))

    def close(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self.end(signal.SIGTERM)
        drop_cluster(StateFolder(self.state))

    @property
    def password(self) -> str:
        return str(json.loads((self.state / "settings.json").read_text())["admin_password"])


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Set]:
    if why := missing_servers():
        message = f"NOT TESTED: {why}"
        if os.environ.get("O2O_REQUIRE_ALL") == "1":
            pytest.fail(message)
        pytest.skip(message)
    made = Set(tmp_path_factory.mktemp("up"))
    try:
        made.start()
        yield made
    finally:
        made.close()


@pytest.fixture(scope="module")
def memory() -> dict[str, Any]:
    """What one test leaves for a later one: the platform goes on, so does this."""
    return {}


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def test_the_state_file_names_every_process(whole: Set) -> None:
    table, rows = whole.table(), whole.rows()
    assert (table["format"], table["state"]) == (1, "ready")
    assert {name: row["kind"] for name, row in rows.items()} == CHILDREN
    assert {row["state"] for row in rows.values()} == {"ready"}
    assert {row["restarts"] for row in rows.values()} == {0}
    assert not any(gone(row["pid"]) for row in rows.values())
    assert table["base_url"].endswith(f":{rows['worker-1']['port']}")
    assert table["provider_url"].endswith(f":{rows['provider']['port']}")
    assert {name: whole.said[name] for name in ("ready", "base_url", "provider_url", "pid")} == {
        "ready": True,
        "base_url": table["base_url"],
        "provider_url": table["provider_url"],
        "pid": table["pid"],
    }
    assert running(whole.state) == table["pid"]
    secrets = json.loads((whole.state / "kept.json").read_text())
    told = json.dumps([table, whole.said])
    assert not any(str(secret) in told for name, secret in secrets.items() if not name.endswith("_port"))
    for name in ("kept.json", "settings.json", "redis.conf"):
        assert (whole.state / name).stat().st_mode & 0o077 == 0, name


def test_status_shows_the_table(whole: Set) -> None:
    argv = [sys.executable, "-m", "o2o_cli.main", "up", "--status", "--state", str(whole.state)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    for name, row in whole.rows().items():
        (line,) = (line for line in done.stdout.splitlines() if line.startswith(f"{name} "))
        assert line.split()[1:4] == ["ready", str(row["pid"]), str(row["port"] or "-")]


def test_a_folder_holds_one_set(whole: Set) -> None:
    argv = [sys.executable, "-m", "o2o_cli.main", "up", "--state", str(whole.state), "--port", "0"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"another `o2o up` runs there (pid {whole.said['pid']})" in done.stderr


async def test_an_order_goes_through_all_of_them_to_paper(
    whole: Set, town_of: Any, memory: dict[str, Any], wait_until: Callable[..., Any], anyio_backend: str
) -> None:
    town = memory["town"] = town_of(whole.said["base_url"], whole.password)
    await town.client.aclose()
    async with connected(whole, memory):
        await _first_order(whole, memory)


@asynccontextmanager
async def connected(whole: Set, memory: dict[str, Any]) -> AsyncIterator[httpx.AsyncClient]:
    """The town with a client of this test's event loop."""
    async with httpx.AsyncClient(base_url=whole.said["base_url"], timeout=30.0, trust_env=False) as client:
        memory["town"].client = client
        yield client


async def _first_order(whole: Set, memory: dict[str, Any]) -> None:
    town = memory["town"]
    await town.log_in()
    printers = memory["printers"] = json.loads((whole.state / "printers.json").read_text())
    memory["shops"] = [await town.merchant(f"shop-{number}", printers[str(number)]) for number in range(PRINTERS)]
    memory["user"] = await town.account("user", "consumer", segment="work_meal")
    await _order_and_read(whole, town, memory, memory["shops"][0])
    for name in ("relay", "dispatcher-1"):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{whole.rows()[name]['port']}") as health:
            assert (await health.get("/readyz")).json() == {"status": "ready"}
            assert "o2o_duty" in (await health.get("/metrics")).text


async def _order_and_read(whole: Set, town: Any, memory: dict[str, Any], shop: int) -> None:
    placed = await town.order(memory["user"], shop)
    await town.pay(placed)
    paper = whole.state / "paper.jsonl"
    async with asyncio.timeout(PATIENCE_S):
        while True:
            if placed["order_no"] in {parse(piece.lines).order_no for piece in read_paper(paper)}:
                break
            await asyncio.sleep(0.1)
    memory.setdefault("orders", []).append(placed["order_no"])


@pytest.mark.parametrize("name", [name for name in CHILDREN if name != "worker-2"])
async def test_a_killed_process_is_back_where_it_was(
    whole: Set, memory: dict[str, Any], wait_until: Callable[..., Any], anyio_backend: str, name: str
) -> None:
    before = whole.rows()
    os.kill(before[name]["pid"], signal.SIGKILL)

    def back() -> bool:
        row = whole.rows()[name]
        return row["state"] == "ready" and row["restarts"] == before[name]["restarts"] + 1

    await asyncio.to_thread(wait_until, back, f"{name} is back", PATIENCE_S)
    after = whole.rows()
    assert after[name]["code"] == -signal.SIGKILL
    assert after[name]["pid"] != before[name]["pid"]
    assert after[name]["port"] == before[name]["port"]
    assert {other: row["restarts"] for other, row in after.items() if other != name} == {
        other: row["restarts"] for other, row in before.items() if other != name
    }
    assert json.loads((whole.state / "printers.json").read_text()) == memory["printers"]
    async with connected(whole, memory) as client, asyncio.timeout(PATIENCE_S):
        while (await client.get("/readyz")).status_code != 200:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
        await _order_and_read(whole, memory["town"], memory, memory["shops"][1])


async def test_it_ends_without_a_trace_and_goes_on_with_all_it_had(
    whole: Set, memory: dict[str, Any], processes_of: Any, anyio_backend: str
) -> None:
    pids = [row["pid"] for row in whole.rows().values()]
    ports = {row["port"] for row in whole.rows().values() if row["port"]}
    assert await asyncio.to_thread(whole.end, signal.SIGTERM) == 0
    assert all(gone(pid) for pid in pids)
    assert processes_of(whole.state) == []
    assert whole.table()["state"] == "stopped"
    assert {row["state"] for row in whole.rows().values()} == {"stopped"}
    assert {row["code"] for row in whole.rows().values()} == {0}
    assert running(whole.state) is None

    await asyncio.to_thread(whole.start)
    assert {row["port"] for row in whole.rows().values() if row["kind"] in ("postgres", "redis", "broker")} <= ports
    assert json.loads((whole.state / "printers.json").read_text()) == memory["printers"]
    async with connected(whole, memory):
        orders = {row["order_no"]: row for row in await memory["town"].export("orders")}  # with its old token
        assert set(memory["orders"]) <= set(orders)
        assert {orders[number]["state"] for number in memory["orders"]} <= {"paid", "printed", "accepted"}
        await _order_and_read(whole, memory["town"], memory, memory["shops"][2])


async def test_all_die_with_the_supervisor(
    whole: Set, processes_of: Any, wait_until: Callable[..., Any], anyio_backend: str
) -> None:
    pids = [row["pid"] for row in whole.rows().values()]
    assert await asyncio.to_thread(whole.end, signal.SIGKILL) == -signal.SIGKILL
    await asyncio.to_thread(wait_until, lambda: all(gone(pid) for pid in pids), "all children have ended", PATIENCE_S)
    await asyncio.to_thread(wait_until, lambda: processes_of(whole.state) == [], "nobody is left", PATIENCE_S)
