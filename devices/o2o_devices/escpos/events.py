"""What an interpreter reports: paper to move, requests to answer once the paper before them is out, and oddities.

`mm` of an event is the paper fed since the interpreter began, when the event's place in the stream is reached: whoever
moves the paper acts on the event when that much is out. Real-time events have no place in the stream.
"""

from __future__ import annotations

from dataclasses import dataclass

from o2o_devices.receipt import Receipt


@dataclass(frozen=True, slots=True)
class Cut:
    """A piece of paper is finished; `receipt.cut` None means the job ended without a cut."""

    mm: float
    receipt: Receipt


@dataclass(frozen=True, slots=True)
class ProcessId:
    """GS ( H function 48: answer 37 22 id 00 when all before it is printed."""

    mm: float
    id: bytes


@dataclass(frozen=True, slots=True)
class TransmitStatus:
    """GS r n (or the obsolete ESC v, as n=1): answer the status byte."""

    mm: float
    n: int


@dataclass(frozen=True, slots=True)
class TransmitId:
    """GS I n: answer the printer's id."""

    mm: float
    n: int


@dataclass(frozen=True, slots=True)
class AutoStatus:
    """GS a n: report status changes of the kinds in mask n (0: none)."""

    mm: float
    mask: int


@dataclass(frozen=True, slots=True)
class Drawer:
    """A pulse on the drawer connector (ESC p, DLE DC4 1)."""

    mm: float
    pin: int


@dataclass(frozen=True, slots=True)
class Beep:
    """The buzzer (BEL, ESC B of clones, ESC ( A)."""

    mm: float
    times: int


@dataclass(frozen=True, slots=True)
class Unknown:
    """Bytes that are no known command; they were dropped, whatever followed them was read as usual."""

    mm: float
    data: bytes


@dataclass(frozen=True, slots=True)
class ClearBuffers:
    """Real time, DLE DC4 8 and DLE ENQ 2: drop what is received and not printed; `recover` from an error too."""

    recover: bool


Event = Cut | ProcessId | TransmitStatus | TransmitId | AutoStatus | Drawer | Beep | Unknown | ClearBuffers
