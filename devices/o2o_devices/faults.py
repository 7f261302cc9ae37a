"""Faults that a ticket can meet, as values: what breaks, where on the paper, and how long until somebody repairs it.

Decides nothing: chance belongs to whoever makes the plan (the city, from its seeded streams), the effect to the
printer. Each kind reproduces reports from the field: paper_end (DantSu/ESCPOS-ThermalPrinter-Android#415), power_off
(python-escpos#253), lost_ack (wcpos/woocommerce-pos PR 1790), offline (mike42/escpos-php#411), silent
(star-micronics/star-cloudprnt-for-woocommerce#13).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from o2o_devices.errors import ControlError

Kind = Literal["paper_end", "cover_open", "power_off", "offline", "lost_ack"]
KINDS: tuple[Kind, ...] = ("paper_end", "cover_open", "power_off", "offline", "lost_ack")


@dataclass(frozen=True, slots=True)
class TicketFault:
    """The ticket meets `kind` when `after_mm` of its paper are out; `repair_s` later the printer works again.

    lost_ack needs neither: the ticket's answer to GS ( H is lost after the paper is out.
    """

    kind: Kind
    after_mm: float = 0.0
    repair_s: float = 120.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ControlError(f"no such printer fault: {self.kind!r} (one of {', '.join(KINDS)})")
        if not (self.after_mm >= 0.0 and self.repair_s >= 0.0):
            raise ControlError(f"printer fault {self.kind}: after_mm and repair_s must not be negative")


FaultPlan = Callable[[int], TicketFault | None]
"""Which fault the n-th ticket of a printer meets (n from 0); None: it is printed in peace."""
