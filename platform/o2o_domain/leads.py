"""A lead's way to a cooperating merchant (C1).

Decides the stages, who may visit and from where (C13), and that only a lead with at least one visit and a signed
contract converts. Leaves ownership to `pools`, and the append-only history of stages to the shells.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from o2o_domain.refusal import Refused


class LeadStage(StrEnum):
    """Stages of a lead (a store that does not cooperate yet)."""

    NEW = "new"
    OPPORTUNITY = "opportunity"
    """Inbound (C2: 商机, 入驻): the merchant came by itself, the lead skips the pool claim."""
    VISITED = "visited"
    """A BD has met the key person at least once."""
    SIGNED = "signed"
    """Contract signed: a cooperating merchant that can list."""
    DEAD = "dead"
    """Given up for good: closed shop, duplicate."""


class LeadEvent(StrEnum):
    """What happens to a lead."""

    VISIT = "visit"
    SIGN = "sign"
    KILL = "kill"


_S, _E = LeadStage, LeadEvent

TRANSITIONS: Mapping[tuple[LeadStage, LeadEvent], LeadStage] = MappingProxyType(
    {
        (_S.NEW, _E.VISIT): _S.VISITED,
        (_S.NEW, _E.KILL): _S.DEAD,
        (_S.OPPORTUNITY, _E.VISIT): _S.VISITED,
        (_S.OPPORTUNITY, _E.KILL): _S.DEAD,
        (_S.VISITED, _E.VISIT): _S.VISITED,
        (_S.VISITED, _E.SIGN): _S.SIGNED,  # C1: only after a visit
        (_S.VISITED, _E.KILL): _S.DEAD,
    }
)
"""From (stage, event) to stage."""

TERMINAL: frozenset[LeadStage] = frozenset({_S.SIGNED, _S.DEAD})

CHECK_IN_RADIUS_M = 300.0
"""A visit is checked in at most so far from the store, metres, unless a shell is told otherwise (C13; assumed: what a
phone's position is good for among tall houses)."""


def step(stage: LeadStage, event: LeadEvent) -> LeadStage | Refused:
    """The stage after `event`, or Refused("illegal_transition")."""
    after = TRANSITIONS.get((stage, event))
    return Refused("illegal_transition", f"{stage} + {event}") if after is None else after


def convert(stage: LeadStage, *, visits: int, contract_signed: bool) -> LeadStage | Refused:
    """LeadStage.SIGNED for a lead that may become a merchant (C1: >= 1 visit and a signed contract).

    Refused with already_signed, dead, no_visit or no_contract.
    """
    if stage == _S.SIGNED:
        return Refused("already_signed")
    if stage == _S.DEAD:
        return Refused("dead")
    if visits < 1:
        return Refused("no_visit")
    if not contract_signed:
        return Refused("no_contract")
    return _S.SIGNED


def closed(stage: LeadStage) -> Refused | None:
    """Refused("lead_closed") for a lead that nothing more can happen to (signed, dead)."""
    return Refused("lead_closed", f"the lead is {stage}") if stage in TERMINAL else None


def check_in(*, distance_m: float, radius_m: float) -> Refused | None:
    """Refused("too_far") for a visit that is checked in more than `radius_m` from the store (C13)."""
    if distance_m > radius_m:
        return Refused("too_far", f"{distance_m:.0f} m from the store, {radius_m:.0f} m allowed")
    return None


def visit(stage: LeadStage, *, is_owner: bool, distance_m: float, radius_m: float) -> LeadStage | Refused:
    """The stage after a visit that its BD checks in at `distance_m` from the store (C1, C13).

    Refused with lead_closed, not_owner or too_far, in this order.
    """
    refused = closed(stage)
    if refused is None and not is_owner:
        refused = Refused("not_owner", "the lead is not in your private pool")
    refused = refused or check_in(distance_m=distance_m, radius_m=radius_m)
    return step(stage, LeadEvent.VISIT) if refused is None else refused


def sign(stage: LeadStage, *, is_owner: bool, visits: int) -> LeadStage | Refused:
    """The stage after a BD has brought the signed contract (C1).

    Refused with already_signed, dead, not_owner or no_visit, in this order.
    """
    if stage not in TERMINAL and not is_owner:
        return Refused("not_owner", "the lead is not in your private pool")
    return convert(stage, visits=visits, contract_signed=True)
