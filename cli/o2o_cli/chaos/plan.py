"""Who is killed when: a plan that is the seed's, whatever the platform does meanwhile.

Decides the order of kinds: dealt from a deck of all kinds that is shuffled anew when it is empty, so that every kind
comes up in any campaign of more than a deck, and none twice before the others once (except where decks meet). Which
process of a kind it hits is drawn here too, as a share of those that live at that moment.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

KINDS = ("worker", "relay", "dispatcher", "redis", "backend", "provider", "printers")
"""`backend` is a process of PostgreSQL that serves a client: the server then throws everybody out and recovers.
`printers` is the printer gateway, behind which all printers are."""


@dataclass(frozen=True, slots=True)
class Kill:
    """At `at_s` seconds of the load one process of `kind`: the one at the share `pick` of those that live."""

    number: int
    at_s: float
    kind: str
    pick: float

    def of(self, living: Sequence[int]) -> int | None:
        """Which of these processes; None if there is none."""
        return living[int(self.pick * len(living))] if living else None

    def to_json(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def plan(seed: int, kills: int, *, every_s: float, kinds: Sequence[str] = KINDS) -> list[Kill]:
    """`kills` kills, one each `every_s` seconds, the first after as much.

    >>> [kill.kind for kill in plan(7, 2, every_s=2.0, kinds=("relay",))]
    ['relay', 'relay']
    """
    draw = random.Random(f"kill plan {seed}")
    deck: list[str] = []
    planned = []
    for number in range(kills):
        if not deck:
            deck = list(kinds)
            draw.shuffle(deck)
        planned.append(Kill(number, round((number + 1) * every_s, 3), deck.pop(), draw.random()))
    return planned
