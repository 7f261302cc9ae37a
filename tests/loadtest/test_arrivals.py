"""Open workload: arrivals keep their times whatever the journeys do."""

from __future__ import annotations

import time

import gevent
from gevent.event import Event

from o2o_loadtest.arrivals import ArrivalEngine


def test_a_slow_answer_delays_no_arrival() -> None:
    release = Event()
    started: list[int] = []

    def journey(index: int) -> None:
        started.append(index)
        if index == 0:
            release.wait()  # the platform hangs on the first order
        if index == 4:
            release.set()

    engine = ArrivalEngine(time.time(), [0.0, 0.005, 0.01, 0.015, 0.02], journey)
    with gevent.Timeout(20):
        engine.run()
    assert started == [0, 1, 2, 3, 4]
    assert engine.started == 5


def test_no_journey_starts_before_its_time() -> None:
    epoch = time.time() + 0.02
    times = [0.0, 0.01, 0.011, 0.03]
    sent: list[float] = []
    with gevent.Timeout(20):
        ArrivalEngine(epoch, times, lambda index: sent.append(time.time() - epoch)).run()
    assert len(sent) == len(times)
    assert all(at >= due for at, due in zip(sent, times, strict=True))


def test_stop_starts_no_more() -> None:
    engine: ArrivalEngine

    def journey(index: int) -> None:
        if index == 1:
            engine.stop()

    engine = ArrivalEngine(time.time(), [0.0, 0.001, 3600.0], journey)
    with gevent.Timeout(20):
        engine.run()
    assert engine.started == 2
