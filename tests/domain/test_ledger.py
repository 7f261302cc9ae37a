"""Double entry (A9): the postings of each step, by account."""

from __future__ import annotations

from o2o_domain import ledger
from o2o_domain.ledger import Posting
from o2o_domain.pricing import Quote

QUOTE = Quote(items_fen=5000, discount_fen=500, delivery_fee_fen=300, total_fen=4800)


def test_a_payment_is_split_among_the_accounts() -> None:
    assert ledger.paid(QUOTE, merchant_id=7, commission_share=0.1) == (
        Posting("provider_clearing", 4800),
        Posting("coupon_subsidy", 500),
        Posting("merchant_payable:7", -4500),
        Posting("platform_commission", -500),
        Posting("delivery_revenue", -300),
    )


def test_postings_of_nothing_are_left_out() -> None:
    """G9: no commission in the first months is a share of 0."""
    postings = ledger.paid(Quote(1000, 0, 0, 1000), merchant_id=7, commission_share=0.0)
    assert postings == (Posting("provider_clearing", 1000), Posting("merchant_payable:7", -1000))


def test_a_refund_is_the_exact_reverse() -> None:
    paid = ledger.paid(QUOTE, merchant_id=7, commission_share=0.0855)
    refunded = ledger.refunded(QUOTE, merchant_id=7, commission_share=0.0855)
    assert set(ledger.balances(paid + refunded).values()) == {0}


def test_from_payment_to_payout() -> None:
    """A9: payout = order total - commission (coupons and fees are the platform's) for a delivered order."""
    due = 4500
    flow = (
        ledger.paid(QUOTE, merchant_id=7, commission_share=0.1)
        + ledger.settled(QUOTE, merchant_id=7, commission_share=0.1)
        + ledger.paid_out(7, due)
    )
    assert ledger.balances(flow) == {
        "provider_clearing": 300,
        "coupon_subsidy": 500,
        "merchant_payable:7": 0,
        "platform_commission": -500,
        "delivery_revenue": -300,
        "merchant_settled:7": 0,
    }
