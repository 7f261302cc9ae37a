"""Scene: what every actor of one run sees, and how it insists on a call.

Decides which facts actors share (clock, city, port, the intents' columns, the counters where dishes change hands) and
how often a call is tried again. Leaves what is done with them to the actors.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from simpy import Environment, Event

from o2o_scenarios.schema import Scenario
from o2o_scenarios.trace import Trace
from o2o_sim.city.model import City
from o2o_sim.city.travel import TravelTimes
from o2o_sim.port import Platform, Reply
from o2o_sim.tempo import Tempo

Steps: TypeAlias = Generator[Event, Any, Any]
"""An actor's life, or a part of it that may return something: a SimPy process."""

FIRST_BACKOFF_S = 0.5
MAX_BACKOFF_S = 15.0
MAX_TRIES = 10


@dataclass(frozen=True)
class Errands:
    """The columns of the trace that actors need, as lists indexed by order_id (= intent_id)."""

    user_id: list[int]
    merchant_id: list[int]
    drop_node: list[int]
    drop_lat: list[float]
    drop_lng: list[float]
    prep_s: list[float]
    review_stars: list[int]
    redeem_after_s: list[float | None]

    @classmethod
    def of(cls, trace: Trace) -> Errands:
        """Read the columns. Raises ValueError if the intents are not numbered 0, 1, 2, ..."""
        table: pa.Table = trace.table
        ids = table.column("intent_id").to_numpy()
        if not np.array_equal(ids, np.arange(len(ids))):
            raise ValueError("the trace's intent_id must be 0, 1, 2, ...")
        return cls(**{name: table.column(name).to_pylist() for name in cls.__dataclass_fields__})


class Counters:
    """Where kitchens put dishes and riders take them: one event an order, in the city and not on the platform."""

    def __init__(self, env: Environment) -> None:
        self._env = env
        self._served: dict[int, Event] = {}

    def served(self, order_id: int) -> Event:
        """Succeeds with True when the order stands on the counter, with False when it never will."""
        event = self._served.get(order_id)
        if event is None:
            event = self._served[order_id] = self._env.event()
        return event

    def put(self, order_id: int, *, on_counter: bool) -> None:
        """The kitchen is done with the order, or has given it up."""
        event = self.served(order_id)
        if not event.triggered:
            event.succeed(on_counter)


@dataclass(frozen=True)
class Scene:
    """One run's surroundings."""

    env: Environment
    scenario: Scenario
    city: City
    errands: Errands
    port: Platform
    tempo: Tempo
    travel: TravelTimes
    start_min: float
    """Minute of the city's day at the epoch."""
    counters: Counters = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "counters", Counters(self.env))

    @property
    def city_now_s(self) -> float:
        """City seconds since the epoch."""
        return self.tempo.city_s(self.env.now)

    @property
    def minute_of_day(self) -> int:
        """Minute of the city's day, 0..1439."""
        return int(self.start_min + self.city_now_s / 60.0) % 1440


def insist(env: Environment, call: Callable[[], Event]) -> Generator[Event, Any, Reply]:
    """Make a call, and again after 0.5, 1, 2, ... 15 run seconds while the reply says that it may succeed later.

    Returns the last reply, at the latest after ten tries. (Run seconds: overload is the platform's, not the city's.)
    """
    backoff = FIRST_BACKOFF_S
    for _ in range(MAX_TRIES - 1):
        reply: Reply = yield call()
        if not reply.transient:
            return reply
        yield env.timeout(backoff)
        backoff = min(2.0 * backoff, MAX_BACKOFF_S)
    reply = yield call()
    return reply
