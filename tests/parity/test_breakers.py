"""S11: the same questions at the same times, a helper dead at the same times: the same states in both worlds.

The platform asks through its real client side (`kit.breaker.Helper`), whose network is replaced by one that is dead at
given times; the model through its helper desk.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import simpy
from hypothesis import given, settings
from hypothesis import strategies as st

from o2o_domain.breaker import BreakerPolicy
from o2o_platform.kit.breaker import Change, Helper
from o2o_platform.kit.clock import ManualClock
from o2o_scenarios.schema import PlatformSpec
from o2o_sim.platform_model.helper_desk import HelperDesk
from o2o_sim.tempo import Tempo

PAUSES = st.lists(st.sampled_from([0.25, 0.5, 1.0, 4.5, 5.0, 7.25]), min_size=1, max_size=60)
OUTAGES = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), max_size=4)

Row = tuple[float, str, str, str]


class _Network:
    """Instead of an Exchange: answers each question with 1, or nobody is there."""

    def __init__(self, clock: ManualClock, outages: list[tuple[float, float]]) -> None:
        self._clock = clock
        self._outages = outages

    async def post(self, body: bytes) -> tuple[int, bytes]:
        if any(kill <= self._clock.now() < back for kill, back in self._outages):
            raise ConnectionRefusedError
        return 200, b"[1]"

    def close(self) -> None:
        pass


def in_the_platform(times: list[float], outages: list[tuple[float, float]], policy: BreakerPolicy) -> list[Row]:
    clock, changes = ManualClock(0.0), list[Change]()

    async def ask_all() -> None:
        helper = Helper(
            "risk", "http://127.0.0.1:9", int, 0, policy=policy, timeout_s=60.0, clock=clock, on_change=changes.append
        )
        helper._exchange = _Network(clock, outages)  # type: ignore[assignment]
        for at in times:
            clock.advance(at - clock.now())
            await helper.ask({})
        await helper.close()

    asyncio.run(ask_all())
    return [(change.at, change.from_state.value, change.to_state.value, change.reason) for change in changes]


def in_the_model(times: list[float], outages: list[tuple[float, float]], policy: BreakerPolicy) -> list[Row]:
    env = simpy.Environment()
    spec = PlatformSpec(
        helpers=("risk",),
        breaker={"failures": policy.failures, "open_s": policy.open_s},
        helper_faults=[{"helper": "risk", "kill_s": kill, "back_s": back} for kill, back in outages],
    )

    def later(delay_s: float, callback: Any) -> None:
        env.timeout(delay_s).callbacks.append(callback)

    desk: Any = SimpleNamespace(
        env=env,
        scenario=SimpleNamespace(platform=spec),
        tempo=Tempo(),
        service=SimpleNamespace(helper={"risk": [0.0] * len(times)}),
        later=later,
        decisions=None,
    )
    helpers = HelperDesk(desk, SimpleNamespace())  # type: ignore[arg-type]

    def ask_all() -> Any:
        for number, at in enumerate(times):
            yield env.timeout(at - env.now)
            helpers.ask("risk", number, lambda ok: None)

    env.process(ask_all())
    env.run()
    return [(at, from_state, to_state, reason) for _, at, from_state, to_state, reason in helpers.changes]


@settings(deadline=None)
@given(PAUSES, OUTAGES, st.integers(1, 6), st.sampled_from([1.0, 5.0]))
def test_both_worlds_go_through_the_same_states_at_the_same_times(
    pauses: list[float], spans: list[tuple[int, int]], failures: int, open_s: float
) -> None:
    times, now = [], 0.0
    for pause in pauses:
        now += pause
        times.append(now)
    outages, end = [], 0.0
    for after, length in spans:
        outages.append((end + after, end + after + length))
        end = outages[-1][1]
    policy = BreakerPolicy(failures=failures, open_s=open_s)
    assert in_the_platform(times, outages, policy) == in_the_model(times, outages, policy)


def test_an_outage_is_seen_in_both() -> None:
    """The property above does not hold because nothing ever happens."""
    times = [float(second) for second in range(1, 100)]
    rows = in_the_model(times, [(10.0, 30.0)], BreakerPolicy())
    assert rows == in_the_platform(times, [(10.0, 30.0)], BreakerPolicy())
    assert [row[0] for row in rows] == [14.0, 19.0, 19.0, 24.0, 24.0, 29.0, 29.0, 34.0, 35.0]
    assert rows[-1][1:] == ("half_open", "closed", "trials_passed")
