"""A supervisor with tiny children: ready, killed, started again, failing, ended in order, dying with their parent."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from o2o_cli.up.child import Child, Program, StartFailed
from o2o_cli.up.supervisor import Backoff, Supervisor, unless

pytestmark = pytest.mark.anyio

PATIENCE_S = 60.0
GOOD = """
import json, signal, sys, time
print("hello", flush=True)
print(json.dumps({"ready": True, "told": "me"}), flush=True)
time.sleep(600)
"""
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + GOOD
BAD = "import sys; sys.exit('o2o: port 80: no permission')"
FAST = Backoff(first_s=0.01, most_s=0.05, good_s=60.0)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def supervisor(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Supervisor]:
    made = Supervisor(tmp_path, backoff=FAST)
    yield made
    await made.stop(list(made.children))


def program(name: str, source: str = GOOD, **more: Any) -> Program:
    return Program(name, "test", [sys.executable, "-c", source], **more)


async def until(check: Callable[[], Any]) -> Any:
    end = time.monotonic() + PATIENCE_S
    while not (found := check()):
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
    return found


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_ready_when_it_says_so_and_what_it_says_is_kept(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.start([program("one"), program("two")])
    child = supervisor.children["one"]
    assert (child.state, child.said, child.restarts) == ("ready", {"ready": True, "told": "me"}, 0)
    await until(lambda: (tmp_path / "one.log").read_text() == "hello\n")


async def test_a_killed_child_is_started_again_and_the_others_are_left_alone(supervisor: Supervisor) -> None:
    await supervisor.start([program("one"), program("two")])
    one, two = supervisor.children["one"], supervisor.children["two"]
    pids = one.pid, two.pid
    assert pids[0] is not None
    for times in (1, 2):
        assert one.pid is not None
        os.kill(one.pid, signal.SIGKILL)
        await until(lambda times=times: one.restarts == times and one.state == "ready")
        assert one.code == -signal.SIGKILL
    assert one.pid != pids[0]
    assert (two.pid, two.restarts, two.state) == (pids[1], 0, "ready")


async def test_a_child_that_cannot_start_is_told_with_its_last_words(supervisor: Supervisor) -> None:
    with pytest.raises(StartFailed, match=r"^bad ended with code 1 before it was ready: port 80: no permission$"):
        await supervisor.start([program("good"), program("bad", BAD)])
    with pytest.raises(StartFailed, match=r"^gone: cannot be started .*no/such/program"):
        await supervisor.start([Program("gone", "test", ["/no/such/program"])])


async def test_what_fails_after_it_was_ready_once_is_tried_again(supervisor: Supervisor, tmp_path: Path) -> None:
    spoiled = tmp_path / "spoiled"
    source = f"import os, sys\nif os.path.exists({str(spoiled)!r}): sys.exit('not now')\n{GOOD}"
    await supervisor.start([program("one", source)])
    child = supervisor.children["one"]
    spoiled.touch()
    assert child.pid is not None
    os.kill(child.pid, signal.SIGKILL)
    await until(lambda: child.restarts >= 3)
    spoiled.unlink()
    await until(lambda: child.state == "ready")


async def test_stop_asks_then_forces(tmp_path: Path, supervisor: Supervisor) -> None:
    await supervisor.start([program("polite"), program("stubborn", STUBBORN, grace_s=0.3)])
    pids = [child.pid for child in supervisor.children.values()]
    await supervisor.stop(["polite", "stubborn", "unknown"])
    codes = {name: child.code for name, child in supervisor.children.items()}
    assert codes == {"polite": -signal.SIGTERM, "stubborn": -signal.SIGKILL}
    assert {child.state for child in supervisor.children.values()} == {"stopped"}
    assert not any(alive(pid) for pid in pids if pid is not None)


async def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    parent = f"""
import asyncio, sys
from o2o_cli.up.child import Child, Program
child = Child(Program("one", "test", [sys.executable, "-c", {GOOD!r}]), None, lambda: None)
async def main():
    await child.start()
    print(child.pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    pid = int(await process.stdout.readline())
    assert alive(pid)
    process.kill()
    await process.wait()
    await until(lambda: not alive(pid))


async def test_every_change_of_state_is_told(tmp_path: Path) -> None:
    seen: list[str] = []
    child = Child(program("one"), None, lambda: seen.append(child.state))
    await child.start()
    await child.stop()
    assert seen == ["starting", "ready", "stopping", "stopped"]


async def test_work_is_broken_off_when_somebody_says_stop() -> None:
    stopped = asyncio.Event()
    assert await unless(stopped, asyncio.sleep(0))
    asyncio.get_running_loop().call_later(0.01, stopped.set)
    assert not await unless(stopped, asyncio.sleep(600))

    async def fails() -> None:
        raise StartFailed("no")

    with pytest.raises(StartFailed):
        await unless(asyncio.Event(), fails())


@pytest.mark.parametrize(("failures", "pause"), [(1, 0.1), (2, 0.2), (4, 0.8), (7, 5.0), (10_000, 5.0)])
def test_pauses_grow_up_to_a_limit(failures: int, pause: float) -> None:
    assert Backoff().pause_s(failures) == pytest.approx(pause)
