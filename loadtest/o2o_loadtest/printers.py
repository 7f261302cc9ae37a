"""The merchants' printers of a live run: a fleet of virtual devices, and the scenario's faults played on them.

Decides which printer meets which fault when. The draws are those of the model, one per order: the fault begins when
the order is paid, so that its ticket (or the one on its heels) meets it; repairs take city time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from o2o_devices.fleet import Fleet, PrinterSpec
from o2o_devices.receipt import Receipt
from o2o_scenarios.schema import Scenario
from o2o_sim.city.model import City
from o2o_sim.printers.faults import FaultDraws, PrinterFault
from o2o_sim.printers.printer import profile_of
from o2o_sim.tempo import Tempo


def fleet_of(scenario: Scenario, city: City, *, on_paper: Callable[[int, Receipt, float], None]) -> Fleet:
    """One printer a merchant; printer_id is the merchant's id."""
    profile = profile_of(scenario.printing)
    return Fleet([PrinterSpec(merchant.merchant_id, profile) for merchant in city.merchants], on_paper=on_paper)


class FaultPlayer:
    """Breaks and repairs printers as the orders' draws say. Call `paid` once an order."""

    def __init__(self, scenario: Scenario, orders: int, fleet: Fleet) -> None:
        self._draws = FaultDraws(scenario.printing.faults, scenario.seed, orders)
        self._tempo = Tempo(scenario.clock.speed)
        self._fleet = fleet
        self.played: dict[str, int] = {}

    def paid(self, order_id: int, merchant_id: int) -> None:
        """The order's ticket is about to be sent."""
        fault = self._draws.fault(order_id)
        if fault is None:
            return
        self.played[fault.value] = self.played.get(fault.value, 0) + 1
        control = self._fleet.control(merchant_id)
        repair_s = self._tempo.run_s(self._draws.repair_s(order_id))
        loop = asyncio.get_running_loop()
        if fault is PrinterFault.PAPER_END:
            control.paper_end()
            loop.call_later(repair_s, control.refill)
        elif fault is PrinterFault.OFFLINE:
            control.offline()
            loop.call_later(repair_s, control.online)
        else:
            control.lose_acks()
