"""The verdict: what one check of the audit found. A value; it decides nothing and knows no table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of one promise.

    `checked` counts the things looked at (orders, tickets, ...), `violations` those that broke the promise; `ok` is
    `violations == 0`. A promise with nothing to look at is kept, with `checked` 0. `examples` names up to five
    violations, `detail` says what was compared.
    """

    name: str
    ok: bool
    checked: int
    violations: int
    examples: tuple[str, ...] = ()
    detail: str = ""
    promise: str = ""

    def to_json(self) -> dict[str, Any]:
        """The verdict as plain JSON values."""
        return asdict(self) | {"examples": list(self.examples)}

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Verdict:
        """Read back what `to_json` wrote. Raises KeyError when a field is missing."""
        return cls(
            name=str(raw["name"]),
            ok=bool(raw["ok"]),
            checked=int(raw["checked"]),
            violations=int(raw["violations"]),
            examples=tuple(str(e) for e in raw.get("examples", ())),
            detail=str(raw.get("detail", "")),
            promise=str(raw.get("promise", "")),
        )
