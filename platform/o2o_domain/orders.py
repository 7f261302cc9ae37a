"""The order's life as tables of transitions, one a vertical (A4, A13).

Decides which event leads from which state to which. Leaves when an event happens, who may cause it (roles) and what
else it moves (money, stock, coupons) to the shells and the other rules.

Rules that hold in this file:
- every paid order reaches exactly one terminal state (A13); a terminal state has no exits;
- `refused` is the state of an order that was never created (price, stock, hours, eligibility): no event leads there;
- an illegal step is a `Refused("illegal_transition")`, which the platform answers with 409 (A13).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from o2o_domain.errors import UnknownKindError
from o2o_domain.refusal import Refused


class OrderState(StrEnum):
    """States of an order of either vertical."""

    PENDING_PAYMENT = "pending_payment"
    PAID = "paid"
    COOKING = "cooking"
    READY = "ready"
    PICKED_UP = "picked_up"
    DELIVERED = "delivered"
    REFUSED = "refused"
    """Refused before creation."""
    PAYMENT_FAILED = "payment_failed"
    CLOSED = "closed"
    """Never paid: by the deadline, or given up by the user before paying."""
    REJECTED = "rejected"
    """By the merchant, refunded."""
    CANCELLED = "cancelled"
    """After payment (by user, operator or for want of a rider), refunded."""
    ISSUED = "issued"
    """Deal: the voucher is out."""
    REDEEMED = "redeemed"
    REFUNDED = "refunded"


class OrderEvent(StrEnum):
    """What happens to an order."""

    PAY = "pay"
    PAY_REFUSED = "pay_refused"
    PAY_TIMEOUT = "pay_timeout"
    ACCEPT = "accept"
    REJECT = "reject"
    READY = "ready"
    PICK_UP = "pick_up"
    DELIVER = "deliver"
    CANCEL = "cancel"
    NO_RIDER = "no_rider"
    ISSUE = "issue"
    """Name of the voucher's issue in histories; `pay` leads to `issued` in the same step, so no table needs it."""
    REDEEM = "redeem"
    REFUND = "refund"


_S, _E = OrderState, OrderEvent

# The part before money has come is the same for every vertical (A4: one order core).
_UNPAID: dict[tuple[OrderState, OrderEvent], OrderState] = {
    (_S.PENDING_PAYMENT, _E.PAY_REFUSED): _S.PAYMENT_FAILED,  # the provider said no
    (_S.PENDING_PAYMENT, _E.PAY_TIMEOUT): _S.CLOSED,  # no money by the deadline
    (_S.PENDING_PAYMENT, _E.CANCEL): _S.CLOSED,  # given up before paying: nothing to refund
}

TAKEOUT: Mapping[tuple[OrderState, OrderEvent], OrderState] = MappingProxyType(
    {
        **_UNPAID,
        (_S.PENDING_PAYMENT, _E.PAY): _S.PAID,  # A13 step 1: user orders
        (_S.PAID, _E.ACCEPT): _S.COOKING,  # A13 step 2: merchant notified, 3: cook
        (_S.PAID, _E.REJECT): _S.REJECTED,  # G1/G2: the merchant may refuse, the user is refunded
        (_S.PAID, _E.CANCEL): _S.CANCELLED,
        (_S.PAID, _E.NO_RIDER): _S.CANCELLED,
        (_S.COOKING, _E.READY): _S.READY,
        (_S.COOKING, _E.CANCEL): _S.CANCELLED,
        (_S.COOKING, _E.NO_RIDER): _S.CANCELLED,  # riders are sought from acceptance on, so it can end in either
        (_S.READY, _E.NO_RIDER): _S.CANCELLED,
        (_S.READY, _E.CANCEL): _S.CANCELLED,
        (_S.READY, _E.PICK_UP): _S.PICKED_UP,  # A13 step 4: delivery by runner; from here on no way back
        (_S.PICKED_UP, _E.DELIVER): _S.DELIVERED,  # A13 step 5: user eats
    }
)
"""Takeout (外卖)."""

DEAL: Mapping[tuple[OrderState, OrderEvent], OrderState] = MappingProxyType(
    {
        **_UNPAID,
        (_S.PENDING_PAYMENT, _E.PAY): _S.ISSUED,  # paying for a deal issues its voucher
        (_S.ISSUED, _E.REDEEM): _S.REDEEMED,  # A6: redeemed once
        (_S.ISSUED, _E.REFUND): _S.REFUNDED,  # A6: refund after redemption is refused, before it is fine
    }
)
"""Group-buy deals (团购)."""

VERTICALS: Mapping[str, Mapping[tuple[OrderState, OrderEvent], OrderState]] = MappingProxyType(
    {"order": TAKEOUT, "deal": DEAL}
)
"""The table of each kind of order."""

TERMINAL: Mapping[str, frozenset[OrderState]] = MappingProxyType(
    {
        "order": frozenset({_S.REFUSED, _S.PAYMENT_FAILED, _S.CLOSED, _S.REJECTED, _S.CANCELLED, _S.DELIVERED}),
        "deal": frozenset({_S.REFUSED, _S.PAYMENT_FAILED, _S.CLOSED, _S.REDEEMED, _S.REFUNDED}),
    }
)
"""States without exits, by kind."""

_SETTLED = {"order": TERMINAL["order"], "deal": TERMINAL["deal"] | {_S.ISSUED}}


def step(kind: str, state: OrderState, event: OrderEvent) -> OrderState | Refused:
    """The state after `event`, or Refused("illegal_transition", "paid + deliver").

    Raises UnknownKindError for a kind without a table.
    """
    table = VERTICALS.get(kind)
    if table is None:
        raise UnknownKindError(f"unknown kind of order {kind!r}; known: {', '.join(VERTICALS)}")
    after = table.get((state, event))
    return Refused("illegal_transition", f"{state} + {event}") if after is None else after


def settled(kind: str, state: OrderState) -> bool:
    """True when nothing more needs to happen: a terminal state, or a deal whose voucher is out.

    A voucher may be redeemed weeks later, so an issued deal at a run's horizon is settled, not unfinished.
    """
    return state in _SETTLED[kind]


def refundable(kind: str, state: OrderState) -> bool:
    """True for the terminal states that oblige the shell to give the money back."""
    return state in (_S.REJECTED, _S.CANCELLED) if kind == "order" else state == _S.REFUNDED
