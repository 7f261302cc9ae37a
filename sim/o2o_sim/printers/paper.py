"""Paper: what stands on a ticket that came out whole, or on the part that did.

Decides the length of a laid-out ticket on a mechanism, its bytes on the wire, where it is torn off when the paper ends,
and what is read on one that was spoiled.
"""

from __future__ import annotations

from collections.abc import Sequence

from o2o_devices.mechanism import Mechanism, Profile
from o2o_devices.receipt import Receipt, ReceiptLine
from o2o_devices.spoiled import SPOIL
from o2o_domain.ticket_layout import TicketLine
from o2o_domain.ticket_text import columns

QR_MODULES = 29
"""Modules a side of the QR code at a ticket's foot: version 3, the link to an order (up to 42 bytes at level M)."""
QR_MODULE_DOTS = 4
COMMAND_BYTES, LINE_BYTES = 100, 6
"""QR code, cut and settings; a change of style and back."""
CUT_FEED_DOTS = 3
"""Fed beyond the blade by the cut that the platform's renderer sends (GS V 66 3)."""


def ticket_mm(mechanism: Mechanism, lines: Sequence[TicketLine]) -> float:
    """Length of a ticket in mm: its lines, the QR code at its foot with its line feed, and the feed to the cutter.

    Worked, default profile: 14 lines and 3 big ones: 14 * 3.75 + 3 * 6.0 + (29 * 4 + 3) / 8 + 3.75 + 12.0 = 101.125.
    """
    big = [line.style for line in lines].count("big")
    profile = mechanism.profile
    foot_mm = (QR_MODULES * QR_MODULE_DOTS + CUT_FEED_DOTS) / profile.dots_per_mm + profile.line_mm
    cut_dots = profile.cut_feed_mm * profile.dots_per_mm
    foot_mm += (round(cut_dots) - cut_dots) / profile.dots_per_mm  # the motor feeds whole dots
    return mechanism.length_mm(len(lines) - big, big, foot_mm)


def ticket_bytes(lines: Sequence[TicketLine]) -> int:
    """About what a ticket takes on the wire: two bytes a Chinese character, one of ASCII, the commands around them."""
    return COMMAND_BYTES + sum(columns(line.text) + 1 + (LINE_BYTES if line.style != "plain" else 0) for line in lines)


def spoiled(kind: str, text_lines: Sequence[str]) -> tuple[str, ...]:
    """What is read on a ticket that was printed with one of o2o_devices.spoiled.SPOIL."""
    lines = tuple([ReceiptLine(text) for text in text_lines])
    return SPOIL[kind](Receipt(lines, cut="partial")).text_lines


def lines_within(profile: Profile, lines: Sequence[TicketLine], printed_mm: float) -> int:
    """How many lines are legible on the first `printed_mm` of a ticket."""
    fed = 0.0
    for number, line in enumerate(lines):
        fed += profile.big_line_mm if line.style == "big" else profile.line_mm
        if fed > printed_mm:
            return number
    return len(lines)
