"""Both clocks, and waiting on either."""

from __future__ import annotations

import asyncio

import pytest

from o2o_platform.kit.clock import Clock, ManualClock, SystemClock, wait_for

pytestmark = pytest.mark.anyio


async def test_the_manual_clock_wakes_in_order_of_time(anyio_backend: str) -> None:
    clock, woken = ManualClock(100.0), []

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, clock.now()))

    tasks = [asyncio.create_task(sleeper(s)) for s in (3.0, 1.0, 2.0, 0.0)]
    await asyncio.sleep(0)
    assert clock.alarms == [101.0, 102.0, 103.0]
    clock.advance(2.0)
    await asyncio.gather(*tasks[1:])
    assert woken == [(0.0, 102.0), (1.0, 102.0), (2.0, 102.0)] or sorted(s for s, _ in woken) == [0.0, 1.0, 2.0]
    clock.advance(1.0)
    await tasks[0]
    assert clock.alarms == []


async def test_wait_for_gives_the_value_or_gives_up(anyio_backend: str) -> None:
    manual = ManualClock()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    waiting = asyncio.create_task(wait_for(manual, future, 5.0))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    manual.advance(5.0)
    with pytest.raises(TimeoutError):
        await waiting
    assert future.cancelled()
    assert manual.alarms == []
    clocks: tuple[Clock, ...] = (ManualClock(), SystemClock())
    for clock in clocks:
        done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        done.set_result(7)
        assert await wait_for(clock, done, 60.0) == 7
