"""Leads become merchants only after a visit and a contract (C1)."""

from __future__ import annotations

import pytest

from o2o_domain.leads import LeadEvent, LeadStage, check_in, convert, sign, step, visit
from o2o_domain.refusal import Refused


def test_a_visited_lead_with_a_contract_converts() -> None:
    assert convert(LeadStage.VISITED, visits=1, contract_signed=True) == LeadStage.SIGNED


@pytest.mark.parametrize(
    ("stage", "visits", "contract", "code"),
    [
        (LeadStage.NEW, 0, True, "no_visit"),
        (LeadStage.OPPORTUNITY, 0, True, "no_visit"),
        (LeadStage.VISITED, 3, False, "no_contract"),
        (LeadStage.SIGNED, 1, True, "already_signed"),
        (LeadStage.DEAD, 1, True, "dead"),
    ],
)
def test_nothing_else_converts(stage: LeadStage, visits: int, contract: bool, code: str) -> None:
    """C1."""
    assert convert(stage, visits=visits, contract_signed=contract) == Refused(code)


def test_no_signature_without_a_visit() -> None:
    assert isinstance(step(LeadStage.NEW, LeadEvent.SIGN), Refused)
    assert isinstance(step(LeadStage.OPPORTUNITY, LeadEvent.SIGN), Refused)


@pytest.mark.parametrize(("distance_m", "code"), [(0.0, None), (300.0, None), (300.01, "too_far")])
def test_a_visit_is_checked_in_near_the_store(distance_m: float, code: str | None) -> None:
    """C13."""
    refused = check_in(distance_m=distance_m, radius_m=300.0)
    assert (refused and refused.code) == code


@pytest.mark.parametrize(
    ("stage", "is_owner", "distance_m", "answer"),
    [
        (LeadStage.NEW, True, 10.0, LeadStage.VISITED),
        (LeadStage.VISITED, True, 10.0, LeadStage.VISITED),
        (LeadStage.VISITED, True, 500.0, "too_far"),
        (LeadStage.VISITED, False, 500.0, "not_owner"),
        (LeadStage.SIGNED, False, 500.0, "lead_closed"),
        (LeadStage.DEAD, True, 10.0, "lead_closed"),
    ],
)
def test_who_may_visit(stage: LeadStage, is_owner: bool, distance_m: float, answer: str) -> None:
    given = visit(stage, is_owner=is_owner, distance_m=distance_m, radius_m=300.0)
    assert (given.code if isinstance(given, Refused) else given) == answer


@pytest.mark.parametrize(
    ("stage", "is_owner", "visits", "answer"),
    [
        (LeadStage.VISITED, True, 1, LeadStage.SIGNED),
        (LeadStage.VISITED, False, 1, "not_owner"),
        (LeadStage.NEW, True, 0, "no_visit"),
        (LeadStage.SIGNED, False, 1, "already_signed"),
        (LeadStage.DEAD, False, 1, "dead"),
    ],
)
def test_who_may_bring_the_contract(stage: LeadStage, is_owner: bool, visits: int, answer: str) -> None:
    """C1."""
    given = sign(stage, is_owner=is_owner, visits=visits)
    assert (given.code if isinstance(given, Refused) else given) == answer
