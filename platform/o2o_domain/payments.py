"""A payment's life and what a provider's callback may do to it (G4, G11).

Decides whether a callback is applied, ignored or refused, when callbacks come doubled, late, out of order or with
another amount. Leaves signatures, sending refunds and the order's own step to the shell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from o2o_domain.refusal import Refused


class PaymentState(StrEnum):
    """The platform's view of one payment."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    """The provider took the user's confirmation; the result is still to come."""
    PAID = "paid"
    REFUSED = "refused"
    EXPIRED = "expired"
    REFUNDED = "refunded"
    PART_REFUNDED = "part_refunded"


class PaymentEvent(StrEnum):
    """What happens to a payment."""

    CONFIRM = "confirm"
    PAY = "pay"
    REFUSE = "refuse"
    EXPIRE = "expire"
    REFUND = "refund"
    PART_REFUND = "part_refund"


_S, _E = PaymentState, PaymentEvent

TRANSITIONS: Mapping[tuple[PaymentState, PaymentEvent], PaymentState] = MappingProxyType(
    {
        (_S.REQUESTED, _E.CONFIRM): _S.CONFIRMED,
        (_S.REQUESTED, _E.PAY): _S.PAID,  # the callback may overtake the confirmation
        (_S.REQUESTED, _E.REFUSE): _S.REFUSED,
        (_S.REQUESTED, _E.EXPIRE): _S.EXPIRED,
        (_S.CONFIRMED, _E.PAY): _S.PAID,
        (_S.CONFIRMED, _E.REFUSE): _S.REFUSED,
        (_S.CONFIRMED, _E.EXPIRE): _S.EXPIRED,
        (_S.EXPIRED, _E.PAY): _S.PAID,  # G11: late money is still money; the order is closed, so it is refunded
        (_S.REFUSED, _E.PAY): _S.PAID,  # the same after a contradictory refusal
        (_S.PAID, _E.REFUND): _S.REFUNDED,
        (_S.PAID, _E.PART_REFUND): _S.PART_REFUNDED,
        (_S.PART_REFUNDED, _E.PART_REFUND): _S.PART_REFUNDED,
        (_S.PART_REFUNDED, _E.REFUND): _S.REFUNDED,
    }
)
"""From (state, event) to state."""

TERMINAL: frozenset[PaymentState] = frozenset({_S.REFUNDED})
"""States without exits: even a refused or expired payment may still see money come in."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply `event`. `then_refund`: the order no longer waits for this money, so give it back at once."""

    event: PaymentEvent
    then_refund: bool = False


@dataclass(frozen=True, slots=True)
class Ignore:
    """Answer the provider with success and change nothing. `reason`: duplicate | already_paid | already_refused."""

    reason: str


def step(state: PaymentState, event: PaymentEvent) -> PaymentState | Refused:
    """The state after `event`, or Refused("illegal_transition")."""
    after = TRANSITIONS.get((state, event))
    return Refused("illegal_transition", f"{state} + {event}") if after is None else after


def on_callback(
    state: PaymentState, *, amount_due: int, amount: int, ok: bool, duplicate: bool = False
) -> Apply | Ignore | Refused:
    """What a provider's callback does to a payment in `state` (amounts in fen).

    `ok`: the provider says paid (else refused). `duplicate`: this callback's id was seen before. Money of another
    amount than due is never applied: Refused("amount_mismatch"). A callback never raises a paid payment a second time.
    """
    if duplicate:
        return Ignore("duplicate")
    if not ok:
        if state in (_S.REQUESTED, _S.CONFIRMED):
            return Apply(_E.REFUSE)
        return Ignore("already_paid" if state in (_S.PAID, _S.REFUNDED, _S.PART_REFUNDED) else "already_refused")
    if amount != amount_due:
        return Refused("amount_mismatch", f"due {amount_due}, got {amount}")
    if state in (_S.REQUESTED, _S.CONFIRMED):
        return Apply(_E.PAY)
    if state in (_S.EXPIRED, _S.REFUSED):
        return Apply(_E.PAY, then_refund=True)
    return Ignore("already_paid")
