"""Paper: what stands on a ticket that came out whole, or on the part that did.

Decides the length of a laid-out ticket on a mechanism and where it is torn off when the paper ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from o2o_devices.mechanism import Mechanism, Profile
from o2o_domain.ticket_layout import TicketLine


def ticket_mm(mechanism: Mechanism, lines: Sequence[TicketLine]) -> float:
    """Length of a ticket in mm, feed to the cutter included."""
    big = sum(line.style == "big" for line in lines)
    return mechanism.length_mm(len(lines) - big, big)


def lines_within(profile: Profile, lines: Sequence[TicketLine], printed_mm: float) -> int:
    """How many lines are legible on the first `printed_mm` of a ticket."""
    fed = 0.0
    for number, line in enumerate(lines):
        fed += profile.big_line_mm if line.style == "big" else profile.line_mm
        if fed > printed_mm:
            return number
    return len(lines)
