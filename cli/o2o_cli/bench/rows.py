"""From measurements and a baseline to the rows of the table: ratios, changes, PASS or SHORT.

Decides the verdict: a benchmark is SHORT when its ratio to the calibration loop has grown by more than the allowed
factor, or when it did not run the same work as the baseline's (another event count). Leaves printing to `runner`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

ALLOWED = 1.5
"""A ratio may grow by this factor before its row says SHORT: generous, for shared and throttled machines."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """One benchmark: CPU `seconds` of its fastest round, which did `units` of `unit`; `events` of a model's run."""

    name: str
    what: str
    seconds: float
    calibration_s: float
    units: int
    unit: str
    rounds: int
    events: int | None = None

    @property
    def ratio(self) -> float:
        """Time of a round as a multiple of the calibration loop's."""
        return self.seconds / self.calibration_s

    @property
    def per_s(self) -> float:
        """Units per CPU second on this machine."""
        return self.units / self.seconds

    def best(self, again: Measurement) -> Measurement:
        """Of two measurements of one benchmark the less disturbed times."""
        return replace(
            again,
            seconds=min(self.seconds, again.seconds),
            calibration_s=min(self.calibration_s, again.calibration_s),
            rounds=self.rounds + again.rounds,
        )

    @classmethod
    def of(cls, raw: Mapping[str, Any], calibration_s: float) -> Measurement:
        """From one entry of pytest-benchmark's JSON, whose extra_info the suite has filled. Raises KeyError.

        `calibration_s` is the fastest loop of the whole run, which was measured around every benchmark: like the
        fastest round it is an estimate of undisturbed work, and one that is off would shift its neighbours' ratios.
        """
        extra = raw["extra_info"]
        return cls(
            name=str(raw["name"]).removeprefix("test_"),
            what=extra["what"],
            seconds=float(raw["stats"]["min"]),
            calibration_s=calibration_s,
            units=int(extra["units"]),
            unit=extra["unit"],
            rounds=int(raw["stats"]["rounds"]),
            events=extra.get("events"),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A measurement against its baseline. `change` is ratio / baseline ratio; None without a baseline."""

    measured: Measurement
    baseline: float | None
    change: float | None
    verdict: Literal["PASS", "SHORT", "NEW"]
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """The row under stable names."""
        return {
            **asdict(self.measured),
            "ratio": self.measured.ratio,
            "per_s": self.measured.per_s,
            "baseline_ratio": self.baseline,
            "change": self.change,
            "allowed_change": ALLOWED,
            "verdict": self.verdict,
            "why": self.why,
        }


def rows(measured: Sequence[Measurement], baseline: Mapping[str, Mapping[str, Any]]) -> list[Row]:
    """Each measurement against the baseline's entry of its name ({"ratio": ..., "events": ...})."""
    return [_row(one, baseline.get(one.name)) for one in measured]


def _row(one: Measurement, known: Mapping[str, Any] | None) -> Row:
    if known is None:
        return Row(one, None, None, "NEW")
    ratio = float(known["ratio"])
    change = one.ratio / ratio
    if known.get("events") != one.events:
        return Row(one, ratio, change, "SHORT", f"another run: {one.events} events, the baseline has {known['events']}")
    if change > ALLOWED:
        return Row(one, ratio, change, "SHORT", f"more than {ALLOWED:g} times the baseline")
    return Row(one, ratio, change, "PASS")
