"""Faults by chance: which ticket of which printer meets which fault.

Decides that chance is a function of seed, printer and ticket alone: two runs of one seed have the same faults, in
whatever order the printers print.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from o2o_devices.errors import ControlError
from o2o_devices.faults import KINDS, Kind, TicketFault

TICKET_MM = 120.0
"""A fault begins somewhere on the first so many mm of a ticket."""
REPAIR_S = 20.0


class Chances:
    """Shares of tickets by kind of fault, e.g. {"paper_end": 0.01}; usable as a fleet's `plan`."""

    def __init__(self, shares: Mapping[Kind, float], *, seed: int = 0, repair_s: float = REPAIR_S) -> None:
        """Raises ControlError for shares that are none."""
        for kind, share in shares.items():
            if kind not in KINDS:
                raise ControlError(f"no such printer fault: {kind!r} (one of {', '.join(KINDS)})")
            if not 0.0 <= share <= 1.0:
                raise ControlError(f"printer fault {kind}: a share from 0 to 1 is wanted, not {share:g}")
        if sum(shares.values()) > 1.0:
            raise ControlError("printer faults: the shares sum to more than 1")
        self._shares = dict(shares)
        self._seed = seed
        self._repair_s = repair_s

    def __call__(self, printer_id: int, ticket: int) -> TicketFault | None:
        """The fault of a printer's n-th ticket, if it has one."""
        drawn = hashlib.blake2b(f"{self._seed}/{printer_id}/{ticket}".encode(), digest_size=16).digest()
        which, where = (int.from_bytes(drawn[at : at + 8], "big") / 2**64 for at in (0, 8))
        for kind, share in self._shares.items():
            if which < share:
                return TicketFault(kind, where * TICKET_MM, self._repair_s)
            which -= share
        return None


def parse_shares(text: str) -> dict[Kind, float]:
    """ "paper_end=0.01,lost_ack=0.02" as shares. Raises ControlError."""
    shares: dict[Kind, float] = {}
    for part in text.split(","):
        name, _, share = part.partition("=")
        try:
            shares[_kind(name.strip())] = float(share)
        except ValueError:
            raise ControlError(f"{part!r}: write FAULT=SHARE, e.g. paper_end=0.01") from None
    return shares


def _kind(name: str) -> Kind:
    for kind in KINDS:
        if kind == name:
            return kind
    raise ControlError(f"no such printer fault: {name!r} (one of {', '.join(KINDS)})")
