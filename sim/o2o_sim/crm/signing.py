"""What comes of a visit: whether the key person signs (C1).

Decides the chance, and draws one number per lead and visit, so that the n-th visit to a lead meets the same luck under
every policy (common random numbers); likewise whether a lead is one that its BD extends (C8). Leaves to `behaviour` who
visits, and when.

The chance is propensity x (sign_chance + sign_gain_per_visit x warmth) x freshness, at most 0.95, where
- warmth is the number of earlier visits, each halving with every `interest_half_life_days` since;
- freshness halves with every `freshness_half_life_days` since the lead appeared.
Worked: propensity 1, 0.05 + 0.04 a visit, half lives 10 and 120 days: the second visit, on day 10 and 10 days after the
first, has warmth 0.5 and freshness 0.944, so the chance is (0.05 + 0.02) x 0.944 = 0.066.
"""

from __future__ import annotations

from typing import TypeVar

from o2o_scenarios.schema import CrmSpec, Scenario
from o2o_sim.chance import stream
from o2o_sim.crm.behaviour import DAY_S, Floats

MAX_CHANCE = 0.95
BLOCK = 16
"""Visits whose draws are taken at a time. Part of the address of a draw: another value is another luck."""

Amount = TypeVar("Amount", float, Floats)


def cooled(warmth: Amount, since_s: Amount, crm: CrmSpec) -> Amount:
    """What is left of `warmth` (visits) after `since_s` seconds without a visit; of one lead, or of many [m]."""
    left: Amount = warmth * 2.0 ** (-since_s / (crm.interest_half_life_days * DAY_S))
    return left


def chance(crm: CrmSpec, *, propensity: float, warmth: float, age_s: float) -> float:
    """The chance that this visit ends in a signed contract; `age_s` is the lead's age in seconds."""
    fresh = 2.0 ** (-age_s / (crm.freshness_half_life_days * DAY_S))
    return float(min(MAX_CHANCE, propensity * (crm.sign_chance + crm.sign_gain_per_visit * warmth) * fresh))


def extended(scenario: Scenario, leads: int) -> list[bool]:
    """Which leads a BD keeps by an extension when a clock is about to take them (C8), by lead_id."""
    draws = stream(scenario.seed, "crm.extend").random(leads)
    return [bool(draw < scenario.crm.extend_share) for draw in draws]


class Luck:
    """The draws of each lead's visits, uniform in [0, 1), by lead and number of the visit."""

    def __init__(self, seed: int, leads: int) -> None:
        self._seed = seed
        self._leads = leads
        self._blocks: list[list[list[float]]] = []

    def draw(self, lead_id: int, visit_no: int) -> float:
        """The number that decides visit `visit_no` (0, 1, ...) to the lead, whoever makes it and whenever.

        It does not depend on how many leads there are.
        """
        block, place = divmod(visit_no, BLOCK)
        while block >= len(self._blocks):
            draws = stream(self._seed, "crm.sign", len(self._blocks)).random((self._leads, BLOCK))
            self._blocks.append(draws.tolist())
        return self._blocks[block][lead_id][place]
