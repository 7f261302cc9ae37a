"""A run of the model as a value, whatever was simulated: a day of orders or weeks of BDs and leads.

Decides what a simulation hands back and how it reports progress and is stopped. Leaves writing it to disk to the caller
(o2o_results.run), so that replications in other processes need no folder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

Progress: TypeAlias = Callable[[float], None]
"""Called from time to time with the share of the horizon that has passed, 0..1, rising."""

Stop: TypeAlias = Callable[[], bool]
"""Asked from time to time; true ends the simulation early, with what it has so far."""


@dataclass(frozen=True)
class ModelRun:
    """What a simulation leaves behind.

    `tables` conform to o2o_results.tables.TABLES, all of them present. `horizon_s` is run seconds since the epoch, and
    earlier than planned when `interrupted`. `events` counts the events that SimPy processed: a run that is faster but
    has another count is another run.
    """

    tables: Mapping[str, pa.Table]
    horizon_s: float
    events: int
    interrupted: bool = False
    notes: Mapping[str, Any] = field(default_factory=dict)
