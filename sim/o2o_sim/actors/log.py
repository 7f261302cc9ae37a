"""Actor log: what the actors of a run did, as the run tables `merchants`, `riders`, `visits`, `samples`
and `notifications`.

Decides which of the actors' own figures are kept and how often they are sampled. What the platform knows of the same
events (orders, tickets, leads) is the platform's to tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from o2o_domain.notification import Age
from o2o_results.tables import TABLES
from o2o_sim.actors.app_staff import AppStaff
from o2o_sim.actors.bd import Bd
from o2o_sim.actors.kitchen import Kitchen
from o2o_sim.actors.rider import Rider
from o2o_sim.actors.scene import Scene
from o2o_sim.notification.notes import notification_table
from o2o_sim.sampling import instants, level, long_form


class ActorLog:
    """The actors of one run; ask for the tables at the horizon (or whenever the run stops)."""

    def __init__(
        self, scene: Scene, kitchens: list[Kitchen], riders: list[Rider], bds: list[Bd], staff: Sequence[AppStaff] = ()
    ) -> None:
        self.staff = staff
        self.kitchens = kitchens
        self.riders = riders
        self.bds = bds
        self._scene = scene

    def tables(self, now: float) -> dict[str, pa.Table]:
        """The tables as of run second `now`; `notifications` only where staff tap.

        A rider who never came on shift has `on` = `off`.
        """
        rows: dict[str, list[dict[str, Any]]] = {
            "merchants": [self._merchant(kitchen, now) for kitchen in self.kitchens],
            "riders": [self._rider(rider, now) for rider in self.riders],
            "visits": self._visits(),
            "samples": self._samples(now),
        }
        tables = {name: pa.Table.from_pylist(content, schema=TABLES[name]) for name, content in rows.items()}
        if self.staff:
            notes = [note for someone in self.staff for note in someone.notes.values()]
            tables["notifications"] = notification_table(Age.APP_PRINTER, notes)
        return tables

    def _samples(self, now: float) -> list[dict[str, Any]]:
        """Orders that wait or cook, and riders on shift and under way."""
        at = instants(now)
        jobs = [kitchen.slots.times() for kitchen in self.kitchens]
        arrived, began, ended = (np.concatenate(times) for times in zip(*jobs, strict=True))
        riders = [rider for rider in self.riders if rider.on is not None]
        return long_form(
            at,
            {
                "kitchens_waiting": level(at, arrived, began),
                "kitchens_cooking": level(at, began, ended),
                "riders_online": level(at, [rider.on for rider in riders], [rider.off for rider in riders]),
                "riders_busy": level(
                    at,
                    [time for rider in riders for time in rider.engaged],
                    [time for rider in riders for time in rider.released],
                ),
            },
        )

    @staticmethod
    def _merchant(kitchen: Kitchen, now: float) -> dict[str, Any]:
        facts = kitchen.merchant
        return {
            "merchant_id": facts.merchant_id,
            "name": facts.name,
            "lat": facts.lat,
            "lng": facts.lng,
            "node": facts.node,
            "slots": facts.slots,
            "orders": kitchen.orders,
            "busy_s": kitchen.slots.busy_s(now),
            "max_queue": kitchen.slots.max_queue(now),
        }

    def _rider(self, rider: Rider, now: float) -> dict[str, Any]:
        driving_s, service_s, metres = rider.worked(now)
        on = rider.on if rider.on is not None else self._scene.tempo.run_s(rider.facts.on_s)
        off = rider.off if rider.off is not None else (now if rider.on is not None else on)
        return {
            "rider_id": rider.facts.rider_id,
            "vehicle": rider.facts.vehicle,
            "on": on,
            "off": off,
            "orders": rider.orders,
            "driving_s": driving_s,
            "service_s": service_s,
            "distance_m": metres,
        }

    def _visits(self) -> list[dict[str, Any]]:
        visits = sorted((visit for bd in self.bds for visit in bd.visits), key=lambda visit: (visit.at, visit.bd_id))
        return [
            {
                "visit_id": number,
                "lead_id": visit.lead_id,
                "bd_id": visit.bd_id,
                "at": visit.at,
                "travel_s": visit.travel_s,
                "signed": visit.signed,
            }
            for number, visit in enumerate(visits)
        ]
