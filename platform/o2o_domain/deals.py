"""Group-buy deals and their vouchers: publish, buy, redeem once (A4, A6, A12).

Decides what may be published and sold, and a voucher's life. Leaves the order around it to `orders` (kind "deal") and
money to `ledger`. Times are seconds on the caller's clock; `valid_until` is the last instant of validity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from o2o_domain.pricing import MAX_QTY, MAX_UNIT_FEN, Quote
from o2o_domain.refusal import Refused


@dataclass(frozen=True, slots=True)
class Deal:
    """An offer of `stock` pieces at `price_fen` instead of `list_fen`."""

    deal_id: int
    merchant_id: int
    title: str
    price_fen: int
    list_fen: int
    stock: int
    valid_until: float


@dataclass(frozen=True, slots=True)
class Published:
    """The deal may go on line as it is."""

    deal: Deal


@dataclass(frozen=True, slots=True)
class Bought:
    """Sell: `sold` is the new count, `quote` what is due (no delivery, no discount)."""

    sold: int
    quote: Quote


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Mark the voucher redeemed."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """Mark the voucher refunded and give the money back."""


class VoucherState(StrEnum):
    """States of one voucher."""

    ISSUED = "issued"
    REDEEMED = "redeemed"
    REFUNDED = "refunded"
    EXPIRED = "expired"


class VoucherEvent(StrEnum):
    """What happens to a voucher."""

    REDEEM = "redeem"
    REFUND = "refund"
    EXPIRE = "expire"


TRANSITIONS: Mapping[tuple[VoucherState, VoucherEvent], VoucherState] = MappingProxyType(
    {
        (VoucherState.ISSUED, VoucherEvent.REDEEM): VoucherState.REDEEMED,  # A6: exactly one success
        (VoucherState.ISSUED, VoucherEvent.REFUND): VoucherState.REFUNDED,  # A6: refused once redeemed
        (VoucherState.ISSUED, VoucherEvent.EXPIRE): VoucherState.EXPIRED,
        (VoucherState.EXPIRED, VoucherEvent.REFUND): VoucherState.REFUNDED,  # unused money goes back to the user
    }
)
"""From (state, event) to state."""

TERMINAL: frozenset[VoucherState] = frozenset({VoucherState.REDEEMED, VoucherState.REFUNDED})


def publish(deal: Deal, *, now: float | None = None) -> Published | Refused:
    """Audit a deal by rule (A12: seeded bad contracts are refused by rule).

    Refused with no_title, bad_price (not 1..MAX_UNIT_FEN), price_above_list, no_stock, or, when `now` is given, ended.
    """
    if not deal.title.strip():
        return Refused("no_title", str(deal.deal_id))
    if not 1 <= deal.price_fen <= MAX_UNIT_FEN:
        return Refused("bad_price", str(deal.price_fen))
    if deal.price_fen > deal.list_fen:
        return Refused("price_above_list", f"{deal.price_fen} > {deal.list_fen}")
    if deal.stock < 1:
        return Refused("no_stock", str(deal.stock))
    if now is not None and now > deal.valid_until:
        return Refused("ended", str(deal.deal_id))
    return Published(deal)


def buy(deal: Deal, *, sold: int, qty: int, now: float) -> Bought | Refused:
    """Sell `qty` pieces when `sold` are gone already; never more than the stock."""
    if not 1 <= qty <= MAX_QTY:
        return Refused("bad_qty", str(qty))
    if now > deal.valid_until:
        return Refused("ended", str(deal.deal_id))
    if sold + qty > deal.stock:
        return Refused("sold_out", str(deal.deal_id))
    total = qty * deal.price_fen
    return Bought(sold + qty, Quote(total, 0, 0, total))


def step(state: VoucherState, event: VoucherEvent) -> VoucherState | Refused:
    """The voucher's state after `event`, or Refused("illegal_transition")."""
    after = TRANSITIONS.get((state, event))
    return Refused("illegal_transition", f"{state} + {event}") if after is None else after


def redeem(state: VoucherState, *, now: float, valid_until: float, merchant_matches: bool) -> Redeemed | Refused:
    """Redeem at a merchant (A6): once, in time, at the right shop.

    Refused with wrong_merchant, already_redeemed, refunded or expired.
    """
    if not merchant_matches:
        return Refused("wrong_merchant")
    if state == VoucherState.REDEEMED:
        return Refused("already_redeemed")
    if state == VoucherState.REFUNDED:
        return Refused("refunded")
    if state == VoucherState.EXPIRED or now > valid_until:
        return Refused("expired")
    return Redeemed()


def refund(state: VoucherState) -> Refunded | Refused:
    """Give the money back for an unused voucher (A6): refused with already_redeemed or already_refunded."""
    if state == VoucherState.REDEEMED:
        return Refused("already_redeemed")
    if state == VoucherState.REFUNDED:
        return Refused("already_refunded")
    return Refunded()
