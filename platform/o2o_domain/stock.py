"""Stock of dishes: all lines of an order are reserved together or not at all.

Decides the new levels. Leaves locking to the shells (a conditional update may guard that no level falls below 0).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from o2o_domain.pricing import Line
from o2o_domain.refusal import Refused


@dataclass(frozen=True, slots=True)
class Reserved:
    """New level by dish id, of the touched dishes only."""

    levels: Mapping[int, int]


def _pieces(lines: Iterable[Line]) -> dict[int, int]:
    pieces: dict[int, int] = {}
    for line in lines:
        pieces[line.dish_id] = pieces.get(line.dish_id, 0) + line.qty
    return pieces


def reserve(levels: Mapping[int, int], lines: Iterable[Line]) -> Reserved | Refused:
    """Take the pieces of `lines` from `levels` (pieces by dish id).

    Refused("sold_out", dish_id) names the first dish that is short, Refused("not_on_menu", dish_id) one without a
    level.
    """
    after: dict[int, int] = {}
    for dish_id, qty in _pieces(lines).items():
        level = levels.get(dish_id)
        if level is None:
            return Refused("not_on_menu", str(dish_id))
        if level < qty:
            return Refused("sold_out", str(dish_id))
        after[dish_id] = level - qty
    return Reserved(after)


def give_back(levels: Mapping[int, int], lines: Iterable[Line]) -> Reserved:
    """Put the pieces of a closed, rejected or cancelled order back: the exact reverse of `reserve`."""
    return Reserved({dish_id: levels.get(dish_id, 0) + qty for dish_id, qty in _pieces(lines).items()})
