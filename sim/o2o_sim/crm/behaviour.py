"""How a BD decides: how many leads to claim, which ones, and whom to visit today in which order (C6, C13).

Decides by pure functions of numbers; the numbers may come from a simulated or from a running platform. Leaves to the
pool rules (o2o_domain.pools) what a BD may do, and to `signing` what comes of a visit. Rules that hold in this file:
- a lead's worth is the expected contracts of one visit; BDs compare leads by worth per second of travel and visit;
- a BD knows a lead by its `appeal`, an estimate of its propensity that gets better with each visit;
- travel times and durations are seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from o2o_scenarios.schema import CrmSpec

DAY_S = 86_400.0

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
Legs: TypeAlias = Callable[[int], Floats]


@dataclass(frozen=True, slots=True)
class Habits:
    """How the BDs of a city work. Counts are a day's; shares are 0..1."""

    visits_per_day: float
    visit_s: float
    work_s: float
    revisit_s: float
    hoarding: float
    defend_s: float
    base: float
    """Chance that the first visit to an average lead ends in a contract, as BDs believe."""
    gain: float
    """What one earlier visit adds to it."""

    @classmethod
    def of(cls, crm: CrmSpec) -> Habits:
        """The habits that the scenario describes."""
        return cls(
            visits_per_day=crm.visits_per_day,
            visit_s=crm.visit_min * 60.0,
            work_s=crm.work_hours * 3600.0,
            revisit_s=crm.revisit_days * DAY_S,
            hoarding=crm.hoarding,
            defend_s=crm.defend_days * DAY_S,
            base=crm.sign_chance,
            gain=crm.sign_gain_per_visit,
        )


def leads_to_claim(habits: Habits, *, quota: int, held: int, workable: int) -> int:
    """How many leads a BD claims this morning: what today's work needs, and then the hoard.

    `workable` of his `held` leads can be visited today. With `hoarding` 0 he claims only what today lacks; with 1 he
    fills the quota: 40 of quota, 10 held, 5 workable, 8 visits a day: 3 claimed at 0, 30 at 1, 16 at 0.5.
    """
    free = max(0, quota - held)
    lacking = min(free, max(0, round(habits.visits_per_day) - workable))
    return lacking + int(habits.hoarding * (free - lacking))


def choose_open(habits: Habits, *, appeal: Floats, travel_s: Floats, count: int) -> Indices:
    """The `count` most attractive leads of the public pool, best first, as positions in `appeal` and `travel_s` [m].

    Attractive is appeal per second of travel from the BD's base and visit. Ties go to the lower position.
    """
    size = appeal.shape[0]
    if count <= 0 or size == 0:
        return np.empty(0, dtype=np.intp)
    score = -appeal / (travel_s + habits.visit_s)
    if count >= size:
        return np.argsort(score, kind="stable")
    nearest = np.sort(np.argpartition(score, count - 1)[:count])
    return nearest[np.argsort(score[nearest], kind="stable")]


def worth(habits: Habits, *, appeal: Floats, warmth: Floats, due_in_s: Floats) -> Floats:
    """Expected contracts of a visit to each own lead, and what a hoarder adds so as not to lose it, [m].

    `warmth` is the number of earlier visits that the key person still remembers; `due_in_s` the time until the first
    clock of the pool rules takes the lead away. Within `defend_s` of that a lead counts twice: a visit merely to keep
    it, or the last try.
    """
    expected = appeal * (habits.base + habits.gain * warmth)
    return np.where(due_in_s <= habits.defend_s, 2.0 * expected, expected)


def plan_day(habits: Habits, *, worths: Floats, from_base_s: Floats, from_lead_s: Legs) -> list[int]:
    """Whom to visit today, in order, as positions in `worths` [m].

    `from_base_s` are the travel times to each lead [m] from where the day begins, `from_lead_s(i)` those from lead i.

    From where he stands a BD goes on to the lead with the highest worth per second of travel and visit, until the
    number of visits or the working time is used up (the way home is not paid for). Ties go to the lower position.
    """
    left = worths.copy()
    legs = from_base_s
    now_s = 0.0
    plan: list[int] = []
    for _ in range(min(round(habits.visits_per_day), left.shape[0])):
        rate = left / (legs + habits.visit_s)
        best = int(np.argmax(rate))
        end_s = now_s + float(legs[best]) + habits.visit_s
        if rate[best] <= 0.0 or end_s > habits.work_s:
            break
        now_s = end_s
        plan.append(best)
        left[best] = 0.0
        legs = from_lead_s(best)
    return plan
