"""What a process of the platform does.

Decides the parts that a deployment is made of. Embedded, one process does them all; scaled, each has processes of its
own, which may be killed and started again at any moment.
"""

from __future__ import annotations

from enum import StrEnum


class Duty(StrEnum):
    """One part of the platform's work."""

    HTTP = "http"
    """Answers requests."""
    SWEEPS = "sweeps"
    """Deadlines, refunds, recycling, reconciliation: done by one process at a time, whoever holds the lease."""
    RELAY = "relay"
    """Copies the outbox into the stream."""
    DISPATCH = "dispatch"
    """Takes tickets from the stream to the printers."""


ALL: frozenset[Duty] = frozenset(Duty)
"""The embedded deployment."""

WORKER: frozenset[Duty] = frozenset({Duty.HTTP, Duty.SWEEPS})
"""A scaled deployment's `o2o serve`."""
