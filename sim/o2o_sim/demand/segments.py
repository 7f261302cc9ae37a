"""The three kinds of users (S4): when they order, where to, and how much.

work_meal: one person's lunch at the workplace, quick; family: dinner and weekends at home, several dishes; social:
afternoon tea and late evenings, for a few people. Decides these habits; leaves drawing from them to `choices`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from o2o_sim.city.model import Floats
from o2o_sim.city.people import SEGMENTS

_DAY_MIN = 1440.0


@dataclass(frozen=True, slots=True)
class Habit:
    """How a segment orders.

    `appetite` are knots (minute of the day, relative inclination), linear in between and round the clock;
    `dishes` and `pieces` are chances of 1, 2, 3 ... different dishes and of 1, 2, 3 pieces of each; `at_work` is the
    chance that an order goes to the workplace, during and outside of working hours; `holiday` multiplies the
    inclination on a holiday.
    """

    appetite: tuple[tuple[float, float], ...]
    dishes: tuple[float, ...]
    pieces: tuple[float, ...]
    at_work: tuple[float, float]
    holiday: float


HABITS: dict[str, Habit] = {
    "work_meal": Habit(
        appetite=(
            (0, 0.3),
            (420, 0.8),
            (600, 1.0),
            (690, 1.8),
            (750, 1.6),
            (840, 0.8),
            (1050, 0.9),
            (1140, 0.9),
            (1290, 0.4),
        ),
        dishes=(0.50, 0.36, 0.14),
        pieces=(0.93, 0.06, 0.01),
        at_work=(0.95, 0.25),
        holiday=0.4,
    ),
    "family": Habit(
        appetite=(
            (0, 0.2),
            (480, 0.5),
            (630, 0.7),
            (720, 0.9),
            (840, 0.6),
            (1020, 1.4),
            (1110, 2.0),
            (1200, 1.4),
            (1320, 0.5),
        ),
        dishes=(0.0, 0.22, 0.36, 0.28, 0.14),
        pieces=(0.72, 0.20, 0.08),
        at_work=(0.03, 0.0),
        holiday=1.3,
    ),
    "social": Habit(
        appetite=(
            (0, 1.3),
            (120, 0.5),
            (540, 0.4),
            (720, 0.8),
            (870, 1.5),
            (960, 1.6),
            (1080, 1.0),
            (1230, 1.5),
            (1350, 1.8),
        ),
        dishes=(0.06, 0.30, 0.36, 0.28),
        pieces=(0.60, 0.28, 0.12),
        at_work=(0.35, 0.05),
        holiday=1.6,
    ),
}
"""The habits of each segment."""

WORKING_MIN = (540, 1110)
"""Working hours for `Habit.at_work`."""


def appetite(segment: str, minute: Floats) -> Floats:
    """Relative inclination of a segment at minutes of the day (wrapping), float64 [n]."""
    knots = HABITS[segment].appetite
    at = np.asarray([knot[0] for knot in knots])
    weight = np.asarray([knot[1] for knot in knots])
    result: Floats = np.interp(minute % _DAY_MIN, at, weight, period=_DAY_MIN)
    return result


def mix(shares: tuple[float, float, float], minute: Floats, *, holiday: bool) -> Floats:
    """The chance that an intent at a minute of the day comes from each segment: float64 [n, 3], rows sum to 1.

    Share of the users times inclination at that time: with shares 0.5/0.3/0.2 at 11:30 about 0.69/0.19/0.11.
    """
    columns = []
    for share, segment in zip(shares, SEGMENTS, strict=True):
        factor = HABITS[segment].holiday if holiday else 1.0
        columns.append(share * factor * appetite(segment, minute))
    weight = np.stack(columns, axis=-1)
    result: Floats = weight / weight.sum(axis=-1, keepdims=True)
    return result
