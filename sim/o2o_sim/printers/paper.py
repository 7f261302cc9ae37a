"""Paper: what stands on a ticket that came out whole, or on the part that did.

Decides the length of a laid-out ticket on a mechanism and where it is torn off when the paper ends.
"""

from __future__ import annotations

from collections.abc import Sequence

from o2o_devices.mechanism import Mechanism, Profile
from o2o_domain.ticket_layout import TicketLine

QR_MODULES = 29
"""Modules a side of the QR code at a ticket's foot: version 3, the link to an order (up to 42 bytes at level M)."""
QR_MODULE_DOTS = 4
CUT_FEED_DOTS = 3
"""Fed beyond the blade by the cut that the platform's renderer sends (GS V 66 3)."""


def ticket_mm(mechanism: Mechanism, lines: Sequence[TicketLine]) -> float:
    """Length of a ticket in mm: its lines, the QR code at its foot with its line feed, and the feed to the cutter.

    Worked, default profile: 14 lines and 3 big ones: 14 * 3.75 + 3 * 6.0 + (29 * 4 + 3) / 8 + 3.75 + 12.0 = 101.125.
    """
    big = [line.style for line in lines].count("big")
    profile = mechanism.profile
    foot_mm = (QR_MODULES * QR_MODULE_DOTS + CUT_FEED_DOTS) / profile.dots_per_mm + profile.line_mm
    return mechanism.length_mm(len(lines) - big, big, foot_mm)


def lines_within(profile: Profile, lines: Sequence[TicketLine], printed_mm: float) -> int:
    """How many lines are legible on the first `printed_mm` of a ticket."""
    fed = 0.0
    for number, line in enumerate(lines):
        fed += profile.big_line_mm if line.style == "big" else profile.line_mm
        if fed > printed_mm:
            return number
    return len(lines)
