"""Printer faults: which ticket meets which fault, where on its paper, and how long its repair takes.

Decides the draws, one per ticket (order) and independent of any policy, so that two policies meet the same faults.
What a fault does to the printer is left to `printer` and, live, to the virtual printers.
"""

from __future__ import annotations

from enum import StrEnum
from math import log

import numpy as np

from o2o_scenarios.printer_faults import PrinterFaultsSpec
from o2o_sim.chance import stream

REPAIR_SIGMA = 0.6
"""Sigma of the log-normal time until somebody has changed the roll or found the cable (assumed)."""
FIRST_MM, LAST_MM = 5.0, 60.0
"""Where on a ticket a fault begins that comes in mid-ticket: every ticket is longer."""


class PrinterFault(StrEnum):
    """What goes wrong at the printer; the kinds of o2o_devices.faults, in the order of the scenario's fields."""

    PAPER_END = "paper_end"
    OFFLINE = "offline"
    LOST_ACK = "lost_ack"
    COVER_OPEN = "cover_open"
    POWER_BEFORE = "power_before"
    POWER_OFF = "power_off"
    POWER_AFTER = "power_after"
    WRONG_CODEPAGE = "wrong_codepage"
    NO_PRINT = "no_print"
    OVERRUN = "overrun"
    DUPLICATE = "duplicate"
    BACKLOG = "backlog"
    SLOW = "slow"
    FLAPPING = "flapping"
    HALF_OPEN = "half_open"


class FaultDraws:
    """The faults of `n` orders' tickets, indexed by order_id."""

    def __init__(self, spec: PrinterFaultsSpec, seed: int, n: int) -> None:
        shares = spec.shares()
        self._faults: dict[int, PrinterFault] = {}
        # A ticket meets at most one fault; a stream a kind, so that raising one share moves no other kind's tickets.
        for kind in reversed(PrinterFault):
            if share := shares[kind.value]:
                draws = stream(seed, f"printers.fault.{kind}").random(n)
                self._faults.update((int(order_id), kind) for order_id in np.flatnonzero(draws < share))
        mu = log(spec.repair_mean_s) - REPAIR_SIGMA**2 / 2
        repairs = stream(seed, "printers.repair").standard_normal(n)
        self._repair_s = {order_id: float(np.exp(mu + REPAIR_SIGMA * repairs[order_id])) for order_id in self._faults}
        self._mean_repair_s = spec.repair_mean_s
        where = stream(seed, "printers.where").random(n)
        self._after_mm = {number: FIRST_MM + (LAST_MM - FIRST_MM) * float(where[number]) for number in self._faults}
        self._torn: set[int] = set()
        if spec.torn_share:
            self._torn = set(np.flatnonzero(stream(seed, "printers.torn").random(n) < spec.torn_share).tolist())

    def fault(self, order_id: int) -> PrinterFault | None:
        """What the order's first ticket meets."""
        return self._faults.get(order_id)

    def repair_s(self, order_id: int) -> float:
        """City seconds until the fault that this order's ticket met is repaired (the mean for a roll used up)."""
        return self._repair_s.get(order_id, self._mean_repair_s)

    def after_mm(self, order_id: int) -> float:
        """Paper of the order's ticket that is out when a fault in mid-ticket begins."""
        return self._after_mm.get(order_id, FIRST_MM)

    def before(self, order_id: int) -> bool:
        """Whether the fault is there when the ticket's turn comes, so that it shows before anything is sent."""
        kind = self._faults.get(order_id)
        return kind is PrinterFault.OFFLINE or (kind is PrinterFault.PAPER_END and order_id not in self._torn)

    def counts(self) -> dict[str, int]:
        """Tickets by the kind of fault that they are to meet."""
        found = dict.fromkeys((kind.value for kind in PrinterFault), 0)
        for kind in self._faults.values():
            found[kind.value] += 1
        return found
