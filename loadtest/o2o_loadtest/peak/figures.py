"""What the load process measured, as figures under stable names.

Decides percentiles, and when a run of the open loop is INVALID: the generator itself was late, so the latencies are not
the platform's. Times are seconds, latencies milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

LATE_MS = 20.0
"""If one request in a hundred was sent later than that, the generator was too slow."""
PERCENTILES = {"p50": 50.0, "p90": 90.0, "p99": 99.0, "p999": 99.9, "max": 100.0}


class Figures(msgspec.Struct):
    """Of one run. `per_s` counts the orders that were placed within the measured seconds."""

    mode: str
    seconds: float
    sent: int
    placed: int
    per_s: float
    statuses: dict[str, int]
    """Answers by status; "0": none."""
    latency_ms: dict[str, float]
    """Closed loop: from sent to answered; open loop: from the intended time. Placed orders only."""
    late_ms: dict[str, float] = {}
    """How late the generator itself sent, open loop only."""
    valid: bool = True
    cpu_us: float = 0.0
    """CPU of the load process a request, microseconds."""
    epoch: float = 0.0
    """Unix time of second 0."""
    paid: int = 0
    """Payments that the provider took."""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        told: dict[str, Any] = msgspec.to_builtins(self)
        return told


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds at each of PERCENTILES; nothing of nothing."""
    if not len(seconds):
        return {}
    values = np.percentile(np.asarray(seconds, dtype=np.float64) * 1e3, list(PERCENTILES.values()))
    return {name: round(float(value), 3) for name, value in zip(PERCENTILES, values, strict=True)}


def figures(
    mode: str,
    seconds: float,
    statuses: Counter[int],
    latencies: Sequence[float],
    late: Sequence[float] = (),
    *,
    cpu_s: float,
    epoch: float,
    paid: int = 0,
) -> Figures:
    """The figures of a run whose measured part took `seconds`."""
    sent = sum(statuses.values())
    late_ms = percentiles(late)
    return Figures(
        mode=mode,
        seconds=round(seconds, 4),
        sent=sent,
        placed=statuses[201],
        per_s=round(statuses[201] / seconds, 2) if seconds > 0 else 0.0,
        statuses={str(status): number for status, number in sorted(statuses.items())},
        latency_ms=percentiles(latencies),
        late_ms=late_ms,
        valid=late_ms.get("p99", 0.0) <= LATE_MS,
        cpu_us=round(cpu_s / sent * 1e6, 2) if sent else 0.0,
        epoch=epoch,
        paid=paid,
    )
