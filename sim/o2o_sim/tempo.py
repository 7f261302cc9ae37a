"""Tempo: how the city's seconds pass in a run's seconds.

Decides the conversion and nothing else. The city (arrivals, cooking, riding, shifts, patience, repair) is compressed by
`clock.speed`; the platform, payments and printers are not, so their times never go through here.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tempo:
    """`speed` city seconds pass in one run second: at speed 10, a ride of 600 city seconds takes 60 run seconds."""

    speed: float = 1.0

    def __post_init__(self) -> None:
        if not self.speed > 0:
            raise ValueError(f"speed must be positive, not {self.speed}")

    def run_s(self, city_s: float) -> float:
        """Run seconds that `city_s` city seconds take; also an instant: both clocks are 0 at the epoch."""
        return city_s / self.speed

    def city_s(self, run_s: float) -> float:
        """City seconds that pass in `run_s` run seconds."""
        return run_s * self.speed
