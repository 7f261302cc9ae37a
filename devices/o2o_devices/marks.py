"""What waits for paper: marks in the stream, each done when the paper before it is out."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from o2o_devices.escpos.events import Event
from o2o_devices.faults import Kind
from o2o_devices.receipt import Receipt

OnPaper = Callable[[Receipt, float], None]
"""Called with each piece of paper and the instant at which it was out."""

NEVER = float("inf")


class Mark(NamedTuple):
    """Something to do when the stream's paper up to `mm` is out."""

    mm: float
    event: Event
    job: int
    begun: bool = False
    """A cut whose ticket has begun to print, so that its fault is known."""
    effect: Kind | None = None
    """What its ticket meets when it comes out."""
    ticket: int = -1
    """Of a cut that has begun: which of the printer's tickets, from 0."""
