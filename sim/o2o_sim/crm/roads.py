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

    times: TravelTimes
    seconds: npt.NDArray[np.float64]
    bd_place: npt.NDArray[np.intp]
    lead_place: npt.NDArray[np.intp]

    @classmethod
    def of(cls, scenario: Scenario, city: City) -> Roads:
        """Compute the matrix: one shortest-way search per distinct node, about 0.3 ms each on 2,000 nodes."""
        times = TravelTimes.of(scenario, city.graph, start_min=scenario.clock.start_min)
        bd_nodes = [bd.node for bd in city.bds]
        lead_nodes = [lead.node for lead in city.leads]
        nodes = np.unique(np.array(bd_nodes + lead_nodes, dtype=np.int64))
        if nodes.size == 0:
            empty = np.empty(0, dtype=np.intp)
            return cls(times, np.empty((0, 0)), empty, empty)
        rows = times.times(nodes.tolist(), vehicle=VEHICLE, speed_kmh=scenario.crm.bd_kmh)
        seconds = rows[:, nodes].astype(np.float64)
        return cls(times, seconds, np.searchsorted(nodes, bd_nodes), np.searchsorted(nodes, lead_nodes))

    def congestion(self, at_s: float) -> float:
        """Factor on a free-flow time for a trip that starts at `at_s`."""
        return self.times.congestion(VEHICLE, at_s)
