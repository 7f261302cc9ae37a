"""Try-Confirm-Cancel: what a branch of a reservation does when a phase is asked of it, whatever came before (W10).

Decides by the branch's fence (its own record, written in the transaction of its work): do the phase's work, skip it, or
refuse. Leaves what the work of a phase is (pieces, budget, money) to the branches, and when which phase is asked for to
the coordinator. Messages may come twice, late or out of order; an answer never depends on how often one was asked.

    phase \\ fence   none               tried              confirmed          cancelled
    try             do, tried          skip               skip               refused
    confirm         refused            do, confirmed      skip               refused
    cancel          skip, cancelled    do, cancelled      refused            skip

Names and the three anomalies (duplicates, empty rollback, suspension) as in Seata's TCC fence, 1.5.1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from o2o_domain.refusal import Refused


class Branch(StrEnum):
    """What an order reserves; each branch could be a service of its own."""

    STOCK = "stock"
    COUPON = "coupon"
    BALANCE = "balance"


class Phase(StrEnum):
    """What is asked of a branch."""

    TRY = "try"
    CONFIRM = "confirm"
    CANCEL = "cancel"


class Fence(StrEnum):
    """What a branch has done for one order."""

    TRIED = "tried"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Do:
    """Do the work of the phase; in the same transaction the fence becomes `fence`."""

    fence: Fence


@dataclass(frozen=True, slots=True)
class Skip:
    """Do no work; the fence is `fence` afterwards (it is written only where there was none)."""

    fence: Fence


_F, _P = Fence, Phase

TABLE: Mapping[tuple[Fence | None, Phase], Do | Skip | Refused] = MappingProxyType(
    {
        (None, _P.TRY): Do(_F.TRIED),
        (None, _P.CONFIRM): Refused("not_tried"),  # nothing is held that could be kept
        (None, _P.CANCEL): Skip(_F.CANCELLED),  # empty rollback: the try was lost or is still on its way
        (_F.TRIED, _P.TRY): Skip(_F.TRIED),  # idempotence: asked twice, held once
        (_F.TRIED, _P.CONFIRM): Do(_F.CONFIRMED),
        (_F.TRIED, _P.CANCEL): Do(_F.CANCELLED),
        (_F.CONFIRMED, _P.TRY): Skip(_F.CONFIRMED),  # a late double of the try that was confirmed
        (_F.CONFIRMED, _P.CONFIRM): Skip(_F.CONFIRMED),  # idempotence: the coordinator asks until it hears an answer
        (_F.CONFIRMED, _P.CANCEL): Refused(
            "already_confirmed"
        ),  # the decision has been made; a refund is another thing
        (_F.CANCELLED, _P.TRY): Refused("already_cancelled"),  # suspension: nobody would ever free what it held
        (_F.CANCELLED, _P.CONFIRM): Refused("already_cancelled"),
        (_F.CANCELLED, _P.CANCEL): Skip(_F.CANCELLED),  # idempotence
    }
)
"""From (fence, phase) to what is done."""

TERMINAL: frozenset[Fence] = frozenset({_F.CONFIRMED, _F.CANCELLED})
"""Fences that no phase changes any more."""


def decide(fence: Fence | None, phase: Phase) -> Do | Skip | Refused:
    """What a branch does when `phase` is asked of it and its record says `fence` (None: it has none)."""
    return TABLE[fence, phase]


class Stage(StrEnum):
    """How far a coordinator has come with a reservation whose branches answer one by one."""

    TRYING = "trying"
    HELD = "held"
    """All tries are done; the order waits for its payment."""
    CONFIRMING = "confirming"
    CANCELLING = "cancelling"
    DONE = "done"


class StageEvent(StrEnum):
    """What moves a coordinator on."""

    ALL_TRIED = "all_tried"
    GIVE_UP = "give_up"
    """A try was refused, took too long, or the order ended unpaid."""
    DECIDE = "decide"
    """The order is paid: from here on it can only be confirmed."""
    ALL_ANSWERED = "all_answered"


_S, _E = Stage, StageEvent

STAGES: Mapping[tuple[Stage, StageEvent], Stage] = MappingProxyType(
    {
        (_S.TRYING, _E.ALL_TRIED): _S.HELD,
        (_S.TRYING, _E.DECIDE): _S.CONFIRMING,  # paid from the balance: tried and decided in one step
        (_S.TRYING, _E.GIVE_UP): _S.CANCELLING,
        (_S.HELD, _E.DECIDE): _S.CONFIRMING,
        (_S.HELD, _E.GIVE_UP): _S.CANCELLING,
        (_S.CONFIRMING, _E.ALL_ANSWERED): _S.DONE,
        (_S.CANCELLING, _E.ALL_ANSWERED): _S.DONE,
    }
)
"""From (stage, event) to stage. After the decision there is no way to the other side."""

OVER: frozenset[Stage] = frozenset({_S.DONE})
"""Stages without exits."""


def step(stage: Stage, event: StageEvent) -> Stage | Refused:
    """The coordinator's stage after `event`, or Refused("illegal_transition")."""
    after = STAGES.get((stage, event))
    return Refused("illegal_transition", f"{stage} + {event}") if after is None else after
