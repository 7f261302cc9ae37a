"""What an Epson printer says about a job and about itself, and what follows for the ticket (A14; Server Direct Print).

Decides what each error code means for a ticket, and what each status bit says. Leaves messages and clocks to the
platform. Codes and bits are those of the ePOS-Print XML manuals ("code" of <response>, TM-U220 page 68; "status",
TM-T20II-i page 64) and of the Server Direct Print manual (<ServerDirectPrint>, TM-DT page 53).

A printer names trouble (paper, cover, cutter) without saying whether part of the job is on paper, and its manual has no
rule for a job sent twice. So trouble fails the ticket visibly and is no reason to send it again, and whatever leaves
open whether there is paper makes it unconfirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag, StrEnum
from types import MappingProxyType


class Verdict(StrEnum):
    """What a result means for its ticket."""

    PRINTED = "printed"
    """The paper is out."""
    TROUBLE = "trouble"
    """The printer could not print it, and will not; what comes next would meet the same."""
    REFUSED = "refused"
    """The printer will never print this job; others it may."""
    UNKNOWN = "unknown"
    """Part or all of it may be on paper."""
    WAITING = "waiting"
    """It is being printed: another result follows."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A verdict and the ticket's code, empty where there is none."""

    verdict: Verdict
    code: str = ""


_V = Verdict

CODES: Mapping[str, Judged] = MappingProxyType(
    {
        "EPTR_REC_EMPTY": Judged(_V.TROUBLE, "paper_end"),
        "EPTR_COVER_OPEN": Judged(_V.TROUBLE, "cover_open"),
        "EPTR_CUTTER": Judged(_V.TROUBLE, "cutter"),
        "EPTR_MECHANICAL": Judged(_V.TROUBLE, "mechanical"),
        "EPTR_AUTOMATICAL": Judged(_V.TROUBLE, "overheated"),  # the head's temperature, and others that pass
        "EPTR_UNRECOVERABLE": Judged(_V.TROUBLE, "error"),
        "EPTR_BATTERY_LOW": Judged(_V.TROUBLE, "battery"),
        "EX_SPOOLER": Judged(_V.TROUBLE, "spooler"),  # full: what does not fit is thrown away unprinted
        "SchemaError": Judged(_V.REFUSED, "schema"),
        "DeviceNotFound": Judged(_V.REFUSED, "no_device"),
        "EX_TIMEOUT": Judged(_V.UNKNOWN, "timeout"),
        "EX_BADPORT": Judged(_V.UNKNOWN, "no_response"),  # between the printer's two halves, at any point
        "PrintSystemError": Judged(_V.UNKNOWN, "system"),
        "JobNotFound": Judged(_V.UNKNOWN, "job_lost"),
        "Printing": Judged(_V.WAITING),
    }
)
"""By the code of a result without success."""


def judge(success: bool, code: str) -> Judged:
    """What a result means. A code that is not in the manuals leaves open whether there is paper.

    Worked: success, whatever the code -> printed; "EPTR_REC_EMPTY" -> trouble, paper_end.
    """
    if success:
        return Judged(_V.PRINTED)
    return CODES.get(code, Judged(_V.UNKNOWN, "unknown"))


class Asb(IntFlag):
    """Bits of a status word, in results (decimal) and in status notifications (hexadecimal)."""

    NO_RESPONSE = 0x0000_0001
    PRINTED = 0x0000_0002
    DRAWER = 0x0000_0004
    """Pin 3 of the drawer's plug is high (or, on models with a battery, offline for want of it)."""
    OFFLINE = 0x0000_0008
    FIXED = 0x0000_0010
    """Set in every example, and explained in none."""
    COVER_OPEN = 0x0000_0020
    FEEDING = 0x0000_0040
    WAITS_ONLINE = 0x0000_0100
    SWITCH = 0x0000_0200
    MECHANICAL = 0x0000_0400
    CUTTER = 0x0000_0800
    UNRECOVERABLE = 0x0000_2000
    AUTO_RECOVERABLE = 0x0000_4000
    NEAR_END = 0x0002_0000
    PAPER_END = 0x0008_0000
    SPOOLER_STOPPED = 0x8000_0000


_TROUBLE: tuple[tuple[Asb, str], ...] = (
    (Asb.NO_RESPONSE, "no_response"),
    (Asb.PAPER_END, "paper_end"),
    (Asb.COVER_OPEN, "cover_open"),
    (Asb.CUTTER, "cutter"),
    (Asb.MECHANICAL, "mechanical"),
    (Asb.UNRECOVERABLE, "error"),
    (Asb.AUTO_RECOVERABLE, "overheated"),
    (Asb.OFFLINE, "offline"),  # last: it goes with every one above
    (Asb.SPOOLER_STOPPED, "spooler"),
)

HOLD_S = 30.0
"""A printer that named trouble is given no job for so long (seconds), unless it says before that it is well. The status
notification is the merchant's to switch on, so that silence does not mean that the trouble lasts."""


def trouble(status: int) -> str | None:
    """What keeps a printer with this status word from printing, None if nothing does.

    Worked: 0x0F00003C -> "cover_open"; 0x0F000016 -> None; 0x0F030016 (paper near its end) -> None.
    """
    return next((name for bit, name in _TROUBLE if status & bit), None)


def told(status: int) -> str:
    """A status word in words, for people: "ok", "near_end", "cover_open"."""
    return trouble(status) or ("near_end" if status & Asb.NEAR_END else "ok")


def held(named: str | None, named_at: float, now: float) -> bool:
    """Whether a printer gets no job at `now`, for the trouble that it named at `named_at` (None: it said it is well).

    Worked: paper_end named at 100 s: held until 130 s.
    """
    return named is not None and now < named_at + HOLD_S
