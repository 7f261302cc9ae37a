"""The SimPy environment on a wall clock that the test turns by hand."""

from __future__ import annotations

import asyncio

from simpy import Store

from o2o_loadtest.realtime import WARM_UP_S, RealtimeEnvironment


class Wall:
    """A clock that stands until it is set."""

    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def test_time_is_run_seconds_since_the_epoch_also_before_it() -> None:
    wall = Wall(97.0)
    env = RealtimeEnvironment(wall=wall)
    env.start(100.0)
    env.catch_up(env.wall_now())
    assert env.now == WARM_UP_S  # the clock never goes back
    wall.at = 102.5
    env.catch_up(env.wall_now())
    assert env.now == 2.5


def test_events_are_processed_at_their_own_time_in_order() -> None:
    wall = Wall(0.0)
    env = RealtimeEnvironment(wall=wall)
    env.start(0.0)
    seen: list[float] = []

    def actor():  # type: ignore[no-untyped-def]
        for _ in range(3):
            yield env.timeout(2.0)
            seen.append(env.now)

    env.process(actor())
    env.catch_up(4.5)
    assert seen == [2.0 + WARM_UP_S, 4.0 + WARM_UP_S]
    assert env.now == 4.5
    assert env.worst_lag_s == 4.5 - WARM_UP_S  # the start of the process was due when the clock stood


def test_what_comes_from_outside_enters_at_the_present_not_in_the_past() -> None:
    wall = Wall(0.0)
    env = RealtimeEnvironment(wall=wall)
    env.start(0.0)
    inbox: Store = Store(env)
    got: list[tuple[float, str]] = []

    def actor():  # type: ignore[no-untyped-def]
        message = yield inbox.get()
        got.append((env.now, message))
        reply = env.event()
        wall.at = 9.0
        env.enter(reply, "reply")
        got.append((env.now, (yield reply)))

    env.process(actor())
    env.catch_up(1.0)
    wall.at = 7.0
    env.act(lambda: inbox.put("paper"))
    env.catch_up(7.0)
    assert got[0] == (7.0, "paper")


def test_a_burst_is_cut_into_parts_so_that_the_loop_gets_its_turn() -> None:
    env = RealtimeEnvironment(wall=Wall(0.0))
    env.start(0.0)
    for _ in range(10):
        env.timeout(1.0)
    assert env.catch_up(1.0, most=4) is False
    assert env.catch_up(1.0, most=100) is True


def test_before_the_start_time_stands_and_messages_pass() -> None:
    env = RealtimeEnvironment(wall=Wall(50.0))
    seen: list[str] = []

    def actor():  # type: ignore[no-untyped-def]
        seen.append((yield reply))
        yield env.timeout(0.001)
        seen.append("later")

    reply = env.event()
    env.process(actor())
    env.enter(reply, "logged in")
    env.catch_up(env.wall_now())
    assert seen == ["logged in"]
    assert env.now == WARM_UP_S
    env.start(49.0)
    env.catch_up(env.wall_now())
    assert seen == ["logged in", "later"]


def test_play_follows_the_wall_and_wakes_for_messages() -> None:
    async def story() -> list[str]:
        env = RealtimeEnvironment(wall=asyncio.get_running_loop().time)
        inbox: Store = Store(env)
        got: list[str] = []

        def actor():  # type: ignore[no-untyped-def]
            while True:
                got.append((yield inbox.get()))

        env.process(actor())
        player = asyncio.create_task(env.play(lambda: len(got) == 2))
        await asyncio.sleep(0)
        for word in ("one", "two"):
            env.act(lambda word=word: inbox.put(word))
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await player
        return got

    assert asyncio.run(story()) == ["one", "two"]
