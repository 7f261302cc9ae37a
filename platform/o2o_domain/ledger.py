"""Double entry: the postings of each thing that moves money (A9). Debit positive, credit negative, each set sums to 0.

Decides accounts and amounts. Leaves transaction ids, time and storage to the shells.

    provider_clearing        money at the payment provider                     debit when paid, credit when refunded
    coupon_subsidy           what coupons took off, borne by the platform      debit
    merchant_payable:<id>    a merchant's share of orders still under way      credit when paid, debit when settled
    merchant_settled:<id>    a merchant's share of delivered orders, due       credit when settled, debit at payout
    platform_commission      the platform's share of the items                 credit
    delivery_revenue         delivery fees                                     credit
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from o2o_domain.money import share
from o2o_domain.pricing import Quote

PROVIDER_CLEARING = "provider_clearing"
COUPON_SUBSIDY = "coupon_subsidy"
PLATFORM_COMMISSION = "platform_commission"
DELIVERY_REVENUE = "delivery_revenue"


@dataclass(frozen=True, slots=True)
class Posting:
    """One side of a transaction: `amount_fen` > 0 debits the account, < 0 credits it."""

    account: str
    amount_fen: int


def merchant_payable(merchant_id: int) -> str:
    """Account of a merchant's share of orders that may still be refunded."""
    return f"merchant_payable:{merchant_id}"


def merchant_settled(merchant_id: int) -> str:
    """Account of what a merchant is owed for good."""
    return f"merchant_settled:{merchant_id}"


def _kept(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    return tuple(posting for posting in postings if posting.amount_fen)


def paid(quote: Quote, *, merchant_id: int, commission_share: float) -> tuple[Posting, ...]:
    """Postings of a payment that came in; postings of 0 are left out.

    Worked: items 50.00, discount 5.00, fee 3.00, share 0.1 -> debit provider_clearing 48.00, debit coupon_subsidy 5.00,
    credit merchant_payable 45.00, credit platform_commission 5.00, credit delivery_revenue 3.00.
    """
    commission = share(quote.items_fen, commission_share)
    return _kept(
        (
            Posting(PROVIDER_CLEARING, quote.total_fen),
            Posting(COUPON_SUBSIDY, quote.discount_fen),
            Posting(merchant_payable(merchant_id), commission - quote.items_fen),
            Posting(PLATFORM_COMMISSION, -commission),
            Posting(DELIVERY_REVENUE, -quote.delivery_fee_fen),
        )
    )


def reverse(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """The same accounts with opposite signs: after both, every balance is what it was."""
    return tuple(Posting(posting.account, -posting.amount_fen) for posting in postings)


def refunded(quote: Quote, *, merchant_id: int, commission_share: float) -> tuple[Posting, ...]:
    """Postings of a full refund: the exact reverse of `paid` with the same arguments."""
    return reverse(paid(quote, merchant_id=merchant_id, commission_share=commission_share))


def settled(quote: Quote, *, merchant_id: int, commission_share: float) -> tuple[Posting, ...]:
    """Postings of a delivered order or redeemed voucher: the merchant's share is now owed for good."""
    due = quote.items_fen - share(quote.items_fen, commission_share)
    return _kept((Posting(merchant_payable(merchant_id), due), Posting(merchant_settled(merchant_id), -due)))


def paid_out(merchant_id: int, amount_fen: int) -> tuple[Posting, ...]:
    """Postings of a payout to the merchant's bank account out of what is settled."""
    return _kept((Posting(merchant_settled(merchant_id), amount_fen), Posting(PROVIDER_CLEARING, -amount_fen)))


def balances(postings: Iterable[Posting]) -> dict[str, int]:
    """Sum by account in fen, accounts in order of first use."""
    sums: dict[str, int] = {}
    for posting in postings:
        sums[posting.account] = sums.get(posting.account, 0) + posting.amount_fen
    return sums
