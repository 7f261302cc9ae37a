"""Leads become merchants only after a visit and a contract (C1)."""

from __future__ import annotations

import pytest

from o2o_domain.leads import LeadEvent, LeadStage, convert, step
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
