"""A payment's life and what a provider's callback may do to it (G4, G11); how much of it may be given back.

Decides whether a callback is applied, ignored or refused, when callbacks come doubled, late, out of order or with
another amount, and whether a part refund may be. Leaves signatures, sending refunds and the order's own step to the
shell, and what the provider's statement says to `reconcile`.

Money of another amount than due never pays for an order: the order ends at once, the payment is `disputed`, and what
the provider's statement says it took is given back whole. (An order for less would be the merchant's loss, one for more
the user's; giving all back needs nobody to decide and leaves both books at zero. One message is not believed about
the sum: the statement is.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from o2o_domain.orders import OrderState
from o2o_domain.refusal import Refused


class PaymentState(StrEnum):
    """The platform's view of one payment."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"
    """The provider took the user's confirmation; the result is still to come."""
    PAID = "paid"
    REFUSED = "refused"
    EXPIRED = "expired"
    DISPUTED = "disputed"
    """The provider named another amount than was due; its statement will say what it took."""
    REFUNDED = "refunded"
    PART_REFUNDED = "part_refunded"


class PaymentEvent(StrEnum):
    """What happens to a payment."""

    CONFIRM = "confirm"
    PAY = "pay"
    REFUSE = "refuse"
    EXPIRE = "expire"
    DISPUTE = "dispute"
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
        (_S.REFUSED, _E.PAY): _S.PAID,  # the same after a contradictory refusal (callbacks out of order)
        # G4: another amount than due, in whatever state the money has not been taken yet
        (_S.REQUESTED, _E.DISPUTE): _S.DISPUTED,
        (_S.CONFIRMED, _E.DISPUTE): _S.DISPUTED,
        (_S.EXPIRED, _E.DISPUTE): _S.DISPUTED,
        (_S.REFUSED, _E.DISPUTE): _S.DISPUTED,
        (_S.DISPUTED, _E.REFUND): _S.REFUNDED,  # G11: what the statement says was taken is given back whole
        (_S.DISPUTED, _E.PAY): _S.PAID,  # the right amount after all: the order has ended, so it is refunded
        (_S.DISPUTED, _E.REFUSE): _S.REFUSED,  # the statement says that nothing was taken
        (_S.PAID, _E.REFUND): _S.REFUNDED,
        (_S.PAID, _E.PART_REFUND): _S.PART_REFUNDED,
        (_S.PART_REFUNDED, _E.PART_REFUND): _S.PART_REFUNDED,
        (_S.PART_REFUNDED, _E.REFUND): _S.REFUNDED,
    }
)
"""From (state, event) to state."""

TERMINAL: frozenset[PaymentState] = frozenset({_S.REFUNDED})
"""States without exits: even a refused or expired payment may still see money come in."""

TAKEN: frozenset[PaymentState] = frozenset({_S.PAID, _S.PART_REFUNDED, _S.REFUNDED})
"""States in which the platform's books say that money came in."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply `event`. `then_refund`: the order no longer waits for this money, so give it back at once."""

    event: PaymentEvent
    then_refund: bool = False


@dataclass(frozen=True, slots=True)
class Ignore:
    """Answer the provider with success and change nothing.

    `reason`: duplicate | already_paid | already_refused | already_disputed.
    """

    reason: str


@dataclass(frozen=True, slots=True)
class GiveBack:
    """Give `fen` back; `event` is the payment's step, `total_fen` what has been given back after it."""

    fen: int
    event: PaymentEvent
    total_fen: int


def step(state: PaymentState, event: PaymentEvent) -> PaymentState | Refused:
    """The state after `event`, or Refused("illegal_transition")."""
    after = TRANSITIONS.get((state, event))
    return Refused("illegal_transition", f"{state} + {event}") if after is None else after


def on_callback(
    state: PaymentState, *, amount_due: int, amount: int, ok: bool, duplicate: bool = False
) -> Apply | Ignore | Refused:
    """What a provider's callback does to a payment in `state` (amounts in fen).

    `ok`: the provider says paid (else refused). `duplicate`: this callback's id was seen before. Money of another
    amount than due opens a dispute; what was paid already is not moved by any callback, and never paid a second time.
    """
    if duplicate:
        return Ignore("duplicate")
    if state in TAKEN:
        return Ignore("already_paid")  # a contradiction is the statement's business (`reconcile`)
    if not ok:
        if state in (_S.REQUESTED, _S.CONFIRMED):
            return Apply(_E.REFUSE)
        return Ignore("already_disputed" if state == _S.DISPUTED else "already_refused")
    if amount != amount_due:
        return Ignore("already_disputed") if state == _S.DISPUTED else Apply(_E.DISPUTE)
    return Apply(_E.PAY, then_refund=state not in (_S.REQUESTED, _S.CONFIRMED))


REFUNDABLE = frozenset(
    {OrderState.PAID, OrderState.COOKING, OrderState.READY, OrderState.PICKED_UP, OrderState.DELIVERED}
)
"""States of a takeout order in which money may be given back while the order goes on, or after it."""


def part_refund(
    order_state: OrderState, payment_state: PaymentState, *, paid_fen: int, refunded_fen: int, amount_fen: int
) -> GiveBack | Refused:
    """Whether `amount_fen` of an order's money may be given back although the order stands.

    Several part refunds are allowed; together they never exceed what was paid. The last fen makes the payment
    `refunded`; the order's own state stays. Refused with not_refundable (the order's state), bad_amount (not above 0)
    or more_than_paid.
    """
    if order_state not in REFUNDABLE or payment_state not in TAKEN:
        return Refused("not_refundable", f"{order_state}, payment {payment_state}")
    if amount_fen <= 0:
        return Refused("bad_amount", str(amount_fen))
    total_fen = refunded_fen + amount_fen
    if total_fen > paid_fen:
        return Refused("more_than_paid", f"{refunded_fen} of {paid_fen} fen refunded already, {amount_fen} asked for")
    return GiveBack(amount_fen, _E.REFUND if total_fen == paid_fen else _E.PART_REFUND, total_fen)
