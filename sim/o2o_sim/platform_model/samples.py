"""Samples: the modelled platform's queues and work in progress, from its records, every ten run seconds.

Decides the metrics' names. Kitchens and riders are sampled by the actors' log.
"""

from __future__ import annotations

from typing import Any

from o2o_sim.platform_model.model import PlatformModel
from o2o_sim.sampling import counts, instants, level, long_form


def platform_samples(model: PlatformModel) -> list[dict[str, Any]]:
    """Rows of the run table `samples`; `arrivals` counts the intents of the ten seconds before."""
    at = instants(model.desk.env.now)
    orders, tickets = model.records, model.printing.tickets
    workers = model.desk.workers.times()
    dispatchers = model.printing.dispatchers.times()
    relay = model.printing.relay.times()
    ended = [order.closed if order.kind == "order" else order.closed or order.committed for order in orders]
    return long_form(
        at,
        {
            "arrivals": counts(at, [order.sent for order in orders]),
            "in_flight": level(
                at,
                [order.accepted for order in orders],
                [end for end, order in zip(ended, orders, strict=True) if order.accepted is not None],
            ),
            "workers_waiting": level(at, workers[0], workers[1]),
            "workers_busy": level(at, workers[1], workers[2]),
            "relay_waiting": level(at, relay[0], relay[1]),
            "dispatchers_waiting": level(at, dispatchers[0], dispatchers[1]),
            "dispatchers_busy": level(at, dispatchers[1], dispatchers[2]),
            "tickets_waiting": level(
                at, [ticket.order.published for ticket in tickets], [ticket.delivered_to_printer for ticket in tickets]
            ),
            "orders_without_rider": level(
                at,
                [order.cooking for order in orders],
                [order.assigned or order.closed for order in orders if order.cooking is not None],
            ),
        },
    )
