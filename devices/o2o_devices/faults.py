"""Faults that a ticket can meet, as values: what breaks, where on the paper, and how long until somebody repairs it.

Decides nothing: chance belongs to whoever makes the plan (`chances`, or the city from its seeded streams), the effect
to the printer. Each kind reproduces a report from the field, named in REPORTS.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from o2o_devices.errors import ControlError
from o2o_devices.receipt import Receipt

Kind = Literal[
    "paper_end", "cover_open", "power_before", "power_off", "power_after", "offline", "lost_ack",
    "wrong_codepage", "no_print", "overrun", "duplicate", "backlog", "slow", "flapping", "half_open",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

REPORTS: dict[Kind, str] = {
    "paper_end": "the paper ends; in mid-image a cheap model prints garbage until its power is cycled "
    "(DantSu/ESCPOS-ThermalPrinter-Android#415, Sunil9162/flutter_thermal_printer#8)",
    "cover_open": "the cover is opened in mid-ticket; what waits is printed when it is shut (mike42/escpos-php#411)",
    "power_before": "the power goes before anything is out (python-escpos#253)",
    "power_off": "the power goes in mid-ticket (python-escpos#253)",
    "power_after": "the power goes when the paper is out and before it is told (python-escpos#275)",
    "offline": "the link goes down; what was received is printed (Blair2004/NexoPOS#1601)",
    "lost_ack": "the answer is lost after the paper is out (wcpos/woocommerce-pos PR 1790)",
    "wrong_codepage": "multi-byte mode is off: Chinese comes out as characters of code page 437 (python-escpos#491)",
    "no_print": "success is answered, the paper stays blank (wwandreww/esc_pos_printer#198)",
    "overrun": "bytes are dropped by a full buffer: lines are missing or run together (lukevp/ESC-POS-.NET#227)",
    "duplicate": "the job is delivered twice and printed twice (apple/cups#3810, wcpos/woocommerce-pos PR 1790)",
    "backlog": "the printer takes jobs and prints none until it is back, then all (mike42/escpos-php#411)",
    "slow": "the link carries 200 bytes/s for a while (GPRS; itpp-labs/pos-addons PR 682: others must not wait)",
    "flapping": "the link goes down and up three times (python-escpos#434)",
    "half_open": "connected but silent, then the connection is reset (star-cloudprnt-for-woocommerce#13, #25)",
}


@dataclass(frozen=True, slots=True)
class TicketFault:
    """The ticket meets `kind` when `after_mm` of its paper are out; `repair_s` later the printer works again.

    after_mm is for kinds that stop something in mid-ticket: paper_end, cover_open, power_off, offline, backlog, slow,
    flapping and half_open. lost_ack, wrong_codepage, no_print, overrun and duplicate need no repair.
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


@dataclass(slots=True, eq=False)
class Met:
    """A printer's own word of a fault that it met: what it did to which ticket.

    `receipt` is the ticket as it was sent, as far as it had been read: what the paper would have said (None: nothing
    was in print). `at` is the instant of the effect. `answered_at` is set if the printer has answered, after it, that
    the ticket is out, on the connection that asked.
    """

    kind: Kind
    at: float
    receipt: Receipt | None
    ticket: int = -1
    """Which of the printer's tickets, from 0; -1: none."""
    job: int = -1
    """Which of its connections asked for it."""
    until: float = 0.0
    answered_at: float | None = None


OnMet = Callable[[Met], None]
