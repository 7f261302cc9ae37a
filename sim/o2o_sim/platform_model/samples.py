"""Samples: the modelled platform's queues and work in progress, every ten run seconds.

Decides the metrics' names. Kitchens and riders are sampled by the actors' log.
"""

from __future__ import annotations

from collections.abc import Generator

from simpy import Event

from o2o_sim.actors.log import SAMPLE_S
from o2o_sim.platform_model.model import PlatformModel


class Sampler:
    """`rows` are (run second, metric, value); `arrivals` counts the intents of the ten seconds before."""

    def __init__(self, model: PlatformModel) -> None:
        self.rows: list[tuple[float, str, float]] = []
        self._model = model

    def run(self) -> Generator[Event, object, None]:
        """The sampling process."""
        model, env = self._model, self._model.desk.env
        arrived = 0
        while True:
            now = env.now
            desk, printing = model.desk, model.printing
            values = {
                "arrivals": model.orders.arrivals - arrived,
                "in_flight": model.orders.in_flight,
                "workers_waiting": desk.workers.waiting(now),
                "workers_busy": desk.workers.busy(now),
                "relay_waiting": printing.relay.waiting(now),
                "dispatchers_waiting": printing.dispatchers.waiting(now),
                "dispatchers_busy": printing.dispatchers.busy(now),
                "tickets_waiting": printing.waiting(),
                "orders_without_rider": len(model.riders.waiting),
                "riders_free": len(model.riders.free),
            }
            arrived = model.orders.arrivals
            self.rows += [(now, metric, float(value)) for metric, value in values.items()]
            yield env.timeout(SAMPLE_S)
