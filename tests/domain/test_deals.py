"""Deals and vouchers (A6, A12)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from o2o_domain.deals import (
    Bought,
    Deal,
    Published,
    Redeemed,
    Refunded,
    VoucherState,
    buy,
    publish,
    redeem,
    refund,
)
from o2o_domain.pricing import Quote
from o2o_domain.refusal import Refused

DEAL = Deal(70, 7, "双人火锅套餐", price_fen=8800, list_fen=12800, stock=10, valid_until=1000.0)


def test_a_sound_deal_is_published() -> None:
    assert publish(DEAL, now=1000.0) == Published(DEAL)
    assert isinstance(publish(replace(DEAL, price_fen=1)), Published)
    assert isinstance(publish(replace(DEAL, price_fen=10_000_000, list_fen=10_000_000)), Published)
    assert publish(replace(DEAL, price_fen=12800)) == Published(replace(DEAL, price_fen=12800))


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (replace(DEAL, price_fen=12801), "price_above_list"),
        (replace(DEAL, title=" \u3000"), "no_title"),
        (replace(DEAL, price_fen=0), "bad_price"),
        (replace(DEAL, price_fen=10_000_001, list_fen=10_000_001), "bad_price"),
        (replace(DEAL, stock=0), "no_stock"),
        (replace(DEAL, valid_until=999.9), "ended"),
    ],
)
def test_bad_contracts_are_refused_by_rule(bad: Deal, code: str) -> None:
    """A12: price above list and the like are found by rule."""
    refused = publish(bad, now=1000.0)
    assert isinstance(refused, Refused)
    assert refused.code == code


def test_buying_counts_up_to_the_stock() -> None:
    assert buy(DEAL, sold=8, qty=2, now=1000.0) == Bought(10, Quote(17_600, 0, 0, 17_600))


@pytest.mark.parametrize(
    ("sold", "qty", "now", "code"),
    [(9, 2, 0.0, "sold_out"), (10, 1, 0.0, "sold_out"), (0, 0, 0.0, "bad_qty"), (0, 100, 0.0, "bad_qty"),
     (0, 1, 1000.1, "ended")],
)  # fmt: skip
def test_what_cannot_be_bought(sold: int, qty: int, now: float, code: str) -> None:
    refused = buy(DEAL, sold=sold, qty=qty, now=now)
    assert isinstance(refused, Refused)
    assert refused.code == code


def test_a_voucher_is_redeemed_until_its_last_instant() -> None:
    assert redeem(VoucherState.ISSUED, now=1000.0, valid_until=1000.0, merchant_matches=True) == Redeemed()


@pytest.mark.parametrize(
    ("state", "now", "matches", "code"),
    [
        (VoucherState.REDEEMED, 0.0, True, "already_redeemed"),
        (VoucherState.REFUNDED, 0.0, True, "refunded"),
        (VoucherState.EXPIRED, 0.0, True, "expired"),
        (VoucherState.ISSUED, 1000.1, True, "expired"),
        (VoucherState.ISSUED, 0.0, False, "wrong_merchant"),
    ],
)
def test_redemption_is_refused(state: VoucherState, now: float, matches: bool, code: str) -> None:
    """A6: exactly one success, in time, at the right shop."""
    assert redeem(state, now=now, valid_until=1000.0, merchant_matches=matches) == Refused(code)


@pytest.mark.parametrize(
    ("state", "answer"),
    [
        (VoucherState.ISSUED, Refunded()),
        (VoucherState.EXPIRED, Refunded()),
        (VoucherState.REDEEMED, Refused("already_redeemed")),
        (VoucherState.REFUNDED, Refused("already_refunded")),
    ],
)
def test_only_unused_vouchers_are_refunded(state: VoucherState, answer: Refunded | Refused) -> None:
    """A6: refund after redemption refused."""
    assert refund(state) == answer
