"""Travel times among the places of BDs and leads, computed once per city.

Decides which places those are and keeps them as one matrix, because planning a BD's day asks for whole rows. Leaves
the road graph's ways to o2o_sim.city.travel. BDs ride motorcycles, in the scenario's weather.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from o2o_scenarios.schema import Scenario
from o2o_sim.city.model import City
from o2o_sim.city.travel import TravelTimes

VEHICLE = "motorcycle"


@dataclass(frozen=True)
class Roads:
    """`seconds` is float64 [p, p] at free flow, from row to column; `bd_place` [bds] and `lead_place` [leads] index it.

    May be shared by runs whose scenarios differ in rules and habits but not in the city, the speed or the weather.
    """

    seconds: npt.NDArray[np.float64]
    bd_place: npt.NDArray[np.intp]
    lead_place: npt.NDArray[np.intp]
    by_minute: tuple[float, ...]
    """Congestion by minute since the epoch, of a day: factor on a free-flow time."""

    @classmethod
    def of(cls, scenario: Scenario, city: City) -> Roads:
        """Compute the matrix: one shortest-way search per distinct node, about 0.3 ms each on 2,000 nodes.

        The city must have BDs and leads.
        """
        times = TravelTimes.of(scenario, city.graph, start_min=scenario.clock.start_min)
        bd_nodes = [bd.node for bd in city.bds]
        lead_nodes = [lead.node for lead in city.leads]
        nodes = np.unique(np.array(bd_nodes + lead_nodes, dtype=np.int64))
        rows = times.times(nodes.tolist(), vehicle=VEHICLE, speed_kmh=scenario.crm.bd_kmh)
        seconds = rows[:, nodes].astype(np.float64)
        return cls(
            seconds,
            np.searchsorted(nodes, bd_nodes),
            np.searchsorted(nodes, lead_nodes),
            tuple(times.congestion(VEHICLE, 60.0 * minute) for minute in range(1440)),
        )

    def congestion(self, at_s: float) -> float:
        """Factor on a free-flow time for a trip that starts at `at_s`."""
        return self.by_minute[int(at_s // 60.0) % 1440]
