"""The ticket's life and what to do when printing fails (A14: printed exactly once).

Decides the table of states, whether and when an attempt is repeated, and the escalation ladder. Leaves sending, the
clock and the paper's layout (`ticket_layout`) to others.

Rules that hold in this file:
- a ticket whose bytes were sent and not answered is `unconfirmed` and is never sent again by itself: that is how
  double prints happen. It accepts late results and escalates to the merchant's app, then SMS, then a phone call;
- every outcome other than `silent` means that not one byte of the ticket was sent, so a retry cannot print twice;
- a printer that the platform connects to is asked for trouble before the claim: an attempt that finds trouble counts,
  and leaves the ticket `queued` (no claim, no requeue); `claimed` means that bytes may leave at any moment;
- each printer has a queue of its own, in the order in which its tickets were queued, and that order is kept: a ticket
  that waits for its next attempt stays at the head. A dead printer so holds up its own queue, and nobody else's;
- a ticket still queued at its deadline fails (code `deadline`), wherever in the queue it is, and is not printed later:
  the merchant is told by the app and takes the order there. So no head blocks its queue beyond its deadline. A ticket
  that was sent, or has failed, stays what it is, and the ladder is climbed;
- a reprint is a new ticket with the next copy number, not an exit from a terminal state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from o2o_domain.refusal import Refused

MAX_BACKOFF_S = 60.0
"""Doubling of the pause between attempts stops here."""


class TicketState(StrEnum):
    """States of one ticket (one copy for one printer)."""

    QUEUED = "queued"
    OFFERED = "offered"
    """Shown to a polling printer that has not fetched it yet."""
    CLAIMED = "claimed"
    """A dispatcher or printer has it and may be sending."""
    PRINTED = "printed"
    FAILED = "failed"
    UNCONFIRMED = "unconfirmed"


class TicketEvent(StrEnum):
    """What happens to a ticket."""

    OFFER = "offer"
    CLAIM = "claim"
    PRINT = "print"
    FAIL = "fail"
    TIME_OUT = "time_out"
    LATE_RESULT = "late_result"
    REQUEUE = "requeue"


class PrintOutcome(StrEnum):
    """How an attempt that did not end in `printed` ended. All but `silent`: nothing was sent."""

    REFUSED = "refused"
    """No connection."""
    BROKEN_BEFORE_SEND = "broken_before_send"
    PAPER_END = "paper_end"
    COVER_OPEN = "cover_open"
    ERROR = "error"
    """The printer reported an error (cutter, temperature) before anything was sent."""
    SILENT = "silent"
    """Bytes were sent (all or some), and no answer came in time."""


class Escalation(StrEnum):
    """Steps of the ladder, lowest first."""

    APP = "app"
    SMS = "sms"
    PHONE = "phone"


_S, _E = TicketState, TicketEvent

TRANSITIONS: Mapping[tuple[TicketState, TicketEvent], TicketState] = MappingProxyType(
    {
        (_S.QUEUED, _E.OFFER): _S.OFFERED,  # polling printers (Star CloudPRNT: jobReady in the poll's answer)
        (_S.QUEUED, _E.CLAIM): _S.CLAIMED,  # printers that the platform connects to (TCP 9100): nothing to offer
        (_S.QUEUED, _E.FAIL): _S.FAILED,  # deadline passed or attempts used up while waiting
        (_S.OFFERED, _E.CLAIM): _S.CLAIMED,  # the printer's GET
        (_S.OFFERED, _E.REQUEUE): _S.QUEUED,  # the offer lapsed: the printer stopped polling
        (_S.OFFERED, _E.FAIL): _S.FAILED,
        (_S.CLAIMED, _E.PRINT): _S.PRINTED,  # acknowledged by the printer
        (_S.CLAIMED, _E.FAIL): _S.FAILED,
        (_S.CLAIMED, _E.REQUEUE): _S.QUEUED,  # nothing was sent: another attempt may follow
        (_S.CLAIMED, _E.TIME_OUT): _S.UNCONFIRMED,  # sent, no answer in time
        (_S.UNCONFIRMED, _E.LATE_RESULT): _S.PRINTED,  # the late answer is believed
        (_S.UNCONFIRMED, _E.FAIL): _S.FAILED,  # the late answer, or the merchant, says: not on paper
    }
)
"""From (state, event) to state."""

TERMINAL: frozenset[TicketState] = frozenset({_S.PRINTED, _S.FAILED})
"""States without exits. `unconfirmed` is not one: late results are accepted."""

VISIBLE: frozenset[TicketState] = frozenset({_S.PRINTED, _S.FAILED, _S.UNCONFIRMED})
"""States that a paid order's first copy must have reached by its deadline: on paper, or visibly not."""

