"""What comes of a visit: whether the key person signs (C1).

Decides the chance and draws it from the lead's own stream, one number per visit, so that the n-th visit to a lead
meets the same luck under every policy (common random numbers). Leaves to `behaviour` who visits, and when.

The chance is propensity x (sign_chance + sign_gain_per_visit x warmth) x freshness, at most 0.95, where
- warmth is the number of earlier visits, each halving with every `interest_half_life_days` since;
- freshness halves with every `freshness_half_life_days` since the lead appeared.
Worked: propensity 1, 0.05 + 0.04 a visit, half lives 10 and 120 days: the second visit, on day 10 and 10 days after the
first, has warmth 0.5 and freshness 0.944, so the chance is (0.05 + 0.02) x 0.944 = 0.066.
"""

from __future__ import annotations

import numpy as np

from o2o_scenarios.schema import CrmSpec
from o2o_sim.chance import stream
from o2o_sim.crm.behaviour import DAY_S, Floats

MAX_CHANCE = 0.95
BLOCK = 16
"""Draws taken from a lead's stream at a time; has no influence on their values."""


def cooled(warmth: Floats, since_s: Floats, crm: CrmSpec) -> Floats:
    """What is left of `warmth` (visits, [m]) after `since_s` seconds without a visit, [m]."""
    left: Floats = warmth * np.exp2(-since_s / (crm.interest_half_life_days * DAY_S))
    return left


def chance(crm: CrmSpec, *, propensity: float, warmth: float, age_s: float) -> float:
    """The chance that this visit ends in a signed contract; `age_s` is the lead's age in seconds."""
    fresh = 2.0 ** (-age_s / (crm.freshness_half_life_days * DAY_S))
    return float(min(MAX_CHANCE, propensity * (crm.sign_chance + crm.sign_gain_per_visit * warmth) * fresh))


class Luck:
    """The draws of each lead's visits, uniform in [0, 1), by lead and number of the visit."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._draws: dict[int, list[float]] = {}

    def draw(self, lead_id: int, visit_no: int) -> float:
        """The number that decides visit `visit_no` (0, 1, ...) to the lead, whoever makes it and whenever."""
        draws = self._draws.get(lead_id, [])
        if visit_no >= len(draws):
            size = (visit_no // BLOCK + 1) * BLOCK
            draws = self._draws[lead_id] = stream(self._seed, "crm.sign", lead_id).random(size).tolist()
        return draws[visit_no]
