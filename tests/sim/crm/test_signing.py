"""What comes of a visit (C1): the chance to sign, and the luck that every policy meets."""

from __future__ import annotations

import numpy as np
import pytest

from o2o_scenarios.schema import CrmSpec
from o2o_sim.crm.signing import BLOCK, MAX_CHANCE, Luck, chance, cooled

DAY = 86_400.0
CRM = CrmSpec(sign_chance=0.05, sign_gain_per_visit=0.04, interest_half_life_days=10, freshness_half_life_days=120)


def test_worked_chance() -> None:
    warmth = cooled(1.0, 10 * DAY, CRM)
    assert warmth == pytest.approx(0.5)
    assert chance(CRM, propensity=1.0, warmth=warmth, age_s=10 * DAY) == pytest.approx(0.0661, abs=5e-5)


def test_chance_has_a_ceiling_and_scales_with_propensity() -> None:
    assert chance(CRM, propensity=1000.0, warmth=0.0, age_s=0.0) == MAX_CHANCE
    assert chance(CRM, propensity=0.0, warmth=3.0, age_s=0.0) == 0.0
    assert chance(CRM, propensity=2.0, warmth=0.0, age_s=120 * DAY) == pytest.approx(0.05)


def test_never_visited_leads_have_no_warmth() -> None:
    assert cooled(np.array([0.0, 2.0]), np.array([np.inf, 0.0]), CRM).tolist() == [0.0, 2.0]


def test_luck_depends_on_lead_and_visit_only() -> None:
    few, many = Luck(7, 3), Luck(7, 500)
    for lead in range(3):
        for visit in (0, 1, BLOCK - 1, BLOCK, 3 * BLOCK + 2):
            assert few.draw(lead, visit) == many.draw(lead, visit)
    backwards = Luck(7, 3)
    assert backwards.draw(2, 40) == few.draw(2, 40)
    assert backwards.draw(1, 0) == few.draw(1, 0)
    assert Luck(8, 3).draw(0, 0) != few.draw(0, 0)


def test_luck_is_uniform() -> None:
    luck = Luck(1, 2000)
    draws = np.array([luck.draw(lead, visit) for lead in range(2000) for visit in range(5)])
    assert draws.min() >= 0.0
    assert draws.max() < 1.0
    assert abs(draws.mean() - 0.5) < 0.015
