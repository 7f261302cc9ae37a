"""Double entry: the postings of each thing that moves money (A9). Debit positive, credit negative, each set sums to 0.

Decides accounts and amounts. Leaves transaction ids, time and storage to the shells.

    provider_clearing        money at the payment provider                     debit when paid, credit when refunded
    user_balances            what users have in their wallets                  debit when spent, credit when refunded
    wallet_transfers         money that came into wallets by bank transfer     debit
    coupon_subsidy           what coupons took off, borne by the platform      debit
    merchant_payable:<id>    a merchant's share of orders still under way      credit when paid, debit when settled
    merchant_settled:<id>    a merchant's share of delivered orders, due       credit when settled, debit at payout
    platform_commission      the platform's share of the items                 credit
    delivery_revenue         delivery fees                                     credit
    disputed_payments        money of another amount than was asked for        credit when taken, debit when given back

Who bears a part refund: the goods first, the delivery fee last (the way was ridden). Of the goods the merchant's share,
the commission and the coupon's subsidy go back pro rata; each is rounded on the sum refunded so far and a refund posts
the difference, so that the last fen makes the whole exactly the reverse of the payment.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from o2o_domain.money import share
from o2o_domain.pricing import Quote

PROVIDER_CLEARING = "provider_clearing"
USER_BALANCES = "user_balances"
WALLET_TRANSFERS = "wallet_transfers"
COUPON_SUBSIDY = "coupon_subsidy"
PLATFORM_COMMISSION = "platform_commission"
DELIVERY_REVENUE = "delivery_revenue"
DISPUTED_PAYMENTS = "disputed_payments"


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


def paid(
    quote: Quote, *, merchant_id: int, commission_share: float, source: str = PROVIDER_CLEARING
) -> tuple[Posting, ...]:
    """Postings of a payment that came in; postings of 0 are left out. `source`: provider_clearing or user_balances.

    Worked: items 50.00, discount 5.00, fee 3.00, share 0.1 -> debit provider_clearing 48.00, debit coupon_subsidy 5.00,
    credit merchant_payable 45.00, credit platform_commission 5.00, credit delivery_revenue 3.00.
    """
    commission = share(quote.items_fen, commission_share)
    return _kept(
        (
            Posting(source, quote.total_fen),
            Posting(COUPON_SUBSIDY, quote.discount_fen),
            Posting(merchant_payable(merchant_id), commission - quote.items_fen),
            Posting(PLATFORM_COMMISSION, -commission),
            Posting(DELIVERY_REVENUE, -quote.delivery_fee_fen),
        )
    )


def topped_up(fen: int) -> tuple[Posting, ...]:
    """Postings of money that a user paid into their wallet beforehand, by transfer."""
    return _kept((Posting(WALLET_TRANSFERS, fen), Posting(USER_BALANCES, -fen)))


def reverse(postings: Iterable[Posting]) -> tuple[Posting, ...]:
    """The same accounts with opposite signs: after both, every balance is what it was."""
    return tuple(Posting(posting.account, -posting.amount_fen) for posting in postings)


@dataclass(frozen=True, slots=True)
class Borne:
    """Who bears what of a refund, fen: refunded = merchant + commission - subsidy + delivery."""

    subsidy_fen: int
    merchant_fen: int
    commission_fen: int
    delivery_fen: int


def borne(quote: Quote, refunded_fen: int, *, commission_share: float) -> Borne:
    """Who bears the first `refunded_fen` (0..total) of an order; see the module.

    Worked: items 50.00, discount 5.00, fee 3.00, share 0.1, refunded 9.00 (a dish of 10.00 was missing): 10.00 of
    goods, of which the coupon bore 1.00; the merchant bears 9.00, the commission 1.00.
    """
    goods_fen = quote.items_fen - quote.discount_fen
    commission = share(quote.items_fen, commission_share)
    of_goods = min(refunded_fen, goods_fen)
    if refunded_fen >= quote.total_fen or of_goods == goods_fen > 0:
        items_fen = quote.items_fen
    else:
        items_fen = _part(quote.items_fen, of_goods, goods_fen)
    of_commission = _part(commission, items_fen, quote.items_fen)
    return Borne(items_fen - of_goods, items_fen - of_commission, of_commission, refunded_fen - of_goods)


def _part(fen: int, part: int, whole: int) -> int:
    """`fen` x `part` / `whole`, rounded half up; 0 of nothing."""
    return (2 * fen * part + whole) // (2 * whole) if whole else 0


def refunded(
    quote: Quote,
    *,
    merchant_id: int,
    commission_share: float,
    before_fen: int = 0,
    fen: int | None = None,
    earned: bool = False,
    source: str = PROVIDER_CLEARING,
) -> tuple[Posting, ...]:
    """Postings of a refund of `fen` (None: all that is left) after `before_fen` were refunded earlier.

    `earned`: the order was delivered, so the merchant's part comes out of what is settled. A refund of everything is
    the exact reverse of `paid` with the same arguments, in one step or in several.
    """
    after_fen = quote.total_fen if fen is None else before_fen + fen
    was = borne(quote, before_fen, commission_share=commission_share)
    now = borne(quote, after_fen, commission_share=commission_share)
    merchant = merchant_settled(merchant_id) if earned else merchant_payable(merchant_id)
    if after_fen == 0 and before_fen == 0:  # an order that cost nothing: its coupon paid for all of it
        was, now = Borne(0, 0, 0, 0), borne(quote, quote.total_fen, commission_share=commission_share)
    return _kept(
        (
            Posting(source, before_fen - after_fen),
            Posting(COUPON_SUBSIDY, was.subsidy_fen - now.subsidy_fen),
            Posting(merchant, now.merchant_fen - was.merchant_fen),
            Posting(PLATFORM_COMMISSION, now.commission_fen - was.commission_fen),
            Posting(DELIVERY_REVENUE, now.delivery_fen - was.delivery_fen),
        )
    )


def settled(quote: Quote, *, merchant_id: int, commission_share: float, refunded_fen: int = 0) -> tuple[Posting, ...]:
    """Postings of a delivered order or redeemed voucher: the merchant's share is now owed for good.

    `refunded_fen`: what was given back before; the merchant's part of it is not owed.
    """
    due = quote.items_fen - share(quote.items_fen, commission_share)
    if refunded_fen:
        due -= borne(quote, refunded_fen, commission_share=commission_share).merchant_fen
    return _kept((Posting(merchant_payable(merchant_id), due), Posting(merchant_settled(merchant_id), -due)))


def disputed(fen: int) -> tuple[Posting, ...]:
    """Postings of money that came and belongs to no order: of another amount than due, or for nothing known.

    Its refund is the `reverse`.
    """
    return _kept((Posting(PROVIDER_CLEARING, fen), Posting(DISPUTED_PAYMENTS, -fen)))


def paid_out(merchant_id: int, amount_fen: int) -> tuple[Posting, ...]:
    """Postings of a payout to the merchant's bank account out of what is settled."""
    return _kept((Posting(merchant_settled(merchant_id), amount_fen), Posting(PROVIDER_CLEARING, -amount_fen)))


def balances(postings: Iterable[Posting]) -> dict[str, int]:
    """Sum by account in fen, accounts in order of first use."""
    sums: dict[str, int] = {}
    for posting in postings:
        sums[posting.account] = sums.get(posting.account, 0) + posting.amount_fen
    return sums