UNSENT: frozenset[TicketState] = frozenset({_S.QUEUED, _S.OFFERED})
"""States in which nothing of a ticket can be on paper yet, and something still may come."""

LADDER: tuple[Escalation, ...] = (Escalation.APP, Escalation.SMS, Escalation.PHONE)


@dataclass(frozen=True, slots=True)
class PrintPolicy:
    """Print policy: attempts before giving up, first pause, wait for the answer, deadline from queueing; seconds."""

    max_attempts: int = 5
    backoff_s: float = 2.0
    ack_timeout_s: float = 20.0
    deadline_s: float = 180.0


@dataclass(frozen=True, slots=True)
class Retry:
    """Requeue; try again not before `at` (same clock as the arguments, seconds)."""

    at: float


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """Do not send again; tell the merchant by `escalate`."""

    escalate: Escalation


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Mark failed with `code` (the last outcome, or `deadline`), tell the merchant. `reason`: attempts | deadline."""

    code: str
    escalate: Escalation
    reason: str


@dataclass(frozen=True, slots=True)
class Escalate:
    """Tell the merchant by `level`; the ticket stays in its state."""

    level: Escalation


def step(state: TicketState, event: TicketEvent) -> TicketState | Refused:
    """The state after `event`, or Refused("illegal_transition")."""
    after = TRANSITIONS.get((state, event))
    return Refused("illegal_transition", f"{state} + {event}") if after is None else after


def after_failure(
    policy: PrintPolicy, *, attempts: int, outcome: PrintOutcome, queued_at: float, now: float
) -> Retry | Unconfirmed | GiveUp:
    """What follows the `attempts`-th attempt (1 = the first) that ended with `outcome` at `now` (A14).

    The pause doubles: backoff_s * 2**(attempts-1), at most 60 s. An attempt that would start after
    queued_at + deadline_s is not made. Worked: backoff 2 s, third attempt refused at now=10 -> Retry(at=18).
    """
    if outcome == PrintOutcome.SILENT:
        return Unconfirmed(LADDER[0])
    if attempts >= policy.max_attempts:
        return GiveUp(str(outcome), LADDER[0], "attempts")
    # The exponent is bounded so that absurd attempt numbers cannot overflow a float.
    at = now + min(policy.backoff_s * 2.0 ** min(max(attempts, 1) - 1, 32), MAX_BACKOFF_S)
    if at > queued_at + policy.deadline_s:
        return GiveUp(str(outcome), LADDER[0], "deadline")
    return Retry(at)


def escalate(level: Escalation | None) -> Escalation | None:
    """The next step of the ladder: None -> app -> sms -> phone -> None (nothing above a call)."""
    if level is None:
        return LADDER[0]
    index = LADDER.index(level) + 1
    return LADDER[index] if index < len(LADDER) else None


def escalation_due(policy: PrintPolicy, *, queued_at: float, level: Escalation | None, now: float) -> Escalation | None:
    """The step that is due now for a ticket that is not printed, or None.

    The first step is due deadline_s after queueing, each further one deadline_s later, one step a call. `level` is
    the highest step reached so far. Worked: deadline 180 s, level app: sms is due from queued_at + 360 s on.
    """
    following = escalate(level)
    if following is None:
        return None
    due = queued_at
    for _ in range(LADDER.index(following) + 1):  # a sum and no product, as a clock that waits step by step rounds
        due += policy.deadline_s
    return following if now >= due else None


def at_deadline(
    policy: PrintPolicy, *, state: TicketState, queued_at: float, level: Escalation | None, now: float
) -> GiveUp | Escalate | None:
    """What is due at `now` for a ticket in `state` that was queued at `queued_at` (A14); None: nothing (yet).

    Unsent at queued_at + deadline_s: GiveUp("deadline"). Sent and not on paper, or failed: the step of the ladder that
    `escalation_due` names. Printed: nothing. Worked: deadline 180 s, queued at 0, queued still at 180 -> GiveUp;
    unconfirmed with level app -> Escalate(sms) from 360 s on.
    """
    if state == _S.PRINTED:
        return None
    if state in UNSENT:
        return GiveUp("deadline", LADDER[0], "deadline") if now >= queued_at + policy.deadline_s else None
    due = escalation_due(policy, queued_at=queued_at, level=level, now=now)
    return None if due is None else Escalate(due)
