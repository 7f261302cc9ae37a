"""The house table of a benchmark against a reference: what, ours, the reference, ratio, target, PASS or SHORT.

Decides the verdict of a row, and that what could not be measured, or was measured by a generator that was late itself,
is called that and not a pass.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from o2o_cli import console

Verdict = Literal["PASS", "SHORT", "NOT MEASURED", "INVALID"]
COLUMNS = ["what", "ours", "reference", "ratio", "target", ""]


@dataclass(frozen=True, slots=True)
class HouseRow:
    """One row under a stable name. `reference` None: the target is a bound of its own. See `rate` and `bound`."""

    name: str
    what: str
    unit: str
    ours: float | None
    reference: float | None
    ratio: float | None
    target: float
    lower_is_better: bool
    verdict: Verdict
    why: str = ""

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)

    def cells(self) -> list[str]:
        """The row as the table shows it."""
        sign = "<=" if self.lower_is_better else ">="
        target = f"{sign} {self.target:g}" + (f" {self.unit}" if self.lower_is_better else "")
        return [
            self.what,
            "-" if self.ours is None else f"{figure(self.ours)} {self.unit}",
            "-" if self.reference is None else f"{figure(self.reference)} {self.unit}",
            "-" if self.ratio is None else f"{self.ratio:.2f}",
            target,
            self.verdict,
        ]


def rate(
    name: str, what: str, unit: str, pairs: Sequence[tuple[float, float]], target: float, *, missing: str = ""
) -> HouseRow:
    """Pairs (ours, reference), each measured side by side: the ratio is the median of the pairs' ratios.

    Worked: pairs (90, 100) (120, 100) (110, 100) give 110 against 100, ratio 1.10.
    """
    if not pairs or missing:
        return HouseRow(name, what, unit, None, None, None, target, False, "NOT MEASURED", missing)
    ours, reference = (statistics.median(values) for values in zip(*pairs, strict=True))
    ratio = statistics.median(one / other if other else 0.0 for one, other in pairs)
    return HouseRow(name, what, unit, ours, reference, ratio, target, False, "PASS" if ratio >= target else "SHORT")


def bound(name: str, what: str, unit: str, ours: float | None, target: float, *, why: str = "") -> HouseRow:
    """A figure that must not exceed its target. `why`: it does not count, and this is why."""
    if ours is None:
        return HouseRow(name, what, unit, None, None, None, target, True, "NOT MEASURED", why)
    verdict: Verdict = "INVALID" if why else "PASS" if ours <= target else "SHORT"
    return HouseRow(name, what, unit, ours, None, None, target, True, verdict, why)


def figure(value: float) -> str:
    """Three digits that say something; thousands with a comma."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show(title: str, rows: Sequence[HouseRow]) -> None:
    """Print the table, and below it why a row is not what it should be."""
    console.table(title, COLUMNS, [row.cells() for row in rows])
    for row in rows:
        if row.why:
            console.out.print(f"{row.name}: {row.why}")


def short(rows: Sequence[HouseRow]) -> bool:
    """Whether a gate stays shut: some row is not a pass."""
    return any(row.verdict != "PASS" for row in rows)
