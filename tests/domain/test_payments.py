"""Callbacks of the payment provider (G4, G11): doubled, late, contradictory, of another amount."""

from __future__ import annotations

import pytest

from o2o_domain.payments import Apply, Ignore, PaymentEvent, PaymentState, on_callback, step
from o2o_domain.refusal import Refused

WAITING = [PaymentState.REQUESTED, PaymentState.CONFIRMED]
MONEY_IN = [PaymentState.PAID, PaymentState.REFUNDED, PaymentState.PART_REFUNDED]
LATE = [PaymentState.EXPIRED, PaymentState.REFUSED]


@pytest.mark.parametrize("state", WAITING)
def test_a_good_callback_pays(state: PaymentState) -> None:
    assert on_callback(state, amount_due=4600, amount=4600, ok=True) == Apply(PaymentEvent.PAY)


@pytest.mark.parametrize("state", WAITING)
def test_a_refusal_refuses_whatever_amount_it_names(state: PaymentState) -> None:
    assert on_callback(state, amount_due=4600, amount=0, ok=False) == Apply(PaymentEvent.REFUSE)


@pytest.mark.parametrize("state", MONEY_IN)
def test_money_is_taken_once(state: PaymentState) -> None:
    """G11: 0 double charge."""
    assert on_callback(state, amount_due=4600, amount=4600, ok=True) == Ignore("already_paid")
    assert on_callback(state, amount_due=4600, amount=4600, ok=False) == Ignore("already_paid")


@pytest.mark.parametrize("state", LATE)
def test_late_money_is_taken_and_given_back(state: PaymentState) -> None:
    """G11: no paid-but-unordered: the order is closed, so the money goes back at once."""
    assert on_callback(state, amount_due=4600, amount=4600, ok=True) == Apply(PaymentEvent.PAY, then_refund=True)
    assert on_callback(state, amount_due=4600, amount=4600, ok=False) == Ignore("already_refused")


@pytest.mark.parametrize("state", list(PaymentState))
@pytest.mark.parametrize("amount", [4599, 4601, 0, -4600])
def test_another_amount_is_never_applied(state: PaymentState, amount: int) -> None:
    refused = on_callback(state, amount_due=4600, amount=amount, ok=True)
    assert refused == Refused("amount_mismatch", f"due 4600, got {amount}")


@pytest.mark.parametrize("state", list(PaymentState))
@pytest.mark.parametrize("ok", [True, False])
def test_a_callback_seen_before_changes_nothing(state: PaymentState, ok: bool) -> None:
    assert on_callback(state, amount_due=1, amount=1, ok=ok, duplicate=True) == Ignore("duplicate")


@pytest.mark.parametrize("state", list(PaymentState))
@pytest.mark.parametrize("ok", [True, False])
def test_what_is_applied_is_a_legal_step(state: PaymentState, ok: bool) -> None:
    answer = on_callback(state, amount_due=1, amount=1, ok=ok)
    if isinstance(answer, Apply):
        after = step(state, answer.event)
        assert after in (PaymentState.PAID, PaymentState.REFUSED)
        if answer.then_refund:
            assert after == PaymentState.PAID
            assert step(after, PaymentEvent.REFUND) == PaymentState.REFUNDED
