"""A refusal as a value: a rule says no with a code that programs read and a detail that people read.

Decides nothing itself; how a refusal is shown (HTTP status, exit code, counter) is left to the shells.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule's no. `code` is stable snake_case; `detail` names the thing (a dish, a limit) or is empty."""

    code: str
    detail: str = ""
