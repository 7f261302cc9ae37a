"""Printer faults: which ticket meets which fault, and how long its repair takes.

Decides the draws, one per ticket (order) and independent of any policy, so that two policies meet the same faults.
What a fault does to the printer is left to `printer`.
"""

from __future__ import annotations

from enum import StrEnum
from math import log

import numpy as np

from o2o_scenarios.schema import PrinterFaultsSpec
from o2o_sim.chance import stream

REPAIR_SIGMA = 0.6
"""Sigma of the log-normal time until somebody has changed the roll or found the cable (assumed)."""


class PrinterFault(StrEnum):
    """What goes wrong at the printer when a ticket's turn comes."""

    PAPER_END = "paper_end"
    OFFLINE = "offline"
    LOST_ACK = "lost_ack"


class FaultDraws:
    """The faults of `n` orders' tickets, indexed by order_id."""

    def __init__(self, spec: PrinterFaultsSpec, seed: int, n: int) -> None:
        shares = (spec.paper_end, spec.offline, spec.lost_ack)
        self._faults: dict[int, PrinterFault] = {}
        # A ticket meets at most one fault; a stream a kind, so that raising one share moves no other kind's tickets.
        for kind, share in reversed(list(zip(PrinterFault, shares, strict=True))):
            draws = stream(seed, f"printers.fault.{kind}").random(n)
            self._faults.update((int(order_id), kind) for order_id in np.flatnonzero(draws < share))
        mu = log(spec.repair_mean_s) - REPAIR_SIGMA**2 / 2
        repairs = stream(seed, "printers.repair").standard_normal(n)
        self._repair_s = {order_id: float(np.exp(mu + REPAIR_SIGMA * repairs[order_id])) for order_id in self._faults}
        self._mean_repair_s = spec.repair_mean_s

    def fault(self, order_id: int) -> PrinterFault | None:
        """What the order's first ticket meets."""
        return self._faults.get(order_id)

    def repair_s(self, order_id: int) -> float:
        """City seconds until the fault that this order's ticket met is repaired (the mean for a roll used up)."""
        return self._repair_s.get(order_id, self._mean_repair_s)
