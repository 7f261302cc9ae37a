"""Deadlines: overdue exactly when due and still open; nothing for what was settled in time."""

from __future__ import annotations

from simpy import Environment

from o2o_sim.platform_model.deadlines import Deadlines


def test_only_what_is_open_falls_due_at_its_own_instant():
    env = Environment()
    settled: set[str] = set()
    fallen: list[tuple[float, str]] = []
    deadlines = Deadlines[str](
        env, 10.0, is_open=lambda name: name not in settled, overdue=lambda name: fallen.append((env.now, name))
    )

    def life():
        deadlines.watch("a")
        yield env.timeout(3.0)
        deadlines.watch("b")
        deadlines.watch("c")
        yield env.timeout(1.0)
        settled.add("b")
        yield env.timeout(20.0)
        deadlines.watch("d")

    env.process(life())
    env.run()
    assert fallen == [(10.0, "a"), (13.0, "c"), (34.0, "d")]


def test_what_is_watched_again_when_due_falls_due_again():
    env = Environment()
    fallen: list[float] = []
    deadlines: Deadlines[str]

    def overdue(name: str) -> None:
        fallen.append(env.now)
        if len(fallen) < 3:
            deadlines.watch(name)

    deadlines = Deadlines(env, 7.0, is_open=lambda _: True, overdue=overdue)
    deadlines.watch("a")
    env.run()
    assert fallen == [7.0, 14.0, 21.0]


def test_a_thousand_settled_things_cost_one_event():
    env = Environment()
    settled: set[int] = set(range(1000))
    deadlines = Deadlines[int](env, 10.0, is_open=lambda n: n not in settled, overdue=lambda n: None)
    for number in range(1000):
        deadlines.watch(number)
    env.run()
    assert next(env._eid) == 1
